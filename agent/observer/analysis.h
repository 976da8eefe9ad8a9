// From packets, in the order in which a source has them, to what passed between clients and one
// server's port. Bounded in memory whatever the packets are; knows no sockets and no files.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/observer/connection.h"
#include "agent/observer/ledger.h"
#include "agent/observer/packet.h"
#include "agent/observer/packet_observer.h"

namespace kbench::observer {

class Analysis {
 public:
  struct Options {
    uint16_t port = 0;
    // Nothing: packets of all directions, for sources that show each once.
    std::optional<View> view;
    size_t records_max = 4'000'000;
    size_t flows_max = 16'384;
    bool await_window = false;  // PacketObserver::Options
  };

  explicit Analysis(const Options& options);

  // Whether the packet was of this port, direction and interface, and so was looked at.
  bool Take(const Packet& packet);

  // Packets of the port that went the other way for this view: they are not counted otherwise.
  uint64_t other_way() const { return other_way_; }
  // Of what was taken; zero: there was nothing.
  RealTime first() const { return first_; }
  RealTime last() const { return last_; }
  size_t flows_open() const { return flows_.size(); }
  uint64_t held_bytes() const { return ledger_.totals.held_bytes; }

  // What the sums will be over; from here on records are kept. Before the window begins.
  void SetWindow(RealTime from, RealTime until);
  // Counters, sums over the window and records. Without a window over everything. At the end.
  WireObservation Conclude(
      std::optional<std::pair<RealTime, RealTime>> window,
      const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted);

 private:
  struct FlowKey {
    std::array<uint8_t, 34> bytes = {};  // client's address and port, server's address
    bool operator==(const FlowKey&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const FlowKey& key) {
      return H::combine_contiguous(std::move(h), key.bytes.data(), key.bytes.size());
    }
  };

  static FlowKey KeyOf(Side side, const TcpSegment& segment);
  // nullptr: none, and this segment makes none.
  Connection* FlowOf(Side side, const TcpSegment& segment);
  void DropEnded();

  Options options_;
  Ledger ledger_;
  absl::flat_hash_map<FlowKey, std::unique_ptr<Connection>> flows_;
  FlowKey recent_key_;
  Connection* recent_ = nullptr;
  RealTime first_;
  RealTime last_;
  RealTime swept_;
  uint64_t other_way_ = 0;
};

}  // namespace kbench::observer
