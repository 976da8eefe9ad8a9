// One run over all agents, as far as everybody does what is asked: barriers, one start for all
// clocks, results. Agents that do not are in dispatcher_failures_test.cc.
#include "controller/run/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "tests/controller/dispatcher_rig.h"

namespace kbench {
namespace {

using control::RunCommand;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<RunCommand::CommandCase> Kinds(const FakeAgent& agent) {
  std::vector<RunCommand::CommandCase> kinds;
  for (const RunCommand& command : agent.heard()) kinds.push_back(command.command_case());
  return kinds;
}

TEST_F(DispatcherTest, CollectsTheResultOfEveryAgentUnderItsIndex) {
  FakeAgent& a = Add();
  FakeAgent& b = Add();
  const DispatchOutcome outcome = Execute();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kDone);
  const analysis::RunEvidence& evidence = outcome.evidence;
  EXPECT_EQ(evidence.status, analysis::RunStatus::kComplete);
  EXPECT_EQ(evidence.status_text, "");
  EXPECT_EQ(evidence.cell, 3);
  EXPECT_EQ(evidence.repetition, 1);
  EXPECT_EQ(evidence.pass, analysis::Pass::kFull);
  EXPECT_EQ(evidence.run_id, "abc-0001");
  ASSERT_EQ(evidence.agents.size(), 2u);
  EXPECT_EQ(evidence.agents[0].agent(), a.address());
  EXPECT_EQ(evidence.agents[1].agent(), b.address());
  EXPECT_EQ(evidence.agents[1].agent_index(), 1u);
  EXPECT_EQ(evidence.agents[1].counts().answered(), 10u);
  EXPECT_GT(evidence.clock_error_bound_ns, 0);
}

TEST_F(DispatcherTest, TellsEachAgentItsOwnSpecAndKeepsItsHash) {
  FakeAgent& a = Add();
  FakeAgent& b = Add();
  const DispatchOutcome outcome = Execute();
  const std::string spec_a = a.heard()[0].prepare().spec();
  const std::string spec_b = b.heard()[0].prepare().spec();
  EXPECT_NE(spec_a, spec_b);
  EXPECT_THAT(outcome.spec_sha256, ElementsAre(Sha256Hex(spec_a), Sha256Hex(spec_b)));
  const control::Prepare prepare = a.heard()[0].prepare();
  EXPECT_THAT(prepare.owner(), StartsWith("kbench run abc-0001 by "));
  EXPECT_THAT(prepare.owner(), HasSubstr(absl::StrCat(" pid ", getpid())));
  // The hash is in results: nobody may try out keys against it.
  EXPECT_EQ(prepare.hmac_key(), kKey);
  EXPECT_THAT(spec_a, Not(HasSubstr(kKey)));
  EXPECT_EQ(prepare.controller().protocol_major(), static_cast<uint32_t>(kControlProtocolMajor));
}

TEST_F(DispatcherTest, LoadsOnlyWhenTheSpecSaysSo) {
  FakeAgent& a = Add();
  EXPECT_TRUE(Execute(Spec(/*load=*/true)).status.ok());
  EXPECT_THAT(Kinds(a), ElementsAre(RunCommand::kPrepare, RunCommand::kLoad, RunCommand::kStart));
  FakeAgent& b = Add();
  EXPECT_TRUE(Execute(Spec(/*load=*/false)).status.ok());
  EXPECT_THAT(Kinds(b), ElementsAre(RunCommand::kPrepare, RunCommand::kStart));
}

// The agents' clocks are a day and minus an hour off; what each is told must be one instant, as
// well as the pings can know it.
TEST_F(DispatcherTest, StartsEveryAgentAtOneInstantOfItsOwnClock) {
  const Nanos day = Seconds(86'400);
  const Nanos hour = Seconds(3'600);
  FakeAgent& ahead = Add({.clock_offset = day});
  FakeAgent& behind = Add({.clock_offset = -hour});
  const MonoTime before = MonoNow();
  const DispatchOutcome outcome = Execute();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  const MonoTime at_a = MonoTime(ahead.heard().back().start().at()) - day;
  const MonoTime at_b = MonoTime(behind.heard().back().start().at()) + hour;
  // The bound is the worst agent's, and there are two.
  const int64_t bound = 2 * outcome.evidence.clock_error_bound_ns;
  EXPECT_LE(std::abs((at_a - at_b).count()), bound);
  EXPECT_GT((at_a - before).count(), Millis(20).count() - bound) << "agents need time to arm";
}

TEST_F(DispatcherTest, MeasuresTheSkewOfTheFirstSends) {
  Add({.clock_offset = Seconds(1000), .first_send_offset = Millis(250)});
  Add({.first_send_offset = Millis(50)});
  Add({.first_send_offset = Millis(90)});
  const DispatchOutcome outcome = Execute();
  const int64_t bound = 2 * outcome.evidence.clock_error_bound_ns;
  EXPECT_NEAR(static_cast<double>(outcome.evidence.first_send_skew_ns),
              static_cast<double>(Millis(200).count()), static_cast<double>(bound));
  EXPECT_TRUE(HasCaveat(outcome, "start_skew"));
}

TEST_F(DispatcherTest, ASmallSkewIsNoCaveat) {
  Add();
  Add();
  const DispatchOutcome outcome = Execute();
  EXPECT_LE(outcome.evidence.first_send_skew_ns, 2 * outcome.evidence.clock_error_bound_ns);
  EXPECT_FALSE(HasCaveat(outcome, "start_skew"));
  EXPECT_FALSE(HasCaveat(outcome, "rearmed"));
}

TEST_F(DispatcherTest, PutsAResultOfManyPiecesTogether) {
  Add({.samples = 20'000, .answer = [](const RunCommand& command, Events good) {
         if (!command.has_start()) return good;
         return ResultEvents(good[0].result().data(), /*piece=*/1000);
       }});
  const DispatchOutcome outcome = Execute();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.evidence.agents[0].samples_size(), 20'000);
  EXPECT_EQ(outcome.evidence.agents[0].samples(19'999).sequence(), 100u + 19'999);
}

TEST_F(DispatcherTest, ArmsTheRunAgainWhenAnAgentMissedTheStart) {
  FakeAgent& other = Add();
  std::atomic<int> starts = 0;
  Add({.answer = [&starts](const RunCommand& command, Events good) {
    if (!command.has_start() || ++starts > 2) return good;
    return FailedWith(control::Failed::MISSED_START, "the start was 3 ms ago");
  }});
  const DispatchOutcome outcome = Execute();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_TRUE(HasCaveat(outcome, "rearmed"));
  EXPECT_EQ(outcome.evidence.agents.size(), 2u) << "of the last arming only";
  EXPECT_EQ(other.CountHeard(RunCommand::kPrepare), 3);
}

// Else the result, which is of the last arming, would say that they had been there all along.
TEST_F(DispatcherTest, WhoseKeysWereNotThereWritesThemAgainWhenTheRunIsArmedAgain) {
  std::atomic<int> starts = 0;
  FakeAgent& found = Add({.answer = [](const RunCommand& command, Events good) {
    if (command.has_load()) good[0].mutable_loaded()->set_reused(good[0].loaded().keys());
    return good;
  }});
  FakeAgent& wrote = Add({.answer = [&starts](const RunCommand& command, Events good) {
    if (!command.has_start() || ++starts > 1) return good;
    return FailedWith(control::Failed::MISSED_START, "the start was 3 ms ago");
  }});
  control::RunSpec spec = Spec();
  spec.set_reuse_keys(true);
  ASSERT_TRUE(Execute(spec).status.ok());
  const auto looks = [](const FakeAgent& agent) {
    std::vector<bool> each;
    for (const RunCommand& command : agent.heard()) {
      control::RunSpec heard;
      if (!command.has_prepare()) continue;
      EXPECT_TRUE(heard.ParseFromString(command.prepare().spec()));
      each.push_back(heard.reuse_keys());
    }
    return each;
  };
  EXPECT_EQ(looks(found), std::vector<bool>({true, true}));
  EXPECT_EQ(looks(wrote), std::vector<bool>({true, false}));
}

TEST_F(DispatcherTest, GivesUpOnAnAgentThatMissesEveryStart) {
  FakeAgent& agent = Add(Instead(
      RunCommand::kStart, FailedWith(control::Failed::MISSED_START, "the start was 3 ms ago")));
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kIncomplete) << outcome.status;
  EXPECT_TRUE(Says(outcome.status, agent.address())) << outcome.status;
  EXPECT_TRUE(Says(outcome.status, "the start was 3 ms ago")) << outcome.status;
  EXPECT_EQ(agent.CountHeard(RunCommand::kPrepare), Dispatcher::kArmings);
}

TEST_F(DispatcherTest, ASecondRunFollowsOnTheSameLinks) {
  FakeAgent& agent = Add();
  EXPECT_TRUE(Execute().status.ok());
  EXPECT_TRUE(Execute().status.ok());
  EXPECT_EQ(agent.CountHeard(RunCommand::kStart), 2);
}

// Ctrl-C once, while everybody measures.
TEST_F(DispatcherTest, AnInterruptStopsTheAgentsAndKeepsWhatTheyMeasured) {
  const auto measures_until_stop = [this](const RunCommand& command, Events good) {
    if (!command.has_start()) return good;
    interrupts_.count = 1;
    return Events();
  };
  FakeAgent& a = Add({.answer = measures_until_stop});
  Add({.answer = measures_until_stop});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kInterrupted) << outcome.status;
  EXPECT_TRUE(Says(outcome.status, "phase measure")) << outcome.status;
  EXPECT_EQ(outcome.evidence.status, analysis::RunStatus::kAborted);
  ASSERT_EQ(outcome.evidence.agents.size(), 2u);
  EXPECT_TRUE(outcome.evidence.agents[0].aborted());
  EXPECT_EQ(outcome.evidence.agents[1].abort_reason(), "interrupted");
  EXPECT_EQ(a.CountHeard(RunCommand::kStop), 1);
}

// Twice: nobody is waited for, also not those who never answer. With the limits as they are, the
// test would otherwise run into its own time-out.
TEST_F(DispatcherTest, ASecondInterruptWaitsForNobody) {
  limits_.stop = limits_.goodbye = Seconds(3600);
  Add({.lingers = true, .answer = [this](const RunCommand& command, Events good) {
         if (!command.has_start() && !command.has_stop()) return good;
         interrupts_.count = command.has_start() ? 1 : 2;
         return Events();
       }});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kInterrupted) << outcome.status;
  EXPECT_EQ(outcome.evidence.status, analysis::RunStatus::kFailed);
  EXPECT_TRUE(outcome.evidence.agents.empty());
}

// The agents send intervals, and no result until they are told to stop.
TEST_F(DispatcherTest, ARunThatIsOverSoonerIsStoppedAndIsNoFailure) {
  const auto until_stopped = [](const control::RunCommand& command, Events good) {
    if (!command.has_start()) return good;
    Events intervals(3);
    for (int i = 0; i < 3; ++i) {
      intervals[static_cast<size_t>(i)].mutable_interval()->set_completed(static_cast<uint64_t>(i));
    }
    return intervals;
  };
  Add({.answer = until_stopped});
  Add({.answer = until_stopped});
  std::vector<int> seen(2);
  bool over = false;
  enough_ = [&](size_t agent, const result::Interval&) {
    EXPECT_FALSE(over) << "asked again";
    ++seen[agent];
    return over = seen[0] > 0 && seen[1] > 0;
  };
  const DispatchOutcome outcome = Execute();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_TRUE(outcome.ended_early);
  ASSERT_EQ(outcome.evidence.agents.size(), 2u) << "what they had was collected";
  EXPECT_EQ(outcome.evidence.agents[0].abort_reason(), "its controller has seen enough");
  EXPECT_TRUE(outcome.lost.empty());
  EXPECT_FALSE(interrupts_.stop());
}

TEST_F(DispatcherTest, ARunThatIsNeverEnoughEndsWithItsWindow) {
  Add();
  enough_ = [](size_t, const result::Interval&) { return false; };
  const DispatchOutcome outcome = Execute();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(outcome.ended_early);
}

TEST_F(DispatcherTest, AnInterruptBeforeTheStartMeasuresNothing) {
  FakeAgent& agent = Add({.answer = [this](const RunCommand& command, Events good) {
    if (command.has_load()) interrupts_.count = 1;
    return command.has_load() ? Events() : std::move(good);
  }});
  const DispatchOutcome outcome = Execute();
  EXPECT_EQ(ExitCodeOf(outcome.status), ExitCode::kInterrupted) << outcome.status;
  EXPECT_TRUE(Says(outcome.status, "phase load")) << outcome.status;
  EXPECT_EQ(agent.CountHeard(RunCommand::kStart), 0);
}

}  // namespace
}  // namespace kbench
