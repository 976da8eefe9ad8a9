// From planted packets to counts, gaps and the window: exact numbers.
#include "agent/run/client_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kinetic/types.h"

namespace kbench {
namespace {

using observer::WireRecord;
using testing::ElementsAre;

constexpr int64_t kEpoch = 1'700'000'000'000'000'000;

RealTime At(Nanos since) { return RealTime(kEpoch + since.count()); }

struct Planted {
  Nanos out;  // first byte
  Nanos in;   // last byte of the answer; zero: none
  kinetic::MessageType type = kinetic::MessageType::kGet;
  kinetic::StatusCode status = kinetic::StatusCode::kSuccess;
  uint16_t port = 40'000;
  uint32_t flags = 0;
};

observer::WireObservation Seen(const std::vector<Planted>& requests) {
  observer::WireObservation seen;
  seen.clocks = {.mono = MonoTime(1'000'000), .real = RealTime(kEpoch), .error = Nanos(10)};
  uint64_t sequence = 0;
  for (const Planted& p : requests) {
    WireRecord r = {.connection_id = p.port, .sequence = ++sequence};
    r.request_first = At(p.out);
    r.request_last = At(p.out + Nanos(100));
    if (p.in > Nanos()) {
      r.response_first = At(p.in - Nanos(100));
      r.response_last = At(p.in);
      r.status = static_cast<int8_t>(p.status);
    }
    r.request_bytes = 80;
    r.response_bytes = 4200;
    r.client_port = p.port;
    r.type = static_cast<uint8_t>(p.type);
    r.flags = p.flags;
    seen.records.push_back(r);
  }
  return seen;
}

// `n` requests of 70 us on the wire with gaps of 30 us, the first at 1 ms.
std::vector<Planted> ClosedLoop(int n) {
  std::vector<Planted> requests;
  for (int i = 0; i < n; ++i) {
    const Nanos out = Millis(1) + Micros(100) * i;
    requests.push_back({.out = out, .in = out + Micros(70)});
  }
  return requests;
}

TEST(ClientRequests, OfAClosedLoopTakeTheGapAndTheWire) {
  const auto seen = Seen(ClosedLoop(1000));
  const ClientRequests r = CountRequests(seen, {.warmup = Millis(10), .duration = Millis(50)});
  EXPECT_THAT(r.op_names, ElementsAre("get"));
  EXPECT_EQ(r.from, At(Millis(11))) << "a warm-up after the first request";
  EXPECT_EQ(r.measured, Millis(50));
  EXPECT_FALSE(r.pipelined);
  EXPECT_FALSE(r.ended_early);
  EXPECT_EQ(r.connections, 1u);
  EXPECT_EQ(r.whole, 1000u);
  const OpStats& op = r.ops[0];
  EXPECT_EQ(op.counts.sent, 500u);
  EXPECT_EQ(op.counts.answered, 500u);
  EXPECT_TRUE(op.counts.Identical());
  EXPECT_EQ(op.answered_in_window, 500u);
  EXPECT_EQ(op.request_bytes, 500u * 80);
  EXPECT_EQ(op.service.max(), Micros(70));
  EXPECT_EQ(op.response.min(), Micros(100)) << "from answer to answer";
  EXPECT_EQ(op.response.mean_ns(), 100'000);
  ASSERT_EQ(r.samples.size(), 500u);
  EXPECT_EQ(r.samples[0].response(), Micros(100));
  EXPECT_EQ(r.samples[0].decoded, seen.clocks.ToMono(At(Millis(11) + Micros(70))));
  ASSERT_EQ(r.intervals.size(), 1u);
  EXPECT_EQ(r.intervals[0].progress.completed, 500u);
}

// What is held against figures of all that a program did must not be of the window alone.
TEST(ClientRequests, AreSummedUpByOpOverAllThatTheProgramDid) {
  std::vector<Planted> requests = ClosedLoop(1000);
  requests[999].type = kinetic::MessageType::kPut;
  requests[500].in = Nanos();  // no answer was seen, and so nothing is known before the next one
  const ClientRequests r =
      CountRequests(Seen(requests), {.warmup = Millis(10), .duration = Millis(50)});
  ASSERT_EQ(r.whole_by_op.size(), 2u);
  const ClientRequests::Whole& gets = r.whole_by_op.at("get");
  EXPECT_EQ(gets.answers, 998u);
  EXPECT_EQ(gets.wire, Micros(70) * 998);
  EXPECT_EQ(gets.gaps, 996u) << "all but the first and the one behind the lost one";
  EXPECT_EQ(gets.gap, Micros(30) * 996);
  EXPECT_EQ(r.whole_by_op.at("put").answers, 1u);
}

TEST(ClientRequests, OfAPipelineHaveNoGap) {
  std::vector<Planted> requests;
  for (int i = 0; i < 100; ++i) {
    requests.push_back({.out = Micros(50) * i + Micros(1), .in = Micros(50) * i + Micros(161)});
  }
  const ClientRequests r = CountRequests(Seen(requests), {.duration = Seconds(1)});
  EXPECT_TRUE(r.pipelined);
  EXPECT_EQ(r.gaps_known, 0u);
  EXPECT_EQ(r.ops[0].response.max(), Micros(160)) << "the wire alone";
  EXPECT_EQ(r.samples.size(), 100u);
}

TEST(ClientRequests, OfAConnectionEachHaveNoGap) {
  std::vector<Planted> requests = ClosedLoop(50);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].port = static_cast<uint16_t>(40'000 + i);
  const ClientRequests r = CountRequests(Seen(requests), {.duration = Seconds(1)});
  EXPECT_TRUE(r.pipelined);
  EXPECT_EQ(r.connections, 50u);
}

TEST(ClientRequests, AreCountedByTypeAndStatus) {
  std::vector<Planted> requests = ClosedLoop(6);
  requests[1].type = kinetic::MessageType::kPut;
  requests[2].status = kinetic::StatusCode::kNotFound;
  requests[3].in = Nanos();  // no answer was seen
  requests[4].type = kinetic::MessageType::kStartBatch;
  const ClientRequests r = CountRequests(Seen(requests), {.duration = Seconds(1)});
  EXPECT_THAT(r.op_names, ElementsAre("get", "put", "start_batch"));
  EXPECT_EQ(r.ops[0].counts.sent, 4u);
  EXPECT_EQ(r.ops[0].counts.answered, 2u);
  EXPECT_EQ(r.ops[0].counts.failed, 1u) << "NOT_FOUND is no good answer";
  EXPECT_EQ(r.ops[0].counts.lost, 1u);
  EXPECT_EQ(r.ops[0].statuses[StatusSlot(kinetic::StatusCode::kNotFound, Verdict::kByStatus)], 1u);
}

TEST(ClientRequests, InABatchAreNoRequestsOfTheirOwn) {
  std::vector<Planted> requests = ClosedLoop(4);
  for (const int member : {1, 2}) {
    requests[member].type = kinetic::MessageType::kPut;
    requests[member].in = Nanos();
    requests[member].flags = WireRecord::kInBatch;
  }
  requests[3].type = kinetic::MessageType::kEndBatch;
  const ClientRequests r = CountRequests(Seen(requests), {.duration = Seconds(1)});
  EXPECT_THAT(r.op_names, ElementsAre("get", "end_batch"));
  EXPECT_EQ(r.ops[1].counts.lost, 0u);
  EXPECT_EQ(r.gaps_known, 0u) << "what came before END_BATCH was not idleness";
}

TEST(ClientRequests, OfOthersAreInNothing) {
  std::vector<Planted> requests = ClosedLoop(200);
  for (size_t i = 0; i < requests.size(); i += 2) requests[i].port = 50'000;
  const ClientRequests r =
      CountRequests(Seen(requests), {.duration = Seconds(1), .foreign_ports = {50'000}});
  EXPECT_EQ(r.foreign, 100u);
  EXPECT_EQ(r.ops[0].counts.sent, 100u);
  EXPECT_EQ(r.ops[0].response.max(), Micros(200)) << "the gap leads to its own answer before";
}

TEST(ClientRequests, EndTheWindowWithAProgramThatEnds) {
  ClientWindow window{.warmup = Millis(2), .duration = Seconds(1), .ended_by_itself = true};
  const ClientRequests early = CountRequests(Seen(ClosedLoop(100)), window);
  EXPECT_TRUE(early.ended_early);
  EXPECT_EQ(early.measured, Micros(100) * 99 + Micros(70) - Millis(2));
  window.ended_by_itself = false;
  EXPECT_EQ(CountRequests(Seen(ClosedLoop(100)), window).measured, Seconds(1));
  window.warmup = Seconds(2);
  window.ended_by_itself = true;
  const ClientRequests none = CountRequests(Seen(ClosedLoop(100)), window);
  EXPECT_EQ(none.whole, 100u);
  EXPECT_TRUE(none.ops.empty()) << "all was warm-up";
  EXPECT_EQ(none.measured, Nanos());
}

TEST(ClientRequests, ThatThereAreNotAreNone) {
  const ClientRequests r = CountRequests(Seen({}), {.duration = Seconds(1)});
  EXPECT_EQ(r.whole, 0u);
  EXPECT_FALSE(r.first.is_set());
  EXPECT_TRUE(r.ops.empty());
}

TEST(ClientRequests, KeepABoundedNumberOfSamplesAndEveryCount) {
  std::vector<Planted> requests;
  const int many = static_cast<int>(kClientSamplesMax) * 5 / 2;
  for (int i = 0; i < many; ++i) {
    const Nanos out = Micros(1) + Micros(2) * i;
    requests.push_back({.out = out, .in = out + Micros(1)});
  }
  const ClientRequests r = CountRequests(Seen(requests), {.duration = Seconds(10)});
  EXPECT_EQ(r.ops[0].counts.answered, static_cast<uint64_t>(many));
  EXPECT_LE(r.samples.size(), kClientSamplesMax);
  EXPECT_GE(r.samples.size(), kClientSamplesMax / 2);
}

}  // namespace
}  // namespace kbench
