// Whatever packets come: nothing crashes, memory stays within its bounds, counts add up, stamps are
// in the order that is promised, and the same packets give the same observation.
//
//   input := step*                       (script.h)
//   kind & 3: 0 a packet from its IP header on; 1 a request segment; 2 an answer segment; 3 a frame
//             of one of the link types
//   kind >> 2: how much later it comes, from a microsecond to minutes
//   segment := sequence:u32le acknowledged:u32le flags:u8 captured:u8 payload
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/observer/analysis.h"
#include "agent/observer/link_layer.h"
#include "kinetic/byte_order.h"
#include "tests/agent/observer/synthetic.h"
#include "tests/fuzz/script.h"

namespace kbench::observer {
namespace {

constexpr size_t kRecordsMax = 50, kFlowsMax = 4;

void Check(bool condition) {
  if (!condition) std::abort();
}

void TakeSegment(Bytes bytes, Side side, RealTime now, Analysis* analysis) {
  if (bytes.size() < 10) return;
  const std::string packet = Wire{.ipv6 = (bytes[8] & 0x80) != 0}.Bytes(
      {.side = side,
       .sequence = kinetic::LoadLittleEndian<uint32_t>(bytes.data()),
       .acknowledged = kinetic::LoadLittleEndian<uint32_t>(bytes.data() + 4),
       .flags = bytes[8],
       .payload = std::string(AsText(bytes.subspan(10)))});
  Packet parsed = PacketOf(packet, now);
  if (bytes[9] != 0)
    parsed.network = parsed.network.first(std::min<size_t>(packet.size(), bytes[9]));
  analysis->Take(parsed);
}

void TakeFrame(Bytes bytes, RealTime now, Analysis* analysis) {
  if (bytes.size() < 3) return;
  Packet packet = {.stamp = now};
  const auto link = static_cast<LinkType>(bytes[0] % 6);
  const uint32_t missing = bytes[1];
  const Bytes frame = bytes.subspan(2);
  if (ParseLink(link, frame, static_cast<uint32_t>(frame.size()) + missing, &packet)) {
    analysis->Take(packet);
  }
}

WireObservation Observe(Bytes script) {
  Analysis analysis({.port = kPort, .records_max = kRecordsMax, .flows_max = kFlowsMax});
  RealTime now = kStart;
  fuzz::Step step;
  while (fuzz::NextStep(&script, &step)) {
    now = now + Micros(int64_t{1} << (step.kind >> 2) % 28);
    switch (step.kind & 3) {
      case 0:
        if (!step.bytes.empty()) {
          const std::string bytes(AsText(step.bytes));
          analysis.Take(PacketOf(bytes, now));
        }
        break;
      case 1:
        TakeSegment(step.bytes, Side::kRequests, now, &analysis);
        break;
      case 2:
        TakeSegment(step.bytes, Side::kAnswers, now, &analysis);
        break;
      default:
        TakeFrame(step.bytes, now, &analysis);
    }
    Check(analysis.flows_open() <= kFlowsMax);
    Check(analysis.held_bytes() <= Stream::kAllHeldBytes);
  }
  WireObservation observation = Conclude(&analysis);
  Check(analysis.held_bytes() == 0);
  return observation;
}

void CheckRecord(const WireRecord& one) {
  if (one.request_last.is_set()) Check(one.request_first <= one.request_last);
  if (one.response_last.is_set()) Check(one.response_first <= one.response_last);
  Check(one.request_first.is_set());
  if (one.before_last.is_set() && one.request_last.is_set()) {
    Check(one.before_last <= one.request_last);
  }
}

int RunInput(const uint8_t* data, size_t size) {
  const WireObservation one = Observe(Bytes(data, size));
  const WireCounters& c = one.counters;
  Check(one.records.size() <= kRecordsMax);
  for (const WireRecord& record : one.records) CheckRecord(record);
  Check(c.in_batches <= c.requests);
  Check(one.sums.departures <= c.answered);
  Check(one.sums.departures == one.sums.service.count());
  Check(one.sums.busy <= one.sums.inside);
  Check(one.sums.busy <= one.sums.window);
  if (c.records_lost == 0) {
    Check(c.answered + c.unanswered <= one.records.size());
    Check(c.requests <= one.records.size());
  }
  const WireObservation again = Observe(Bytes(data, size));
  Check(again.records.size() == one.records.size());
  Check(again.counters.answered == c.answered && again.counters.packets == c.packets);
  Check(again.sums.inside == one.sums.inside);
  return 0;
}

}  // namespace
}  // namespace kbench::observer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return kbench::observer::RunInput(data, size);
}
