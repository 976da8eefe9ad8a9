// Connections made of nothing: Kinetic PDUs, the packets that carry them, schedules of what happens
// to packets, and a slow and simple oracle of what an observer should say of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/observer/analysis.h"
#include "agent/observer/packet.h"
#include "agent/observer/pdu_reader.h"
#include "base/random.h"
#include "kinetic/types.h"

namespace kbench::observer {

inline constexpr uint16_t kPort = 8123;
inline constexpr int64_t kConnectionId = 4711;
inline constexpr RealTime kStart = RealTime(1'700'000'000'000'000'000);

std::string RequestPdu(kinetic::MessageType type, uint64_t sequence, size_t value_size = 0,
                       std::optional<uint32_t> batch = std::nullopt);
std::string AnswerPdu(kinetic::MessageType request, uint64_t ack_sequence, size_t value_size = 0);
std::string GreetingPdu();

// A TCP/IP packet's bytes from the IP header on.
struct Wire {
  bool ipv6 = false;
  uint16_t client_port = 40000;
  uint32_t client_isn = 1000;
  uint32_t server_isn = 2000;

  struct Segment {
    Side side = Side::kRequests;
    uint32_t sequence = 0;
    uint32_t acknowledged = 0;
    uint8_t flags = TcpSegment::kAck;
    std::string payload;
  };
  std::string Bytes(const Segment& segment) const;
  // Payload at this offset of its stream.
  std::string Data(Side side, uint64_t offset, const std::string& payload,
                   uint64_t acknowledged_offset = 0) const;
  std::string Syn(Side side) const;
  std::string End(Side side, uint8_t flags, uint64_t offset) const;
  uint32_t isn(Side side) const { return side == Side::kRequests ? client_isn : server_isn; }
};

// How `bytes` look to an observer on the host of the side that `view` says.
Packet PacketOf(const std::string& bytes, RealTime stamp);

// A whole conversation as two streams and the times at which their bytes were put on the wire.
struct Conversation {
  struct Unit {
    uint64_t begin = 0, end = 0;
    uint64_t sequence = 0;
  };
  struct Sent {  // a packet, in the order in which the observer could see it
    Side side = Side::kRequests;
    uint64_t begin = 0, end = 0;
    bool missed = false;  // the observer did not see it
  };
  std::string bytes[2];
  std::vector<Unit> units[2];  // without the greeting
  std::vector<Sent> sent;
};

struct Schedule {
  size_t requests = 200;
  size_t depth = 8;
  size_t segment_max = 400;
  size_t value_max = 300;
  double reordered = 0;   // of segments: moved behind others of their burst
  double sent_again = 0;  // of segments
  double missed = 0;      // of segments: not seen by the observer, but by the receiver
};
Conversation Converse(const Schedule& schedule, Random* random);

// Feeds the packets to an analysis, a microsecond apart, with handshake and acknowledgements.
void Play(const Conversation& conversation, const Wire& wire, Analysis* analysis,
          bool with_syn = true);

// What records should say; a record for each request, in order. Stamps of bytes that were missed
// are zero.
std::vector<WireRecord> Oracle(const Conversation& conversation);

WireObservation Conclude(Analysis* analysis);

}  // namespace kbench::observer
