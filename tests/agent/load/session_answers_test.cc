// Answers that are none by what they say of themselves: they fail their requests, are counted
// apart, and no good answer's time is theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "agent/load/session.h"
#include "tests/agent/load/session_rig.h"

namespace kbench {
namespace {

using Fate = FakeTransport::Fate;
using Request = FakeTransport::Request;
using kinetic::MessageType;
using kinetic::StatusCode;
using testing::HasSubstr;

// Four requests, of which the third is answered as `twist` says, ten times as fast as the others.
struct Odd {
  OpKind op = OpKind::kNoop;
  std::function<void(Fate*)> twist;
};

class SessionAnswers {
 public:
  explicit SessionAnswers(const Odd& odd)
      : rig_({.ops = {{.kind = odd.op}}, .max_ops = 4},
             [odd](const Request& request) {
               Fate fate{.delay = Millis(1)};
               if (odd.op == OpKind::kGetMiss) fate.status = StatusCode::kNotFound;
               if (request.number != 2) return fate;
               fate.delay = Micros(100);
               odd.twist(&fate);
               return fate;
             }),
        stats_(rig_.Run().ops()[0]) {}

  // One answer is none: of this slot, a protocol error or not, and in no figure of good answers.
  void ExpectOneFailed(int slot, bool protocol_error) {
    EXPECT_TRUE(stats_.counts.Identical());
    EXPECT_EQ(stats_.counts.answered, 3u);
    EXPECT_EQ(stats_.counts.failed, 1u);
    EXPECT_EQ(stats_.counts.lost, 0u);
    EXPECT_EQ(stats_.statuses[slot], 1u) << StatusSlotName(slot);
    EXPECT_EQ(stats_.answered_in_window, 3u);
    EXPECT_EQ(stats_.response.count(), 3u);
    EXPECT_GE(stats_.response.Percentile(1), Micros(900)) << "the odd one was faster";
    EXPECT_EQ(stats_.failed.count(), 1u);
    EXPECT_EQ(findings().protocol_errors, protocol_error ? 1u : 0u);
    EXPECT_EQ(findings().protocol_error_text.empty(), !protocol_error);
  }
  const SessionFindings& findings() { return rig_.session().findings(); }
  const OpStats& stats() const { return stats_; }

 private:
  Rig rig_;
  const OpStats& stats_;
};

int SlotOf(StatusCode status) { return StatusSlot(status, Verdict::kByStatus); }

TEST(SessionAnswers, FailsOneOfAnotherMessageType) {
  for (const StatusCode status : {StatusCode::kSuccess, StatusCode::kNotFound}) {
    SessionAnswers run({.twist = [status](Fate* fate) {
      fate->type = MessageType::kGetResponse;
      fate->status = status;
    }});
    run.ExpectOneFailed(kWrongTypeSlot, true);
    EXPECT_THAT(run.findings().protocol_error_text, HasSubstr("GET_RESPONSE to NOOP"));
    EXPECT_EQ(run.stats().first_errors[0],
              "WRONG_MESSAGE_TYPE: the answer has the message type of another request's");
  }
}

TEST(SessionAnswers, FailsARequestThatComesBackAsItself) {
  SessionAnswers run({.twist = [](Fate* fate) { fate->type = MessageType::kNoop; }});
  run.ExpectOneFailed(kWrongTypeSlot, true);
}

TEST(SessionAnswers, FailsASuccessWithoutAMessageType) {
  SessionAnswers run({.twist = [](Fate* fate) { fate->type = MessageType::kInvalid; }});
  run.ExpectOneFailed(kWrongTypeSlot, true);
  EXPECT_THAT(run.findings().protocol_error_text, HasSubstr("none to NOOP"));
}

TEST(SessionAnswers, FailsAMissWithoutAMessageTypeForItWouldBeAGoodAnswer) {
  SessionAnswers run(
      {.op = OpKind::kGetMiss, .twist = [](Fate* fate) { fate->type = MessageType::kInvalid; }});
  run.ExpectOneFailed(kWrongTypeSlot, true);
}

TEST(SessionAnswers, TakesARefusalWithoutAMessageTypeForARefusal) {
  SessionAnswers run({.twist = [](Fate* fate) {
    fate->type = MessageType::kInvalid;
    fate->status = StatusCode::kInvalidRequest;
  }});
  run.ExpectOneFailed(SlotOf(StatusCode::kInvalidRequest), false);
}

TEST(SessionAnswers, FailsOneWithoutAStatus) {
  SessionAnswers run({.twist = [](Fate* fate) { fate->without_status = true; }});
  run.ExpectOneFailed(SlotOf(StatusCode::kInvalid), true);
  EXPECT_THAT(run.findings().protocol_error_text, HasSubstr("no status"));
}

TEST(SessionAnswers, KnowsOneWithoutACommandForWhatTheSimulatorSays) {
  SessionAnswers run({.twist = [](Fate* fate) { fate->without_command = true; }});
  run.ExpectOneFailed(SlotOf(StatusCode::kInvalid), false);
  EXPECT_EQ(run.findings().commandless, 1u);
}

TEST(SessionAnswers, FailsOneWithAValueWhereNoneBelongs) {
  for (const OpKind op : {OpKind::kNoop, OpKind::kPut, OpKind::kVersion, OpKind::kDelete}) {
    SessionAnswers run({.op = op, .twist = [](Fate* fate) { fate->value_size = 5; }});
    run.ExpectOneFailed(kUnexpectedValueSlot, true);
  }
}

TEST(SessionAnswers, KeepsTheTextOfTheFirstProtocolErrorAlone) {
  Rig rig({.max_ops = 3}, [](const Request& request) {
    Fate fate{.delay = Micros(5)};
    fate.type = request.number == 0 ? MessageType::kPutResponse : MessageType::kGetResponse;
    return fate;
  });
  EXPECT_EQ(rig.Run().totals().failed, 3u);
  EXPECT_EQ(rig.session().findings().protocol_errors, 3u);
  EXPECT_THAT(rig.session().findings().protocol_error_text, HasSubstr("PUT_RESPONSE to NOOP"));
}

TEST(SessionAnswers, GivesNoTimeToAServerWhoseBusyIsAnothersAnswer) {
  Rig rig({.duration = Millis(100)}, [](const Request& request) {
    Fate fate{.delay = Millis(1)};
    if (request.number == 3) fate.status = StatusCode::kServiceBusy;
    if (request.number == 3) fate.type = MessageType::kGetResponse;
    return fate;
  });
  EXPECT_EQ(rig.Run().totals().failed, 1u);
  EXPECT_EQ(rig.session().findings().backoffs, 0u);
}

TEST(SessionAnswers, FailsABatchWhoseStartIsAnsweredAsSomethingElse) {
  Rig rig({.depth = 2, .ops = {{.kind = OpKind::kBatch}}, .max_ops = 6, .batch_ops = 3},
          [](const Request& request) {
            Fate fate{.delay = Micros(50)};
            if (request.type == MessageType::kStartBatch && request.number == 5) {
              fate.type = MessageType::kPutResponse;
            }
            return fate;
          });
  const OpStats& stats = rig.Run().ops()[0];
  EXPECT_TRUE(stats.counts.Identical());
  EXPECT_EQ(stats.counts.answered, 5u);
  EXPECT_EQ(stats.statuses[kWrongTypeSlot], 1u);
  EXPECT_EQ(rig.session().findings().protocol_errors, 1u);
  EXPECT_THAT(rig.session().findings().protocol_error_text, HasSubstr("to START_BATCH"));
}

TEST(SessionAnswers, RemembersTheClusterVersionThatARefusalNames) {
  for (const std::optional<int64_t> version :
       {std::optional<int64_t>(7), std::optional<int64_t>()}) {
    Rig rig({.max_ops = 1}, [version](const Request&) {
      return Fate{
          .delay = Micros(5), .status = StatusCode::kVersionFailure, .cluster_version = version};
    });
    rig.Run();
    EXPECT_EQ(rig.session().findings().cluster_version, version);
    EXPECT_EQ(rig.session().findings().protocol_errors, 0u);
  }
}

}  // namespace
}  // namespace kbench
