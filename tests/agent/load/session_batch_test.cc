// Batches: one operation of several messages.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "agent/load/session.h"
#include "tests/agent/load/session_rig.h"

namespace kbench {
namespace {

using Fate = FakeTransport::Fate;
using Request = FakeTransport::Request;
using kinetic::StatusCode;

RigOptions Batches(uint64_t max_ops) {
  return {.depth = 2,
          .ops = {{.kind = OpKind::kBatch}},
          .max_ops = max_ops,
          .op_timeout = Millis(20),
          .sample_every = 1,
          .batch_ops = 3};
}

TEST(SessionBatch, SendsABatchAsOneOperation) {
  Rig rig(Batches(10), [](const Request&) { return Fate{.delay = Micros(50)}; });
  const Recorder& recorder = rig.Run();
  const OpStats& stats = recorder.ops()[0];
  EXPECT_EQ(stats.counts.due, 10u);
  EXPECT_EQ(stats.counts.answered, 10u);
  EXPECT_EQ(stats.response.count(), 10u);
  EXPECT_EQ(rig.session().findings().protocol_errors, 0u) << "answers to START_BATCH are expected";
  const std::vector<Request>& requests = rig.transport().requests();
  ASSERT_EQ(requests.size(), 50u);
  std::map<uint32_t, int> open;  // batches by id -> puts so far
  uint64_t last = 0;
  for (const Request& request : requests) {
    EXPECT_GT(request.sequence, last) << "strictly increasing over all messages";
    last = request.sequence;
    const uint32_t id = request.batch_id.value();
    if (request.type == kinetic::MessageType::kStartBatch) {
      EXPECT_TRUE(open.insert({id, 0}).second) << "an id of a batch that is open";
    } else if (request.type == kinetic::MessageType::kPut) {
      ++open.at(id);
      EXPECT_FALSE(request.key.empty());
    } else {
      ASSERT_EQ(request.type, kinetic::MessageType::kEndBatch);
      EXPECT_EQ(open.at(id), 3);
      open.erase(id);
    }
  }
  EXPECT_TRUE(open.empty());
  ASSERT_EQ(recorder.samples().size(), 10u);
  for (const OpRecord& sample : recorder.samples()) {
    EXPECT_LE(sample.started, sample.send.submitted);
    EXPECT_GE(sample.decoded - sample.send.submitted, Micros(50));
  }
}

TEST(SessionBatch, FailsABatchByItsEndOrByWhatWasSaidWithinIt) {
  Rig rig(Batches(3), [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    // Requests 0, 5 and 10 begin the batches; 14 ends the third.
    if (request.number == 5) fate.status = StatusCode::kServiceBusy;
    if (request.number == 14) fate.status = StatusCode::kVersionMismatch;
    return fate;
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.counts.answered, 1u);
  EXPECT_EQ(stats.counts.failed, 2u);
  EXPECT_EQ(stats.statuses[StatusSlot(StatusCode::kServiceBusy, Verdict::kByStatus)], 1u);
  EXPECT_EQ(stats.statuses[StatusSlot(StatusCode::kVersionMismatch, Verdict::kByStatus)], 1u);
}

TEST(SessionBatch, LosesABatchWhoseEndIsNotAnswered) {
  Rig rig(Batches(2), [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    if (request.number == 4) fate.delay = Millis(50);  // the end of the first
    return fate;
  });
  const Recorder& recorder = rig.Run();
  EXPECT_EQ(recorder.totals().lost, 1u);
  EXPECT_EQ(recorder.totals().answered, 1u);
  EXPECT_TRUE(recorder.totals().Identical());
  EXPECT_EQ(recorder.ops()[0].lost_by[static_cast<int>(LostWhy::kUnanswered)], 1u);
}

TEST(SessionBatch, TakesBothLateAnswersToABatchForLate) {
  RigOptions options = Batches(2);
  options.depth = 1;
  Rig rig(options, [](const Request& request) {
    return Fate{.delay = request.number < 5 ? Millis(33) : Millis(19)};
  });
  const Recorder& recorder = rig.Run();
  EXPECT_EQ(recorder.totals().lost, 1u);
  EXPECT_EQ(rig.session().findings().late_answers, 2u) << "to the start and to the end";
  EXPECT_EQ(rig.session().findings().protocol_errors, 0u);
}

TEST(SessionBatch, PausesAndNamesTheCauseWhenABatchIsBusyFromTheStart) {
  RigOptions options = Batches(2);
  options.depth = 1;
  Rig rig(options, [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    if (request.number == 0) fate.status = StatusCode::kServiceBusy;
    if (request.number == 4) fate.status = StatusCode::kInvalidBatch;
    return fate;
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.statuses[StatusSlot(StatusCode::kServiceBusy, Verdict::kByStatus)], 1u);
  EXPECT_EQ(stats.counts.answered, 1u);
  EXPECT_EQ(rig.session().findings().backoffs, 1u);
}

TEST(SessionBatch, BelievesNoUnsignedAnswerWithinABatch) {
  Rig rig(Batches(1), [](const Request& request) {
    return Fate{.delay = Micros(5), .wrong_key = request.number == 0};
  });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_EQ(stats.statuses[kWrongHmacSlot], 1u);
  EXPECT_EQ(stats.counts.answered, 0u);
}

}  // namespace
}  // namespace kbench
