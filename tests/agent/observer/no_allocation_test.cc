// While it watches, an observer that has no room for more records allocates nothing for a request,
// so that its cost beside a load is even.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/observer/analysis.h"
#include "tests/agent/observer/synthetic.h"
#include "tests/base/counted_heap.h"

namespace kbench::observer {
namespace {

TEST(ObserverNoAllocation, InTheSteadyState) {
  // A chunk of departures is packed away for every 4096; the window lies between two of them.
  constexpr uint64_t kWarm = 3 * DepartureLog::kChunk + 100, kMeasured = 3000;
  const Wire wire;
  std::vector<std::string> packets = {wire.Syn(Side::kRequests), wire.Syn(Side::kAnswers)};
  uint64_t asked = 0, answered = 0;
  std::vector<size_t> at_request;
  for (uint64_t i = 1; i <= kWarm + kMeasured; ++i) {
    at_request.push_back(packets.size());
    const std::string request = RequestPdu(kinetic::MessageType::kNoop, i);
    const std::string answer = AnswerPdu(kinetic::MessageType::kNoop, i);
    // In two packets each, the cut within the message.
    packets.push_back(wire.Data(Side::kRequests, asked, request.substr(0, 20), answered));
    packets.push_back(wire.Data(Side::kRequests, asked + 20, request.substr(20), answered));
    asked += request.size();
    packets.push_back(wire.Data(Side::kAnswers, answered, answer.substr(0, 15), asked));
    packets.push_back(wire.Data(Side::kAnswers, answered + 15, answer.substr(15), asked));
    answered += answer.size();
  }
  Analysis analysis({.port = kPort, .records_max = 1000});
  RealTime now = kStart;
  size_t i = 0;
  const auto play = [&](size_t end) {
    for (; i < end; ++i) analysis.Take(PacketOf(packets[i], now = now + Micros(1)));
  };
  play(at_request[kWarm]);
  const HeapCounts before = Heap();
  play(packets.size());
  EXPECT_EQ(Heap().allocations, before.allocations);
  EXPECT_EQ(Heap().releases, before.releases);
  const WireObservation got = Conclude(&analysis);
  EXPECT_EQ(got.counters.answered, kWarm + kMeasured);
  EXPECT_EQ(got.records.size(), 1000u);
}

}  // namespace
}  // namespace kbench::observer
