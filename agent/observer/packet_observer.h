// Watches the packets of one Kinetic server's port on this host, by the kernel's packet ring, and
// says of each request when its bytes and those of its answer passed. Neither client nor server
// knows of it. Needs CAP_NET_RAW.
//
// On the client's host requests go out and answers come in; on the server's host it is the other
// way round. Only packets of those directions count, so that on loopback, which shows every packet
// twice, each view has stamps of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/histogram.h"

namespace kbench::observer {

enum class View { kClient, kServer };

// Stamps are the kernel's packet stamps (CLOCK_REALTIME of this host); zero: not seen. When bytes
// come out of order, a byte's stamp is that of the packet that completed the stream up to it.
struct WireRecord {
  enum Flags : uint32_t {
    kRequestSeenTwice = 1u << 0,  // bytes of it were sent again; stamps are of the first time
    kResponseSeenTwice = 1u << 1,
    kReordered = 1u << 2,     // bytes of it came before earlier bytes of its connection
    kSharedPacket = 1u << 3,  // its last packet, or its answer's first, carried others too
    kInBatch = 1u << 4,       // answered with its batch, if at all
  };
  static constexpr int8_t kNoStatus = INT8_MIN;
  int64_t connection_id = 0;
  uint64_t sequence = 0;
  RealTime request_first;
  RealTime request_last;
  RealTime response_first;
  RealTime response_last;
  RealTime before_last;  // last byte of the request before it on its connection
  RealTime request_last_again;
  RealTime response_last_again;
  Nanos service;        // gap rule: response_first - max(request_last, the response before)
  uint32_t inside = 0;  // requests in the server when it came, over all connections of the port
  uint32_t flags = 0;
  uint32_t request_bytes = 0;  // of the whole frame, value included
  uint32_t response_bytes = 0;
  uint16_t client_port = 0;
  uint8_t type = 0;           // of the request, as kinetic::MessageType numbers it
  int8_t status = kNoStatus;  // of the answer, as kinetic::StatusCode numbers it; none: not seen
};

struct WireCounters {
  uint64_t packets = 0;
  uint64_t bytes = 0;  // on the wire, from the IP header on
  uint64_t ring_drops = 0;
  uint64_t flows = 0;
  uint64_t requests = 0;  // of which the last byte was seen
  uint64_t answered = 0;
  uint64_t resynchronized = 0;
  uint64_t records_lost = 0;
  uint64_t retransmitted_packets = 0;
  uint64_t reordered_packets = 0;  // that came after later ones
  uint64_t gaps = 0;               // stretches of a stream that were never seen
  uint64_t unanswered = 0;         // requests given up: their connection ended, or was lost
  uint64_t unmatched_answers = 0;  // to requests that were not seen
  uint64_t in_batches = 0;         // of `requests`: answered with their batch
  uint64_t unusable_packets = 0;   // fragments, or cut before the end of their headers
  uint64_t flows_refused = 0;      // there were too many connections
};

// Over a window, as far as it was observed, all connections. Requests that were never answered, and
// those of which the last byte was not seen, are not in it.
struct WireSums {
  Nanos window;
  Nanos busy;               // at least one request inside
  uint64_t departures = 0;  // answers whose first byte left in the window
  Nanos service_sum;
  Histogram service;
  Nanos inside;  // integral of the number of requests inside over time
};

struct WireObservation {
  WireCounters counters;
  WireSums sums;
  Nanos clock_step;
  ClockPair clocks;  // at the begin
  std::vector<WireRecord> records;
};

class PacketObserver {
 public:
  struct Options {
    uint16_t port = 0;  // of the server
    View view = View::kClient;
    size_t records_max = 4'000'000;
    // Nothing is kept of requests that come before SetWindow(), so that filling a server with keys
    // takes no room from what is measured.
    bool await_window = false;
  };

  // PermissionDenied without CAP_NET_RAW, with the remedy. Begins to watch.
  static absl::StatusOr<std::unique_ptr<PacketObserver>> Start(const Options& options);
  virtual ~PacketObserver() = default;

  // What WireSums are over; by default everything. May be set while it watches, before the window
  // begins.
  virtual void SetWindow(MonoTime from, MonoTime until) = 0;
  // Ends the observation, after the packets that are on their way. `wanted` chooses the records.
  virtual WireObservation Finish(
      const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted) = 0;
};

}  // namespace kbench::observer
