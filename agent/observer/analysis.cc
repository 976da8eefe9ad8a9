#include "agent/observer/analysis.h"

#include <algorithm>

namespace kbench::observer {
namespace {

constexpr Nanos kSweepEvery = Seconds(1);
// What still comes of a connection that has ended, comes within this.
constexpr Nanos kEndedAge = Seconds(2);
constexpr Nanos kIdleAge = Seconds(900);

}  // namespace

Analysis::Analysis(const Options& options) : options_(options), ledger_(options.records_max) {
  if (options.await_window) ledger_.Await();
}

void Analysis::SetWindow(RealTime from, RealTime until) {
  ledger_.departures.SetWindow(from, until);
  ledger_.Keep();
}

Analysis::FlowKey Analysis::KeyOf(Side side, const TcpSegment& segment) {
  const bool request = side == Side::kRequests;
  const IpAddress& client = request ? segment.source : segment.destination;
  const IpAddress& server = request ? segment.destination : segment.source;
  const uint16_t port = request ? segment.source_port : segment.destination_port;
  FlowKey key;
  std::copy(client.begin(), client.end(), key.bytes.begin());
  std::copy(server.begin(), server.end(), key.bytes.begin() + 16);
  key.bytes[32] = static_cast<uint8_t>(port >> 8);
  key.bytes[33] = static_cast<uint8_t>(port);
  return key;
}

Connection* Analysis::FlowOf(Side side, const TcpSegment& segment) {
  const FlowKey key = KeyOf(side, segment);
  if (recent_ != nullptr && key == recent_key_) return recent_;
  const auto it = flows_.find(key);
  if (it != flows_.end()) {
    recent_key_ = key;
    return recent_ = it->second.get();
  }
  const bool begins = (segment.flags & TcpSegment::kSyn) != 0 || segment.payload_size > 0;
  if (!begins || (segment.flags & TcpSegment::kRst) != 0) return nullptr;
  if (flows_.size() >= options_.flows_max) {
    ++ledger_.counters.flows_refused;
    return nullptr;
  }
  recent_key_ = key;
  const auto port = static_cast<uint16_t>(key.bytes[32] << 8 | key.bytes[33]);
  recent_ = flows_.emplace(key, std::make_unique<Connection>(&ledger_, port)).first->second.get();
  return recent_;
}

bool Analysis::Take(const Packet& packet) {
  TcpSegment segment;
  switch (ParseTcp(packet, &segment)) {
    case Parsed::kTcp:
      break;
    case Parsed::kOther:
      return false;
    case Parsed::kFragment:
    case Parsed::kMalformed:
      ++ledger_.counters.unusable_packets;
      return false;
  }
  Side side = Side::kRequests;
  if (segment.destination_port != options_.port) {
    if (segment.source_port != options_.port) return false;
    side = Side::kAnswers;
  }
  if (options_.view.has_value() && packet.type != PacketType::kUnknown) {
    const bool outgoing = (side == Side::kRequests) == (*options_.view == View::kClient);
    if (packet.type != (outgoing ? PacketType::kOutgoing : PacketType::kIncoming)) {
      ++other_way_;
      return false;
    }
  }
  Connection* flow = FlowOf(side, segment);
  if (flow != nullptr && !flow->TakesFrom(side, packet.interface, packet.stamp)) return false;
  ++ledger_.counters.packets;
  ledger_.counters.bytes += packet.network_size;
  if (!first_.is_set()) first_ = swept_ = packet.stamp;
  last_ = std::max(last_, packet.stamp);
  if (flow != nullptr) flow->Take(side, segment, packet.stamp);
  if (last_ - swept_ > kSweepEvery) DropEnded();
  return true;
}

void Analysis::DropEnded() {
  swept_ = last_;
  recent_ = nullptr;
  for (auto it = flows_.begin(); it != flows_.end();) {
    Connection& flow = *it->second;
    const Nanos age = last_ - flow.latest();
    if (age > (flow.ended() ? kEndedAge : kIdleAge)) {
      flow.GiveUpAll();
      flows_.erase(it++);
    } else {
      ++it;
    }
  }
}

WireObservation Analysis::Conclude(
    std::optional<std::pair<RealTime, RealTime>> window,
    const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted) {
  for (auto& [key, flow] : flows_) flow->Conclude();
  WireObservation observation;
  observation.records = ledger_.Conclude(wanted);
  observation.counters = ledger_.counters;
  observation.counters.retransmitted_packets = ledger_.totals.retransmitted_packets;
  observation.counters.reordered_packets = ledger_.totals.reordered_packets;
  observation.counters.gaps = ledger_.totals.gaps;
  const auto [from, until] = window.value_or(std::pair(first_, last_));
  if (window.has_value()) ledger_.departures.SetWindow(from, until);
  observation.sums = ledger_.departures.Sums();
  observation.sums.window = std::max(until - from, Nanos());
  return observation;
}

}  // namespace kbench::observer
