// What a session does for a load and nothing else: its window finds its own depth, and what a busy
// server refuses is sent again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "agent/load/key_sample.h"
#include "base/load_window.h"
#include "tests/agent/load/session_rig.h"

namespace kbench {
namespace {

using Fate = FakeTransport::Fate;
using Request = FakeTransport::Request;
using kinetic::StatusCode;

RigOptions Puts(uint64_t count) {
  return {.depth = 16,
          .ops = {{.kind = OpKind::kPut}},
          .max_ops = count,
          .duration = Seconds(1000),
          .again_until = kNever,
          .widens = true};
}

TEST(SessionLoad, DoublesItsWindowWithEveryRoundTripUpToItsDepth) {
  Rig rig(Puts(127), [](const Request&) { return Fate{.delay = Millis(10)}; });
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.answered, 127u);
  EXPECT_EQ(rig.transport().most_unanswered(), 16u);
  EXPECT_EQ(rig.session().widest(), 16u);
  std::map<MonoTime, int> sent;
  for (const Request& request : rig.transport().requests()) ++sent[request.at];
  std::vector<int> turns;
  for (const auto& [at, requests] : sent) turns.push_back(requests);
  // 1 + 2 + 4 + 8 + 7 x 16 = 127.
  EXPECT_THAT(turns, testing::ElementsAre(1, 2, 4, 8, 16, 16, 16, 16, 16, 16, 16));
}

// Many in front of each would be the end of some: the time-out is that of one request.
TEST(SessionLoad, StaysNarrowWhereAnswersTakeLong) {
  RigOptions options = Puts(20);
  options.op_timeout = Millis(40);
  Rig rig(options, [](const Request&) { return Fate{.delay = Millis(10)}; });
  EXPECT_EQ(rig.Run().totals().answered, 20u);
  EXPECT_EQ(rig.transport().most_unanswered(), 1u);
}

// A server that works at one request at a time, 2 ms each, answers the n-th in flight after 2n ms.
TEST(SessionLoad, FindsTheDepthAtWhichNoRequestWaitsForLong) {
  RigOptions options = Puts(1000);
  options.op_timeout = Millis(80);
  MonoTime free;
  Rig rig(options, [&free](const Request& request) {
    free = std::max(free, request.at) + Millis(2);
    return Fate{.delay = free - request.at};
  });
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.answered, 1000u);
  EXPECT_EQ(counts.lost, 0u);
  // An eighth of the time-out is 10 ms: five at work or in front; twice that before the first of
  // them says so.
  EXPECT_GE(rig.session().widest(), 5u);
  EXPECT_LE(rig.session().widest(), 10u);
}

TEST(SessionLoad, SendsWhatABusyServerRefusesAgainAndCallsItNoFailure) {
  std::map<std::string, int> tries;
  Rig rig(Puts(50), [&tries](const Request& request) {
    Fate fate{.delay = Millis(1)};
    if (++tries[request.key] <= 2 && request.number % 3 == 0) {
      fate.status = StatusCode::kServiceBusy;
    }
    return fate;
  });
  uint64_t busy = 0;
  const Recorder& record = rig.Run();
  const Counts counts = record.totals();
  const SessionFindings& findings = rig.session().findings();
  EXPECT_EQ(counts.answered, 50u);
  EXPECT_EQ(counts.failed, 0u);
  EXPECT_EQ(record.ops()[0].statuses[StatusSlot(StatusCode::kServiceBusy, Verdict::kByStatus)], 0u);
  busy = rig.transport().requests().size() - 50;
  EXPECT_GT(busy, 10u);
  EXPECT_EQ(findings.sent_again, busy);
  EXPECT_GT(findings.backoffs, 0u);
  EXPECT_LE(findings.backoffs, busy);
}

TEST(SessionLoad, WaitsLongerAndLongerAndWithOneRequestWhileTheServerStaysBusy) {
  RigOptions options = Puts(1);
  Rig rig(options, [](const Request& request) {
    Fate fate{.delay = Micros(10)};
    if (request.at < Rig::kStart + Millis(600)) fate.status = StatusCode::kServiceBusy;
    return fate;
  });
  EXPECT_EQ(rig.Run().totals().answered, 1u);
  const std::vector<Request>& requests = rig.transport().requests();
  // Pauses of 1, 2, 4, ... 128, 128 ms, each ended at the next tick of 10 ms: 660 ms at most.
  EXPECT_GE(requests.size(), 9u);
  EXPECT_LE(requests.size(), 13u);
  EXPECT_GE(requests.back().at - requests[requests.size() - 2].at, Millis(100));
  EXPECT_EQ(rig.transport().most_unanswered(), 1u);
}

TEST(SessionLoad, CountsBusyAsAFailureWhenItsTimeIsOver) {
  RigOptions options = Puts(3);
  options.again_until = Rig::kStart + Millis(50);
  Rig rig(options, [](const Request&) {
    return Fate{.delay = Micros(10), .status = StatusCode::kServiceBusy};
  });
  const Counts counts = rig.Run().totals();
  EXPECT_EQ(counts.failed, 3u);
  EXPECT_GT(rig.session().findings().sent_again, 0u);
}

TEST(SessionLoad, StopsWithItsStageWhateverIsToBeSentAgain) {
  RigOptions options = Puts(3);
  options.duration = Millis(200);
  Rig rig(options, [](const Request&) {
    return Fate{.delay = Micros(10), .status = StatusCode::kServiceBusy};
  });
  EXPECT_EQ(rig.Run().totals().answered, 0u);
  EXPECT_LE(SimClock::Now(), Rig::kStart + Millis(400));
}

TEST(KeySample, IsSpreadOverAllKeysWithTheFirstAndTheLast) {
  const KeySample sample(1'000'000'007, 4096);
  EXPECT_EQ(sample.size(), 64u);
  EXPECT_EQ(sample.Key(0), 0u);
  EXPECT_EQ(sample.Key(63), 1'000'000'006u);
  for (uint64_t i = 1; i < 64; ++i) {
    EXPECT_NEAR(static_cast<double>(sample.Key(i) - sample.Key(i - 1)), 1'000'000'006 / 63.0, 1);
  }
  EXPECT_EQ(KeySample(1, 4096).size(), 1u);
  EXPECT_EQ(KeySample(1, 4096).Key(0), 0u);
  EXPECT_EQ(KeySample(40, 4096).size(), 40u) << "few keys: all of them";
  EXPECT_EQ(KeySample(1000, 1 << 20).size(), 8u) << "8 MiB are read";
  EXPECT_EQ(KeySample(1000, 0).size(), 64u);
}

TEST(KeySample, TellsHowManyOfItsKeysAreBelowAnother) {
  for (const uint64_t keys : {1u, 2u, 63u, 64u, 65u, 1000u}) {
    const KeySample sample(keys, 100);
    uint64_t below = 0;
    for (uint64_t key = 0; key <= keys; ++key) {
      EXPECT_EQ(sample.Below(key), below) << key << " of " << keys;
      if (below < sample.size() && sample.Key(below) == key) ++below;
    }
    EXPECT_EQ(below, sample.size());
  }
}

TEST(LoadWindow, IsDeepAndWithinItsBounds) {
  const LoadWindow small = LoadWindow::Of(1, 100, 4096);
  EXPECT_EQ(small.flows, 4u);
  EXPECT_EQ(small.depth, 128u);
  EXPECT_EQ(LoadWindow::Of(1, 1, 4096).flows, 1u) << "no more connections than the run has";
  EXPECT_EQ(LoadWindow::Of(8, 8, 4096).flows, 8u) << "every worker has one";
  EXPECT_EQ(LoadWindow::Of(3, 100, 4096).flows, 3u);
  EXPECT_EQ(LoadWindow::Of(1, 4, 1 << 20).depth, 4u) << "16 MiB in flight";
  EXPECT_EQ(LoadWindow::Of(1, 1, 0).depth, 128u);
  EXPECT_EQ(LoadWindow::Of(1024, 1024, 1 << 20).depth, 1u);
}

}  // namespace
}  // namespace kbench
