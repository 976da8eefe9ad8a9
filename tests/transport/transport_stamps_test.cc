// The kernel's stamps of every probed request, on loopback, and that asking for them does not
// change how a transport waits. Loopback hands a packet over inside the send call, so no stamp can
// be late there.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/transport/receive_stamping.h"
#include "tests/transport/transport_rig.h"

namespace kbench {
namespace {

constexpr size_t kRequest = 100;
constexpr uint64_t kReply = 120;
constexpr FakePeer::Script kEcho = {.request_bytes = kRequest, .reply_bytes = kReply};

class Stamps : public testing::TestWithParam<Stack> {
 protected:
  void Start(const FakePeer::Script& script, const TransportOptions& options) {
    auto made = TransportRig::Make(GetParam(), script, options);
    if (!made.ok()) {
      ASSERT_EQ(GetParam().kind, TransportKind::kUring) << made.status();
      GTEST_SKIP() << made.status();
    }
    rig_ = *std::move(made);
    for (const auto& [name, value] : rig_->transport().facts()) facts_[name] = value;
    if (facts_["kernel_stamps"].substr(0, 7) == "refused") {
      rig_.reset();
      GTEST_SKIP() << "kernel stamps " << facts_["kernel_stamps"];
    }
    ASSERT_TRUE(stamping_.Run());
  }

  TransportRig& rig() { return *rig_; }

  ReceiveStamping stamping_;
  std::unique_ptr<TransportRig> rig_;
  std::map<std::string, std::string> facts_;
};

#define START(...)    \
  Start(__VA_ARGS__); \
  if (!rig_ || HasFatalFailure()) return

TEST_P(Stamps, EveryProbedRequestHasAllOfThemInOrder) {
  START(kEcho, {.frames_max = 2, .kernel_stamps = true});
  for (uint32_t i = 0; i < 300; ++i) {
    const ClockPair clocks = ReadClockPair();
    rig().RoundTrip(0, kRequest, kReply, /*probe=*/true);
    const SendStamps& stamps = rig().frame(i).stamps;
    const TransportEvent& received = rig().log(0).last_received;
    const Nanos error = clocks.error + Micros(1);
    ASSERT_TRUE(stamps.kernel_scheduled.is_set()) << "request " << i;
    ASSERT_TRUE(stamps.kernel_sent.is_set()) << "request " << i;
    ASSERT_TRUE(received.kernel_received.is_set()) << "request " << i;
    EXPECT_LE(stamps.submitted, clocks.ToMono(stamps.kernel_scheduled) + error);
    EXPECT_LE(stamps.kernel_scheduled, stamps.kernel_sent);
    EXPECT_LE(stamps.kernel_sent, received.kernel_received);
    EXPECT_LE(clocks.ToMono(received.kernel_received), received.received + error);
    EXPECT_EQ(stamps.flags, 0u);
  }
  EXPECT_EQ(rig().transport().counters().stamps_drained, 600u);
}

TEST_P(Stamps, OnlyTheProbedOnesAreStamped) {
  START(kEcho, {.frames_max = 2, .kernel_stamps = true});
  for (uint32_t i = 0; i < 400; ++i) {
    const bool probe = i % 8 == 3;
    rig().RoundTrip(0, kRequest, kReply, probe);
    rig().transport().ProbesAnswered(FlowId(0));
    EXPECT_EQ(rig().frame(i).stamps.kernel_sent.is_set(), probe) << "request " << i;
    if (probe) {
      EXPECT_TRUE(rig().log(0).last_received.kernel_received.is_set());
    }
  }
  EXPECT_EQ(rig().transport().counters().stamps_drained, 100u);
}

// With a greeting's single completion in front, as every Kinetic server sends one, the end of the
// ring comes between any two completions of a request: that is where Linux 6.18 steps over it
// (UringRing::Reap).
TEST_P(Stamps, SurviveAnyOrderOfProbes) {
  uint64_t stepped_over = 0;
  for (uint32_t frames = 1; frames <= 8; frames *= 2) {
    FakePeer::Script script = kEcho;
    script.greeting_bytes = 10;
    START(script, {.frames_max = frames, .kernel_stamps = true});
    rig().PollUntil([&] { return rig().log(0).received == 10; });
    Random random(frames);
    for (uint32_t i = 0; i < 1000; ++i) {
      const bool probe = random.Below(8) == 0;
      rig().RoundTrip(0, kRequest, kReply, probe);
      rig().transport().ProbesAnswered(FlowId(0));
      ASSERT_EQ(rig().frame(i).stamps.kernel_sent.is_set(), probe) << "request " << i;
    }
    EXPECT_EQ(rig().log(0).wrong, 0u);
    for (const auto& [name, value] : rig().transport().facts()) {
      if (name == "completions_stepped_over") stepped_over += std::stoull(value);
    }
  }
  RecordProperty("completions_stepped_over", static_cast<int>(stepped_over));
}

// Long enough for a ring's completion queue to go round many times.
TEST_P(Stamps, SurviveAThousandBatchesOnThreeFlows) {
  START(kEcho, {.flows_max = 3, .frames_max = 48, .kernel_stamps = true});
  uint32_t n = 0;
  for (int round = 0; round < 1500; ++round) {
    uint64_t wanted[3] = {};
    for (uint32_t flow = 0; flow < 3; ++flow) {
      const uint64_t frames = 1 + n % 4;
      for (uint64_t i = 0; i < frames; ++i) rig().Send(flow, kRequest, 0, ++n % 8 == 0);
      wanted[flow] = rig().log(flow).queued.size();
    }
    rig().PollUntil([&] {
      for (uint32_t flow = 0; flow < 3; ++flow) {
        if (rig().log(flow).received != wanted[flow] / kRequest * kReply) return false;
        if (rig().log(flow).sent.size() != wanted[flow] / kRequest) return false;
      }
      return true;
    });
  }
  for (uint32_t flow = 0; flow < 3; ++flow) {
    EXPECT_EQ(rig().log(flow).wrong, 0u);
    EXPECT_FALSE(rig().peer().AwaitReceived(flow, rig().log(flow).queued.size()).empty());
  }
}

TEST_P(Stamps, FramesOfOneCallShareTheLastOnesStamp) {
  START(kEcho, {.frames_max = 4, .kernel_stamps = true});
  for (int i = 0; i < 4; ++i) rig().Send(0, kRequest, 0, /*probe=*/true);
  rig().PollUntil([&] { return rig().log(0).received == 4 * kReply; });
  for (uint32_t token = 0; token < 4; ++token) {
    const SendStamps& stamps = rig().frame(token).stamps;
    EXPECT_EQ(stamps.kernel_sent, rig().frame(3).stamps.kernel_sent);
    EXPECT_EQ(stamps.flags, token < 3 ? kMergedSendStamp : 0u) << "frame " << token;
  }
}

TEST_P(Stamps, BeginAnewWhenAFlowIsOpenedAgain) {
  START(kEcho, {.frames_max = 2, .kernel_stamps = true});
  for (int connection = 0; connection < 3; ++connection) {
    if (connection > 0) {
      rig().transport().Close(FlowId(0));
      ASSERT_TRUE(rig().transport().Reopen(FlowId(0), rig().peer().address(), Seconds(10)).ok());
      rig().log(0) = {};
    }
    for (uint32_t i = 0; i < 5; ++i) {
      rig().RoundTrip(0, kRequest, kReply, /*probe=*/true);
      const SendStamps& stamps = rig().frame(5 * connection + i).stamps;
      EXPECT_TRUE(stamps.kernel_sent.is_set());
      EXPECT_EQ(stamps.flags, 0u);
    }
  }
}

TEST_P(Stamps, AFrameInPiecesIsStampedAtItsEnd) {
  START({.request_bytes = 200'000, .reply_bytes = kReply},
        {.frames_max = 1, .kernel_stamps = true, .max_bytes_per_call = 30'000});
  rig().Send(0, 100, 199'900, /*probe=*/true);
  rig().PollUntil([&] { return rig().log(0).received == kReply; });
  const SendStamps& stamps = rig().frame(0).stamps;
  EXPECT_TRUE(stamps.kernel_sent.is_set());
  EXPECT_EQ(stamps.flags & ~kMultiSegmentRequest, uint32_t{kShortSend});
  EXPECT_NE(stamps.flags & kMultiSegmentRequest, 0u);
}

// A stamp left in the error queue would wake the client again and again: 31 to 88 waits an
// operation were seen, with a lower latency for it. Counts, so that no noise matters but a wait
// that a slow peer outlasts.
TEST_P(Stamps, ProbingEveryRequestAddsNoWaits) {
  constexpr uint64_t kOps = 500;
  constexpr int kRounds = 5;
  TransportCounters counters[2];
  // On a busy machine an answer may be there before the client waits for it, more or less often
  // from round to round; a stamp that is left wakes it in every one.
  for (int round = 0; round < kRounds; ++round) {
    for (bool probe : {false, true}) {
      START(kEcho, {.frames_max = 2, .kernel_stamps = probe});
      for (uint64_t i = 0; i < kOps; ++i) rig().RoundTrip(0, kRequest, kReply, probe);
      counters[probe] = rig().transport().counters();
    }
    if (counters[1].waits <= counters[0].waits * 11 / 10 + kOps / 10) break;
  }
  RecordProperty("waits_unprobed", static_cast<int>(counters[0].waits));
  RecordProperty("waits_probed", static_cast<int>(counters[1].waits));
  RecordProperty("calls_unprobed", static_cast<int>(counters[0].system_calls));
  RecordProperty("calls_probed", static_cast<int>(counters[1].system_calls));
  EXPECT_GT(counters[0].waits, 0u);
  EXPECT_LE(counters[1].waits, counters[0].waits * 11 / 10 + kOps / 10);
  EXPECT_LE(counters[1].system_calls, counters[0].system_calls + 4 * kOps);
}

TEST_P(Stamps, AreCountedWhetherTheyComeOrNotOverAllConnectionsOfAFlow) {
  START(kEcho, {.frames_max = 2, .kernel_stamps = true});
  for (int connection = 0; connection < 2; ++connection) {
    if (connection > 0) {
      rig().transport().Close(FlowId(0));
      ASSERT_TRUE(rig().transport().Reopen(FlowId(0), rig().peer().address(), Seconds(10)).ok());
      rig().log(0) = {};
    }
    for (int i = 0; i < 5; ++i) rig().RoundTrip(0, kRequest, kReply, /*probe=*/i > 0);
  }
  const TransportCounters counters = rig().transport().counters();
  EXPECT_EQ(counters.stamps_asked, 8u);
  EXPECT_EQ(counters.stamps_missing, 0u);
  EXPECT_EQ(counters.stamps_abandoned, 0u);
}

TEST_P(Stamps, LeftInTheErrorQueueAreMissed) {
  START(kEcho, {.frames_max = 2, .kernel_stamps = true, .leave_stamps = true});
  for (int i = 0; i < 20; ++i) rig().RoundTrip(0, kRequest, kReply, /*probe=*/true);
  const TransportCounters counters = rig().transport().counters();
  EXPECT_EQ(counters.stamps_asked, 20u);
  EXPECT_EQ(counters.stamps_missing, 20u);
  EXPECT_EQ(counters.stamps_drained, 0u);
}

TEST_P(Stamps, AskedForButNotGrantedAreAbsent) {
  START(kEcho, {.frames_max = 2, .kernel_stamps = true});
  auto bare = TransportRig::Make(GetParam(), kEcho, {.frames_max = 2});
  ASSERT_TRUE(bare.ok()) << bare.status();
  (*bare)->RoundTrip(0, kRequest, kReply, /*probe=*/true);
  EXPECT_FALSE((*bare)->frame(0).stamps.kernel_sent.is_set());
  EXPECT_FALSE((*bare)->log(0).last_received.kernel_received.is_set());
  EXPECT_EQ((*bare)->transport().counters().stamps_drained, 0u);
}

INSTANTIATE_TEST_SUITE_P(Stacks, Stamps,
                         testing::Values(Stack{TransportKind::kSocket},
                                         Stack{TransportKind::kEpoll}, Stack{TransportKind::kUring},
                                         Stack{TransportKind::kUring, FlushMode::kBatch,
                                               PollMode::kBlock, true}),
                         [](const auto& tested) { return NameOf(tested.param); });

}  // namespace
}  // namespace kbench
