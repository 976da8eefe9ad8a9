#include "agent/load/recorder.h"

#include <gtest/gtest.h>

#include "tests/agent/load/session_rig.h"

namespace kbench {
namespace {

// One answered request with a stamp at every point, each 100 ns after the one before, from 1000 ns;
// the realtime clock is 5 s ahead.
constexpr Nanos kAhead = Seconds(5);
constexpr ClockPair kClocks = {.mono = MonoTime(10), .real = RealTime(10) + kAhead};

OpRecord FullRecord() {
  const auto mono = [](int n) { return MonoTime(1000 + 100 * n); };
  const auto real = [](int n) { return RealTime(1000 + 100 * n) + kAhead; };
  OpRecord record;
  record.outcome = OpOutcome::kAnswered;
  record.probed = true;
  record.intended = mono(0);
  record.started = mono(1);
  record.encoded = mono(2);
  record.send.submitted = mono(3);
  record.send.kernel_scheduled = real(4);
  record.send.kernel_sent = real(6);
  record.kernel_received = real(10);
  record.woke = mono(15);
  record.received = mono(16);
  record.decoded = mono(21);
  return record;
}

Recorder Make(size_t samples_max = 10) {
  return Recorder({.ops = 1, .samples_max = samples_max, .clocks = kClocks});
}

Nanos Only(const Histogram& histogram) {
  EXPECT_EQ(histogram.count(), 1u);
  return histogram.max();
}

TEST(OpRecord, CountsOfAFullSocketWhatIsBetweenEncodedAndSubmitted) {
  OpRecord record;
  record.encoded = MonoTime(100);
  record.send.submitted = MonoTime(150);
  EXPECT_EQ(record.send_blocked(), Nanos());
  record.send.full_from = MonoTime(110);
  record.send.full_until = MonoTime(130);
  EXPECT_EQ(record.send_blocked(), Nanos(20));
  record.send.full_from = MonoTime(70);
  EXPECT_EQ(record.send_blocked(), Nanos(30)) << "it was full before there was a request";
  record.send.full_until = MonoTime(90);
  EXPECT_EQ(record.send_blocked(), Nanos()) << "there was room in time";
  record.send = {.full_from = MonoTime(110)};
  EXPECT_EQ(record.send_blocked(), Nanos()) << "never submitted";
}

TEST(Recorder, SplitsARequestIntoPhasesThatAddUp) {
  Recorder recorder = Make();
  const OpRecord record = FullRecord();
  recorder.Sent(0, 50);
  recorder.Answered(record, {.status = kinetic::StatusCode::kSuccess, .response_bytes = 70},
                    /*measured=*/true);
  recorder.Sample(record);
  const OpStats& stats = recorder.ops()[0];
  EXPECT_EQ(Only(stats.response), Nanos(2100));
  EXPECT_EQ(Only(stats.service), Nanos(1800));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kWait)), Nanos(100));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kClientUser)), Nanos(200));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kSubmitToReceive)), Nanos(1300));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kDecode)), Nanos(500));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kKernelSend)), Nanos(300));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kWireAndServer)), Nanos(400));
  EXPECT_EQ(Only(PhaseOf(stats, Phase::kKernelReceive)), Nanos(600));
  EXPECT_EQ(stats.request_bytes, 50u);
  EXPECT_EQ(stats.response_bytes, 70u);
}

TEST(Recorder, KeepsTheTimesOfFailedAndLostRequestsApart) {
  Recorder recorder = Make();
  OpRecord record = FullRecord();
  record.outcome = OpOutcome::kFailed;
  recorder.Sent(0, 1);
  recorder.Answered(record, {.status = kinetic::StatusCode::kNotFound}, /*measured=*/true);
  recorder.Sent(0, 1);
  recorder.Lost(record, record.intended + Millis(20), LostWhy::kUnanswered, "no answer");
  const OpStats& stats = recorder.ops()[0];
  EXPECT_EQ(Only(stats.failed), Nanos(2100));
  EXPECT_EQ(Only(stats.lost), Millis(20));
  EXPECT_EQ(stats.lost_by[static_cast<int>(LostWhy::kUnanswered)], 1u);
  EXPECT_EQ(stats.response.count(), 0u);
  EXPECT_TRUE(stats.counts.Identical());
}

TEST(Recorder, CountsThroughputByTheInstantOfTheAnswer) {
  const OpRecord record = FullRecord();  // decoded at 3100 ns
  const Completion good = {.status = kinetic::StatusCode::kSuccess, .response_bytes = 70};
  const auto in_window = [&](MonoTime from, MonoTime until, bool measured) {
    Recorder recorder({.ops = 1, .clocks = kClocks, .window_from = from, .window_until = until});
    recorder.Answered(record, good, measured);
    const OpStats& stats = recorder.ops()[0];
    EXPECT_EQ(stats.counts.answered, measured ? 1u : 0u);
    EXPECT_EQ(stats.response_bytes_in_window, 70 * stats.answered_in_window);
    EXPECT_EQ(recorder.progress().completed, stats.answered_in_window);
    return stats.answered_in_window;
  };
  EXPECT_EQ(in_window(MonoTime(3100), MonoTime(3101), true), 1u);
  EXPECT_EQ(in_window(MonoTime(3100), MonoTime(3101), false), 1u) << "due in the warm-up";
  EXPECT_EQ(in_window(MonoTime(3101), MonoTime(9000), true), 0u);
  EXPECT_EQ(in_window(MonoTime(0), MonoTime(3100), true), 0u) << "answered in the drain";
}

TEST(Recorder, TakesNoPhaseFromAStampThatBelongsToOthers) {
  Recorder recorder = Make();
  OpRecord record = FullRecord();
  record.flags = kSharedReceiveStamp;
  recorder.Sample(record);
  record.flags = kMergedSendStamp;
  recorder.Sample(record);
  const OpStats& stats = recorder.ops()[0];
  EXPECT_EQ(PhaseOf(stats, Phase::kKernelSend).count(), 1u);     // of the first
  EXPECT_EQ(PhaseOf(stats, Phase::kKernelReceive).count(), 1u);  // of the second
  EXPECT_EQ(PhaseOf(stats, Phase::kWireAndServer).count(), 0u);
  EXPECT_EQ(recorder.samples().size(), 2u) << "the trace keeps both, with their flags";
}

TEST(Recorder, CountsTheSamplesThatItHasNoRoomFor) {
  Recorder recorder = Make(/*samples_max=*/3);
  for (int i = 0; i < 5; ++i) recorder.Sample(FullRecord());
  EXPECT_EQ(recorder.samples().size(), 3u);
  EXPECT_EQ(recorder.samples_dropped(), 2u);
  EXPECT_EQ(PhaseOf(recorder.ops()[0], Phase::kKernelSend).count(), 5u);
}

TEST(Recorder, KeepsTheFirstEightErrorTextsCutToSize) {
  Recorder recorder = Make();
  OpRecord record = FullRecord();
  record.outcome = OpOutcome::kFailed;
  const std::string text(1000, 'x');
  for (int i = 0; i < 20; ++i) {
    recorder.Sent(0, 1);
    recorder.Answered(record, {.status = kinetic::StatusCode::kDataError, .text = text},
                      /*measured=*/true);
  }
  OpStats merged;
  merged.Add(recorder.ops()[0]);
  merged.Add(recorder.ops()[0]);
  EXPECT_EQ(merged.first_errors.size(), kErrorTextsMax);
  for (const std::string& kept : merged.first_errors) EXPECT_EQ(kept.size(), kErrorTextSize);
  EXPECT_EQ(merged.counts.failed, 40u);
}

TEST(Recorder, GivesUnknownStatusesAPlace) {
  EXPECT_EQ(StatusSlot(static_cast<kinetic::StatusCode>(77), Verdict::kByStatus),
            kUnknownStatusSlot);
  EXPECT_EQ(StatusSlot(static_cast<kinetic::StatusCode>(-5), Verdict::kByStatus),
            kUnknownStatusSlot);
  EXPECT_EQ(StatusSlotName(StatusSlot(kinetic::StatusCode::kSuccess, Verdict::kByStatus)),
            "SUCCESS");
}

}  // namespace
}  // namespace kbench
