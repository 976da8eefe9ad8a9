// Agents that refuse, fall silent, die or talk nonsense: each costs its phase's limit and no more,
// and the message names the agent and what to do. The codes are those of
// controller/fleet/exit_codes.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "agent/path/delay_relay.h"
#include "base/address.h"
#include "tests/controller/dispatcher_rig.h"

namespace kbench {
namespace {

using control::Failed;
using control::RunCommand;

#define EXPECT_SAYS(status, part) EXPECT_TRUE(Says(status, part)) << status

struct Silence {
  const char* phase;
  RunCommand::CommandCase from;  // the command that is not answered, nor any later one
  RunCommand::CommandCase next;  // what nobody may be told, because the barrier holds
  bool frozen = false;           // and pings are not answered either
};

void PrintTo(const Silence& silence, std::ostream* out) {
  *out << silence.phase << (silence.frozen ? "_frozen" : "");
}

class SilentAgent : public DispatcherTest, public ::testing::WithParamInterface<Silence> {};

TEST_P(SilentAgent, IsNamedWithThePhaseAndHoldsTheBarrier) {
  limits_.prepare = limits_.load = limits_.clock = limits_.measure = limits_.stop = kSilenceLimit;
  if (GetParam().frozen) limits_.life = kSilenceLimit;
  FakeAgent& good = Add();
  FakeScript script = SilentFrom(GetParam().from);
  if (GetParam().frozen) script.pings = 0;
  FakeAgent& silent = Add(std::move(script));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status),
            GetParam().frozen ? ExitCode::kIncomplete : ExitCode::kPhaseTimeout)
      << outcome.status;
  EXPECT_EQ(outcome.lost, std::vector<std::string>({silent.address()}));
  EXPECT_SAYS(outcome.status, absl::StrCat("phase ", GetParam().phase));
  EXPECT_SAYS(outcome.status, absl::StrCat("agent ", silent.address()));
  EXPECT_FALSE(Says(outcome.status, good.address())) << outcome.status;
  EXPECT_EQ(good.CountHeard(GetParam().next), 0);
  EXPECT_EQ(silent.CountHeard(GetParam().next), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Before, SilentAgent,
    ::testing::Values(Silence{"connect", RunCommand::kPrepare, RunCommand::kLoad},
                      Silence{"connect", RunCommand::kPrepare, RunCommand::kLoad, true},
                      Silence{"load", RunCommand::kLoad, RunCommand::kStart},
                      Silence{"load", RunCommand::kLoad, RunCommand::kStart, true},
                      Silence{"clock", RunCommand::kStart, RunCommand::kStart, true}),
    ::testing::PrintToStringParamName());

TEST_F(DispatcherTest, AnAgentThatIsSilentWhileMeasuringCostsOnlyItsOwnResult) {
  limits_.measure = limits_.stop = kSilenceLimit;
  FakeAgent& good = Add();
  FakeAgent& silent = Add(SilentFrom(RunCommand::kStart));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kPhaseTimeout) << outcome.status;
  EXPECT_SAYS(outcome.status, "phase measure");
  EXPECT_SAYS(outcome.status, absl::StrCat("no word from agent ", silent.address()));
  EXPECT_FALSE(Says(outcome.status, good.address())) << outcome.status;
  EXPECT_EQ(outcome.evidence.status, analysis::RunStatus::kAborted);
  EXPECT_EQ(outcome.evidence.status_text, outcome.status.message());
  ASSERT_EQ(outcome.evidence.agents.size(), 1u);
  EXPECT_EQ(outcome.evidence.agents[0].agent(), good.address());
  EXPECT_EQ(silent.CountHeard(RunCommand::kStop), 1) << "it might still be sending";
}

// Which of several silences is found first is chance; what it means must not be.
TEST_F(DispatcherTest, AnAgentThatIsFrozenWhileMeasuringIsLostAlsoWhenItIsTheOnlyOne) {
  limits_.measure = limits_.stop = limits_.life = kSilenceLimit;
  FakeScript script = SilentFrom(RunCommand::kStart);
  script.pings = Dispatcher::kPings;
  FakeAgent& frozen = Add(std::move(script));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, "phase measure");
  EXPECT_SAYS(outcome.status, absl::StrCat("no answer to a ping from agent ", frozen.address()));
  EXPECT_EQ(outcome.lost, std::vector<std::string>({frozen.address()}));
}

TEST_F(DispatcherTest, AnAgentThatNeverHangsUpCostsNothing) {
  limits_.goodbye = Millis(50);
  Add({.lingers = true});
  const DispatchOutcome outcome = Execute();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.evidence.agents.size(), 1u);
}

TEST_F(DispatcherTest, AnAgentThatDoesNotSayHelloIsNamed) {
  limits_.hello = kSilenceLimit;
  FakeAgent& good = Add();
  FakeAgent& silent = Add({.silent_hello = true});
  const absl::Status status = HelloAll().status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kIncomplete) << status;
  EXPECT_SAYS(status, "phase hello");
  EXPECT_SAYS(status, silent.address());
  EXPECT_FALSE(Says(status, good.address())) << status;
}

TEST_F(DispatcherTest, HelloGivesEveryAgentsWordInOrder) {
  Add();
  Add();
  const auto replies = HelloAll();
  ASSERT_TRUE(replies.ok()) << replies.status();
  ASSERT_EQ(replies->size(), 2u);
  EXPECT_EQ((*replies)[1].agent().release(), "9.8.7");
}

TEST_F(DispatcherTest, AnAgentOfAnotherVersionIsRefusedNamingBoth) {
  FakeAgent& agent = Add({.protocol_major = 99});
  const absl::Status status = HelloAll().status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kVersionMismatch) << status;
  EXPECT_SAYS(status, agent.address());
  EXPECT_SAYS(status, "protocol 99.");
  EXPECT_SAYS(status, absl::StrCat("protocol ", kControlProtocolMajor, "."));
  EXPECT_SAYS(status, "install the same release on both");
}

TEST_F(DispatcherTest, AnAgentThatRefusesOurVersionIsBelieved) {
  const grpc::Status refused(grpc::StatusCode::FAILED_PRECONDITION, "I speak 7.0, you 1.0");
  FakeAgent& agent = Add({.hello = refused, .hang_up = [refused](const RunCommand&) {
                            return std::optional(refused);
                          }});
  for (const absl::Status& status : {HelloAll().status(), Execute().status}) {
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kVersionMismatch) << status;
    EXPECT_SAYS(status, agent.address());
    EXPECT_SAYS(status, "I speak 7.0, you 1.0");
  }
}

// On a busy host, or at the end of a bad line: its first words take more than a second.
TEST_F(DispatcherTest, AnAgentThatIsSlowToGreetIsNotLost) {
  const FakeAgent agent;
  const auto relay = DelayRelay::Start(
      {.server = *Resolve(*ParseHostPort(agent.address())), .delay = Millis(1500)});
  ASSERT_TRUE(relay.ok()) << relay.status();
  Link((*relay)->name());
  const absl::StatusOr<control::HelloReply> reply = links_[0]->Hello(Seconds(60));
  EXPECT_TRUE(reply.ok()) << reply.status();
  links_.clear();
}

// Something answers gRPC on that port, but it is no agent.
TEST_F(DispatcherTest, AnotherServiceIsNoAgent) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  control::Agent::Service unimplemented;  // the generated base says UNIMPLEMENTED to every call
  builder.RegisterService(&unimplemented);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  Link(absl::StrCat("127.0.0.1:", port));
  for (const absl::Status& status : {HelloAll().status(), Execute().status}) {
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kVersionMismatch) << status;
    EXPECT_SAYS(status, links_[0]->address());
    EXPECT_SAYS(status, "is it a kbench-agent of this version?");
  }
  links_.clear();
}

TEST_F(DispatcherTest, AnAgentThatIsNotThereIsNamed) {
  FakeAgent& agent = Add();
  agent.Die();
  for (const absl::Status& status : {HelloAll().status(), Execute().status}) {
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kIncomplete) << status;
    EXPECT_SAYS(status, agent.address());
    EXPECT_SAYS(status, "check that kbench-agent runs on it");
  }
}

TEST_F(DispatcherTest, ABusyAgentNamesItsOwner) {
  FakeAgent& agent = Add({.hang_up = [](const RunCommand&) {
    return std::optional(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                      "busy with run r1 of alice@lab 7 since 12 s"));
  }});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, agent.address());
  EXPECT_SAYS(outcome.status, "busy with run r1 of alice@lab 7 since 12 s");
}

struct Refusal {
  Failed::Kind kind;
  ExitCode code;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << Failed::Kind_Name(refusal.kind); }

class RefusingAgent : public DispatcherTest, public ::testing::WithParamInterface<Refusal> {};

TEST_P(RefusingAgent, GivesItsOwnWordsAndTheDocumentedCode) {
  FakeAgent& agent =
      Add(Instead(RunCommand::kPrepare, FailedWith(GetParam().kind, "why it said no")));
  FakeAgent& good = Add();
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), GetParam().code) << outcome.status;
  EXPECT_SAYS(outcome.status, "phase connect");
  EXPECT_SAYS(outcome.status, absl::StrCat("agent ", agent.address(), ": why it said no"));
  EXPECT_EQ(outcome.evidence.status, analysis::RunStatus::kFailed);
  EXPECT_EQ(good.CountHeard(RunCommand::kLoad), 0);
}

INSTANTIATE_TEST_SUITE_P(
    With, RefusingAgent,
    ::testing::Values(Refusal{Failed::BAD_SPEC, ExitCode::kUsage},
                      Refusal{Failed::SERVER_UNREACHABLE, ExitCode::kServerUnreachable},
                      Refusal{Failed::SERVER_REFUSED, ExitCode::kServerUnreachable},
                      Refusal{Failed::SERVER_LOST, ExitCode::kIncomplete},
                      Refusal{Failed::PHASE_TIMEOUT, ExitCode::kPhaseTimeout},
                      Refusal{Failed::INTERNAL, ExitCode::kIncomplete},
                      Refusal{Failed::UNKNOWN, ExitCode::kIncomplete}),
    ::testing::PrintToStringParamName());

// It dies in the window; the others are stopped and what they measured is kept.
TEST_F(DispatcherTest, AnAgentThatDiesHalfWayIsNamedAndTheOthersAreKept) {
  const auto measures_until_stop = [](const RunCommand& command, Events good) {
    return command.has_start() ? Events() : std::move(good);
  };
  FakeAgent& survivor = Add({.answer = measures_until_stop});
  FakeAgent& victim = Add({.answer = measures_until_stop});
  const auto killer = std::async(std::launch::async, [&] {
    survivor.AwaitHeard(RunCommand::kStart);
    victim.AwaitHeard(RunCommand::kStart);
    victim.Die();
  });
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, "phase measure");
  EXPECT_SAYS(outcome.status, absl::StrCat("agent ", victim.address()));
  EXPECT_EQ(outcome.evidence.status, analysis::RunStatus::kAborted);
  ASSERT_EQ(outcome.evidence.agents.size(), 1u);
  EXPECT_EQ(outcome.evidence.agents[0].agent(), survivor.address());
  EXPECT_EQ(outcome.evidence.agents[0].abort_reason(), "another agent failed");
}

TEST_F(DispatcherTest, AServerLostHalfWayIsToldByTheAgent) {
  Add(Instead(RunCommand::kStart, FailedWith(Failed::SERVER_LOST, "server x went away")));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, "phase measure");
  EXPECT_SAYS(outcome.status, "server x went away");
}

// What an agent's result says of the server's end.
Events Ended(Events good, const std::string& reason) {
  result::RunResult result;
  for (const control::RunEvent& event : good) {
    if (event.has_result()) result.ParseFromString(event.result().data());
  }
  result.set_aborted(true);
  result.set_abort_reason(reason);
  return ResultEvents(result.SerializeAsString());
}

TEST_F(DispatcherTest, AServerThatRefusesIsToldFromOneThatIsLost) {
  const auto ends = [](const std::string& reason) {
    return [reason](const RunCommand& command, Events good) {
      return command.has_start() ? Ended(std::move(good), reason) : std::move(good);
    };
  };
  Add({.answer = ends("SERVER_REFUSED: server x said Tag required")});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kServerUnreachable) << outcome.status;
  EXPECT_SAYS(outcome.status, "phase measure");
  EXPECT_SAYS(outcome.status, "Tag required");
  EXPECT_TRUE(outcome.lost.empty()) << "no agent is lost";
  EXPECT_EQ(outcome.evidence.agents.size(), 1u) << "what was measured is kept";
}

// Whichever of two agents is heard first.
TEST_F(DispatcherTest, OneAgentThatHeardWhyTheServerEndedSpeaksForAll) {
  const auto ends = [](const char* at_start, const char* at_stop) {
    return [at_start, at_stop](const RunCommand& command, Events good) {
      if (command.has_start() && at_start == nullptr) return Events();
      const char* const reason = command.has_start() ? at_start : at_stop;
      return command.has_start() || command.has_stop() ? Ended(std::move(good), reason)
                                                       : std::move(good);
    };
  };
  Add({.answer = ends("SERVER_LOST: server x closed the connection", "")});
  Add({.answer = ends(nullptr, "SERVER_REFUSED: server x said Tag required")});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kServerUnreachable) << outcome.status;
  EXPECT_SAYS(outcome.status, "Tag required");
  EXPECT_TRUE(outcome.lost.empty());
}

// Before the start nobody is stopped, and each phase ends with its first failure. This one says so
// much before that the other agent's word is heard first.
Events LateWord(Events word) {
  Events events(2000);
  for (control::RunEvent& event : events) event.mutable_interval();
  events.insert(events.end(), word.begin(), word.end());
  return events;
}

TEST_F(DispatcherTest, OneAgentThatHeardWhyBeforeTheStartSpeaksForAll) {
  for (const auto& [command, phase] : {std::pair(RunCommand::kPrepare, "phase connect"),
                                       std::pair(RunCommand::kLoad, "phase load")}) {
    for (const Failed::Kind kind : {Failed::SERVER_LOST, Failed::SERVER_UNREACHABLE}) {
      links_.clear();
      agents_.clear();
      limits_.goodbye = Seconds(60);
      Add(Instead(command, FailedWith(kind, "server x closed the connection")));
      Add(Instead(command, LateWord(FailedWith(Failed::SERVER_REFUSED, "Tag required"))));
      const DispatchOutcome outcome = Execute();
      EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kServerUnreachable) << outcome.status;
      EXPECT_SAYS(outcome.status, phase);
      EXPECT_SAYS(outcome.status, "Tag required");
    }
  }
}

// Nor is one waited for that has reached the phase's end: the test would not end.
TEST_F(DispatcherTest, AnAgentThatHasNoMoreToSayIsNotWaitedFor) {
  limits_.goodbye = Seconds(3600);
  Add();
  Add(Instead(RunCommand::kPrepare, LateWord(FailedWith(Failed::SERVER_LOST, "server x is gone"))));
  Add(Instead(RunCommand::kPrepare, FailedWith(Failed::SERVER_LOST, "server x is gone")));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, "server x is gone");
}

TEST_F(DispatcherTest, AnAgentThatSaysNothingOfALostServerCostsAGoodbye) {
  limits_.goodbye = Millis(50);
  Add(Instead(RunCommand::kPrepare, FailedWith(Failed::SERVER_LOST, "server x is gone")));
  Add(SilentFrom(RunCommand::kPrepare));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, "server x is gone");
  EXPECT_TRUE(outcome.lost.empty());
}

TEST_F(DispatcherTest, AnAgentThatHoldsAnotherSpecIsNotStarted) {
  Events other(1);
  other[0].mutable_prepared()->set_spec_sha256("0000");
  FakeAgent& agent = Add(Instead(RunCommand::kPrepare, other));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, absl::StrCat("agent ", agent.address(), " echoed another spec"));
  EXPECT_SAYS(outcome.status, "0000");
  EXPECT_EQ(agent.CountHeard(RunCommand::kStart), 0);
}

TEST_F(DispatcherTest, AResultOfAnotherRunIsRefused) {
  result::RunResult other;
  other.set_run_id("abc-0000");
  FakeAgent& agent = Add(Instead(RunCommand::kStart, ResultEvents(other.SerializeAsString())));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, agent.address());
  EXPECT_SAYS(outcome.status, "of another run than abc-0001");
  EXPECT_TRUE(outcome.evidence.agents.empty());
}

TEST_F(DispatcherTest, GarbageInPlaceOfAResultIsRefused) {
  FakeAgent& agent =
      Add(Instead(RunCommand::kStart, ResultEvents(std::string(5000, '\xff'), 1000)));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, agent.address());
  EXPECT_SAYS(outcome.status, "cannot be read");
  EXPECT_TRUE(outcome.evidence.agents.empty());
}

TEST_F(DispatcherTest, AResultWithoutItsEndIsNoResult) {
  FakeAgent& agent = Add({.hang_up = [](const RunCommand& command) {
    return command.has_start() ? std::optional(grpc::Status::OK) : std::nullopt;
  }});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status,
              absl::StrCat("agent ", agent.address(), " ended the run without a result"));
}

TEST_F(DispatcherTest, AnAgentThatStopsByItselfMakesThePartialResultAborted) {
  result::RunResult partial;
  partial.set_run_id("abc-0001");
  partial.set_aborted(true);
  partial.set_abort_reason("its rate cap");
  Add(Instead(RunCommand::kStart, ResultEvents(partial.SerializeAsString())));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_SAYS(outcome.status, "its rate cap");
  EXPECT_EQ(outcome.evidence.status, analysis::RunStatus::kAborted);
  EXPECT_EQ(outcome.evidence.agents.size(), 1u);
}

TEST_F(DispatcherTest, AnEventOfANewerAgentAsksForTheSameRelease) {
  FakeAgent& agent = Add(Instead(RunCommand::kPrepare, Events(1)));  // no event that we know
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kVersionMismatch) << outcome.status;
  EXPECT_SAYS(outcome.status, agent.address());
  EXPECT_SAYS(outcome.status, "install the same release on both");
}

}  // namespace
}  // namespace kbench
