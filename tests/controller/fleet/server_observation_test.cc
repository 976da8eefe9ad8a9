// An observer on the server's host beside a run: what it is told, and that no run fails with it.
#include "controller/fleet/server_observation.h"

#include <gtest/gtest.h>

#include <utility>

#include "controller/store/live_status.h"
#include "tests/controller/dispatcher_rig.h"

namespace kbench {
namespace {

using control::ObserveCommand;

class ServerObservationTest : public DispatcherTest {
 protected:
  // A complete run whose trace says that there is none, and why.
  std::string ReasonOf(const DispatchOutcome& outcome) {
    EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    EXPECT_EQ(outcome.evidence.agents.size(), links_.size());
    if (!outcome.evidence.server_wire) return "no trace at all";
    const result::WireTrace& trace = *outcome.evidence.server_wire;
    EXPECT_FALSE(trace.available());
    EXPECT_EQ(trace.records_size(), 0);
    EXPECT_EQ(trace.place(), result::WireTrace::SERVER);
    EXPECT_FALSE(trace.host().empty());
    return trace.reason();
  }
  void ExpectReason(const std::string& part) {
    const std::string reason = ReasonOf(Execute());
    EXPECT_NE(reason.find(part), std::string::npos) << "'" << part << "' is not in: " << reason;
  }
};

FakeScript ObserverSilentFrom(ObserveCommand::CommandCase which) {
  return {.observe = [which](const ObserveCommand& command, ObserveEvents good) {
    return command.command_case() >= which ? ObserveEvents() : std::move(good);
  }};
}

TEST_F(ServerObservationTest, IsAskedForExactlyWhatTheAgentsSampled) {
  Add({.samples = 5});
  Add({.samples = 3});
  FakeAgent& observer = AddObserver();
  const DispatchOutcome outcome = Execute();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_TRUE(outcome.evidence.server_wire);
  const result::WireTrace& trace = *outcome.evidence.server_wire;
  EXPECT_TRUE(trace.available());
  EXPECT_EQ(trace.reason(), "");
  EXPECT_EQ(trace.place(), result::WireTrace::SERVER);
  EXPECT_EQ(trace.host(), "host of the fake");
  EXPECT_EQ(trace.window_ns(), Millis(1).count());
  EXPECT_EQ(trace.records_size(), 8);
  const std::vector<ObserveCommand> heard = observer.heard_observe();
  ASSERT_EQ(heard.size(), 3u);
  ASSERT_TRUE(heard[0].has_begin());
  EXPECT_EQ(heard[0].begin().port(), 8123u);
  EXPECT_EQ(heard[0].begin().owner(), OwnerOfRun("abc-0001"));
  EXPECT_EQ(heard[0].begin().controller().protocol_major(), kControlProtocolMajor);
  ASSERT_TRUE(heard[1].has_window());
  // Of connection 0: 100, 102, 104 of the first agent and 100, 102 of the second; of 1 the others.
  ASSERT_TRUE(heard[2].has_collect());
  ASSERT_EQ(heard[2].collect().wanted_size(), 2);
  EXPECT_EQ(heard[2].collect().wanted(0).connection_id(), 0);
  EXPECT_EQ(heard[2].collect().wanted(0).sequences_size(), 5);
  EXPECT_EQ(heard[2].collect().wanted(1).connection_id(), 1);
  EXPECT_EQ(heard[2].collect().wanted(1).sequences_size(), 3);
}

// The window begins after the warm-up, on the clock of the observer's host, which is an hour off.
TEST_F(ServerObservationTest, HasItsWindowOnItsOwnClock) {
  FakeAgent& agent = Add({.clock_offset = Seconds(-60)});
  FakeAgent& observer = AddObserver({.clock_offset = Seconds(3600)});
  control::RunSpec spec = Spec();
  spec.set_warmup_ns(Millis(7).count());
  ASSERT_TRUE(Execute(spec).status.ok());
  int64_t start = 0;
  for (const control::RunCommand& command : agent.heard()) {
    if (command.has_start()) start = command.start().at();
  }
  const ObserveCommand::Window window = observer.heard_observe().at(1).window();
  EXPECT_EQ(window.until() - window.from(), Millis(1).count());
  const Nanos off = Nanos(window.from() - start) - Seconds(3660) - Millis(7);
  EXPECT_LT(std::abs(off.count()), Millis(500).count()) << "what pings on a busy machine may err";
}

TEST_F(ServerObservationTest, WithoutAnObserverThereIsNoTrace) {
  Add();
  EXPECT_FALSE(Execute().evidence.server_wire);
}

TEST_F(ServerObservationTest, ARefusalIsTheReason) {
  Add();
  FakeAgent& observer = AddObserver({.observe_hang_up = [](const ObserveCommand&) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "it needs CAP_NET_RAW");
  }});
  ExpectReason("it needs CAP_NET_RAW");
  EXPECT_EQ(observer.heard_observe().size(), 1u) << "and it is asked for nothing more";
}

TEST_F(ServerObservationTest, AnObserverThatIsGoneIsTheReason) {
  Add();
  AddObserver().Die();
  ExpectReason(observer_agent_->address());
}

TEST_F(ServerObservationTest, PacketsThatCannotBeReadAreNotAskedFor) {
  Add();
  FakeAgent& observer = AddObserver();
  observer_->unreadable = "it is all Greek";
  ExpectReason("it is all Greek");
  EXPECT_TRUE(observer.heard_observe().empty());
}

// Each silence costs its own deadline, and the steps after it none.
TEST_F(ServerObservationTest, AFrozenObserverCostsItsDeadlineAndNoMore) {
  struct Silence {
    FakeScript script;
    Nanos ObserverLimits::*limit;
    std::string says;
  };
  Add();
  for (const Silence& silence :
       {Silence{ObserverSilentFrom(ObserveCommand::kBegin), &ObserverLimits::begin,
                "its begin did not end"},
        Silence{{.pings = 0}, &ObserverLimits::clock, "did not answer in time"},
        Silence{ObserverSilentFrom(ObserveCommand::kCollect), &ObserverLimits::collect,
                "its trace did not end"}}) {
    limits_.observer = ObserverLimits();
    limits_.observer.*silence.limit = kSilenceLimit;
    AddObserver(silence.script);
    const MonoTime before = MonoNow();
    ExpectReason(silence.says);
    EXPECT_GE(MonoNow() - before, kSilenceLimit) << silence.says;
  }
}

TEST_F(ServerObservationTest, ATraceThatBreaksOffIsTheReason) {
  Add();
  AddObserver({.observe_hang_up = [](const ObserveCommand& command) {
    return command.has_collect() ? std::optional(grpc::Status::OK) : std::nullopt;
  }});
  ExpectReason("hung up");
}

TEST_F(ServerObservationTest, ATraceThatIsNoneIsTheReason) {
  Add();
  AddObserver({.observe = [](const ObserveCommand& command, ObserveEvents good) {
    return command.has_collect() ? TraceEvents("\xff\xff\xff") : std::move(good);
  }});
  ExpectReason("cannot be read");
}

TEST_F(ServerObservationTest, AnAnswerOutOfTurnIsTheReason) {
  Add();
  AddObserver({.observe = [](const ObserveCommand& command, ObserveEvents good) {
    return command.has_begin() ? TraceEvents("") : std::move(good);
  }});
  ExpectReason("did not say that it observes");
}

// What the observer itself could not do comes as it is.
TEST_F(ServerObservationTest, AnObserverThatSawNothingSaysWhyItself) {
  Add();
  AddObserver({.observe = [](const ObserveCommand& command, ObserveEvents good) {
    if (!command.has_collect()) return good;
    result::WireTrace trace;
    trace.set_reason("no packet passed");
    return TraceEvents(trace.SerializeAsString());
  }});
  ExpectReason("no packet passed");
}

TEST_F(ServerObservationTest, AFailedRunKeepsNoTraceAndSaysWhy) {
  Add(Instead(control::RunCommand::kStart, FailedWith(control::Failed::INTERNAL, "broken")));
  FakeAgent& observer = AddObserver();
  const DispatchOutcome outcome = Execute();
  EXPECT_FALSE(outcome.status.ok());
  ASSERT_TRUE(outcome.evidence.server_wire);
  EXPECT_FALSE(outcome.evidence.server_wire->available());
  EXPECT_EQ(outcome.evidence.server_wire->reason(), "the run ended before it was complete");
  for (const ObserveCommand& command : observer.heard_observe()) {
    EXPECT_FALSE(command.has_collect());
  }
}

// A run that is armed again has another window; whoever looks on stays.
TEST_F(ServerObservationTest, ARearmedRunHasAnotherWindow) {
  int starts = 0;
  Add({.answer = [&starts](const control::RunCommand& command, Events good) {
    if (command.has_start() && ++starts == 1) {
      return FailedWith(control::Failed::MISSED_START, "late");
    }
    return good;
  }});
  FakeAgent& observer = AddObserver();
  const DispatchOutcome outcome = Execute();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_TRUE(outcome.evidence.server_wire->available());
  const std::vector<ObserveCommand> heard = observer.heard_observe();
  ASSERT_EQ(heard.size(), 4u);
  EXPECT_TRUE(heard[0].has_begin());
  EXPECT_GT(heard[2].window().from(), heard[1].window().from());
  EXPECT_TRUE(heard[3].has_collect());
}

}  // namespace
}  // namespace kbench
