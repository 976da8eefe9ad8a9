// A campaign against fake agents: who is asked for what around the runs, and what is kept of it.
#include "controller/run/campaign_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/store/result_reader.h"
#include "tests/controller/fake_agent.h"
#include "tests/controller/result_rig.h"

namespace kbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kServer = "127.0.0.1:8123";

class CampaignRunnerTest : public ::testing::Test {
 protected:
  FakeAgent& Add(FakeScript script = {.samples = 2}) {
    agents_.push_back(std::make_unique<FakeAgent>(std::move(script)));
    return *agents_.back();
  }

  // `server` holds more fields of the server, `more` more sections.
  CampaignOutcome Run(const std::string& server, const std::string& more) {
    std::vector<std::string> addresses;
    for (const auto& agent : agents_) addresses.push_back(absl::StrCat("'", agent->address(), "'"));
    const auto campaign = ParseCampaign(
        "c.yaml",
        absl::StrCat("name: fake\nagents: [", absl::StrJoin(addresses, ", "),
                     "]\nserver: {address: '", kServer, "'", server, "}\nworkload: ", workload_,
                     "\nrun: {warmup: 0s, duration: 1ms, repetitions: 2, "
                     "op_timeout: 1ms, connect_timeout: 1ms",
                     run_, "}\n", more),
        {});
    EXPECT_TRUE(campaign.ok()) << campaign.status();
    std::FILE* said = std::tmpfile();
    CampaignOutcome outcome;
    {
      Progress progress({.out = said, .quiet = true});
      // A busy machine may take its time: nothing here waits for a deadline.
      outcome = RunCampaign(*campaign,
                            {.results_dir = results_.path(),
                             .limits = {.hello = Seconds(60), .prepare = Seconds(60)},
                             .probe = {.bulk = Nanos(9), .patience = Seconds(60)}},
                            &interrupts_, &progress);
    }
    std::rewind(said);
    said_.clear();
    for (int c = std::fgetc(said); c != EOF; c = std::fgetc(said)) {
      said_.push_back(static_cast<char>(c));
    }
    std::fclose(said);
    return outcome;
  }

  // "a -> server", "a -> b": agents by their number, the observer as "o".
  std::vector<std::string> Paths(const CampaignOutcome& outcome) const {
    std::map<std::string, std::string> names = {{kServer, "server"}};
    for (size_t i = 0; i < agents_.size(); ++i) names[agents_[i]->address()] = absl::StrCat(i);
    if (observer_ != nullptr) names[observer_->address()] = "o";
    std::vector<std::string> paths;
    for (const result::NetworkBaseline& path : outcome.evidence.baselines) {
      paths.push_back(absl::StrCat(names[path.from()], " -> ", names[path.to()]));
    }
    return paths;
  }

  std::string WithObserver(FakeScript script = {}) {
    observer_ = std::make_unique<FakeAgent>(std::move(script));
    return absl::StrCat(", observer: '", observer_->address(), "'");
  }

  int TimesSaid(const std::string& part) const {
    int times = 0;
    for (size_t at = said_.find(part); at != std::string::npos; at = said_.find(part, at + 1)) {
      ++times;
    }
    return times;
  }

  // "-" where an agent is to write its keys, "?" where it is to look first, in the runs' order.
  static std::string HowKeysCome(const FakeAgent& agent) {
    std::string how;
    control::RunSpec spec;
    for (const control::RunCommand& command : agent.heard()) {
      if (!command.has_prepare()) continue;
      EXPECT_TRUE(spec.ParseFromString(command.prepare().spec()));
      how += !spec.load() ? ' ' : spec.reuse_keys() ? '?' : '-';
    }
    return how;
  }

  std::string workload_ = "{op: noop}";
  std::string run_;  // more fields of `run`, behind a comma
  TempDir results_;
  Interrupts interrupts_;
  std::vector<std::unique_ptr<FakeAgent>> agents_;
  std::unique_ptr<FakeAgent> observer_;
  std::string said_;
};

TEST_F(CampaignRunnerTest, OnlyFullRunsAreObserved) {
  Add();
  const CampaignOutcome outcome = Run(WithObserver(), "");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_THAT(outcome.evidence.runs, SizeIs(6));
  int full = 0;
  for (const analysis::RunEvidence& run : outcome.evidence.runs) {
    EXPECT_EQ(run.server_wire.has_value(), run.pass == analysis::Pass::kFull);
    if (run.pass != analysis::Pass::kFull) continue;
    ++full;
    EXPECT_TRUE(run.server_wire->available());
    EXPECT_EQ(run.server_wire->records_size(), 2);
  }
  EXPECT_EQ(full, 2);
  EXPECT_EQ(observer_->heard_observe().front().begin().port(), 8123u);
  // And it is all there again when it is read.
  const auto stored = ReadResult(outcome.directory);
  ASSERT_TRUE(stored.ok()) << stored.status();
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(stored->evidence.runs[i].pass, outcome.evidence.runs[i].pass);
    EXPECT_EQ(stored->evidence.runs[i].server_wire.has_value(),
              outcome.evidence.runs[i].server_wire.has_value());
  }
  EXPECT_THAT(stored->evidence.baselines, SizeIs(outcome.evidence.baselines.size()));
}

// By transport and operation: what is asked of the agent, and what the run says of the rest.
TEST_F(CampaignRunnerTest, WhatACellCannotUseIsPassedOverThereAndSaid) {
  FakeAgent& agent = Add();
  workload_ = "{op: [get, put], verify: true, key_order: latest}";
  const CampaignOutcome outcome =
      Run("", "transport: [socket, null]\nprobes: {passes: [bare], baselines: none}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  int verifying = 0;
  for (const control::RunCommand& command : agent.heard()) {
    if (!command.has_prepare()) continue;
    control::RunSpec spec;
    ASSERT_TRUE(spec.ParseFromString(command.prepare().spec()));
    EXPECT_EQ(spec.verify(), spec.transport() == "socket") << "a null agent refuses it";
    EXPECT_EQ(spec.key_order(), "latest");
    verifying += spec.verify();
  }
  EXPECT_GE(verifying, 2);
  ASSERT_FALSE(outcome.evidence.runs.empty());
  for (const analysis::RunEvidence& run : outcome.evidence.runs) {
    const std::string label = outcome.evidence.cells[static_cast<size_t>(run.cell)].Label();
    const bool gets = label.find("op=get") != std::string::npos;
    const bool null = label.find("transport=null") != std::string::npos;
    std::string codes;
    for (const result::Caveat& caveat : run.caveats) codes += caveat.code() + " ";
    // Over a socket a real agent says it of its puts; this one says nothing.
    EXPECT_EQ(codes.find("nothing_verified ") != std::string::npos, null) << label;
    EXPECT_EQ(codes.find("latest_unmoved ") != std::string::npos, gets) << label;
  }
}

TEST_F(CampaignRunnerTest, TheServersPortOnItsOwnHostMayBeAnother) {
  Add();
  const CampaignOutcome outcome =
      Run(WithObserver() + ", observer_port: 999", "probes: {passes: [full]}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(observer_->heard_observe().front().begin().port(), 999u);
}

TEST_F(CampaignRunnerTest, WithoutPacketsThereIsNothingToObserve) {
  Add();
  const CampaignOutcome outcome =
      Run(WithObserver(), "probes: {passes: [full]}\ntransport: [socket, null]\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  for (const analysis::RunEvidence& run : outcome.evidence.runs) {
    EXPECT_EQ(run.server_wire.has_value(), run.cell == 0);
  }
}

TEST_F(CampaignRunnerTest, OverTlsTheTraceSaysWhyThereIsNone) {
  Add();
  // Only for the way to its host, which is asked for, is such an observer of use.
  const CampaignOutcome outcome =
      Run(WithObserver() + ", tls: true", "probes: {passes: [full], baselines: auto}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(outcome.evidence.runs[0].server_wire->available());
  EXPECT_THAT(outcome.evidence.runs[0].server_wire->reason(), HasSubstr("TLS"));
  EXPECT_THAT(observer_->heard_observe(), IsEmpty());
}

// Two full runs, one reason: it is said once. The campaign is complete.
TEST_F(CampaignRunnerTest, AnObserverThatMayNotIsSaidOnce) {
  Add();
  const CampaignOutcome outcome = Run(
      WithObserver({.observe_hang_up =
                        [](const control::ObserveCommand&) {
                          return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "CAP_NET_RAW");
                        }}),
      "");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.evidence.status, "complete");
  EXPECT_EQ(TimesSaid("CAP_NET_RAW"), 1) << said_;
}

TEST_F(CampaignRunnerTest, AnObserverThatIsNotThereIsAnErrorLikeAnyAgent) {
  FakeAgent& agent = Add();
  const std::string server = WithObserver();
  observer_->Die();
  const CampaignOutcome outcome = Run(server, "");
  EXPECT_EQ(outcome.code, ExitCode::kIncomplete);
  EXPECT_THAT(std::string(outcome.status.message()), HasSubstr(observer_->address()));
  EXPECT_THAT(agent.heard(), IsEmpty());
}

TEST_F(CampaignRunnerTest, BaselinesLeadToTheServerAndToTheAgentBesideIt) {
  Add();
  FakeAgent& second = Add();
  const CampaignOutcome outcome =
      Run(WithObserver(), "probes: {passes: [bare], baselines: auto}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(Paths(outcome), ElementsAre("0 -> server", "1 -> server", "0 -> o", "1 -> o"));
  ASSERT_THAT(second.heard_probe(), SizeIs(5));
  EXPECT_EQ(second.heard_probe()[1].hmac_key(), "asdfasdf");
  EXPECT_EQ(second.heard_probe()[4].target(), "127.0.0.1:4711");
  EXPECT_EQ(second.heard_probe()[4].bulk_ns(), 9);
}

TEST_F(CampaignRunnerTest, BaselinesWithoutAnObserverLeadFromTheFirstAgentToTheSecond) {
  for (int i = 0; i < 3; ++i) Add();
  const CampaignOutcome outcome = Run("", "probes: {passes: [bare]}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(Paths(outcome), ElementsAre("0 -> server", "1 -> server", "2 -> server", "0 -> 1"));
}

// The observer may be one of the agents that make the load; it has no path to itself.
TEST_F(CampaignRunnerTest, AnAgentMayObserveTheServerOnItsOwnHost) {
  Add();
  FakeAgent& both = Add();
  const CampaignOutcome outcome =
      Run(absl::StrCat(", observer: '", both.address(), "'"), "probes: {passes: [full]}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(Paths(outcome), ElementsAre("0 -> server", "1 -> server", "0 -> 1"));
  EXPECT_TRUE(outcome.evidence.runs[0].server_wire->available());
}

TEST_F(CampaignRunnerTest, ABaselineThatFailsIsKeptAndEndsNothing) {
  Add({.probe = [](const control::ProbeRequest&, result::NetworkBaseline* baseline) {
    baseline->Clear();
    baseline->set_reason("nobody answers");
    return grpc::Status::OK;
  }});
  const CampaignOutcome outcome = Run("", "probes: {passes: [bare]}\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(outcome.evidence.runs, SizeIs(2));
  const auto stored = ReadResult(outcome.directory);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_THAT(stored->evidence.baselines, SizeIs(1));
  EXPECT_EQ(stored->evidence.baselines[0].reason(), "nobody answers");
}

TEST_F(CampaignRunnerTest, NoBaselinesWhenNoneAreWantedOrThereIsNoServer) {
  FakeAgent& agent = Add();
  ASSERT_TRUE(Run("", "probes: {passes: [bare], baselines: none}\n").status.ok());
  ASSERT_TRUE(Run("", "probes: {passes: [bare]}\ntransport: null\n").status.ok());
  EXPECT_THAT(agent.heard_probe(), IsEmpty());
}

constexpr char kBare[] = "probes: {passes: [bare], baselines: none}\n";

TEST_F(CampaignRunnerTest, KeysAreWrittenBeforeTheFirstRunAndLookedAtBeforeTheOthers) {
  FakeAgent& first = Add();
  FakeAgent& second = Add();
  workload_ = "{op: get}";
  const CampaignOutcome outcome = Run("", absl::StrCat("transport: [socket, epoll]\n", kBare));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(HowKeysCome(first), "-???");
  EXPECT_EQ(HowKeysCome(second), "-???");
  EXPECT_EQ(first.CountHeard(control::RunCommand::kLoad), 4) << "who looks may have to write";
  for (const control::RunCommand& command : first.heard()) {
    if (command.has_load()) {
      EXPECT_GT(command.load().most_ns(), 0);
    }
  }
}

TEST_F(CampaignRunnerTest, RunsThatDeleteWriteTheirKeysEachTime) {
  FakeAgent& agent = Add();
  workload_ = "{op: delete, load: true}";
  ASSERT_TRUE(Run("", absl::StrCat("transport: [socket, epoll]\n", kBare)).status.ok());
  EXPECT_EQ(HowKeysCome(agent), "----");
}

TEST_F(CampaignRunnerTest, KeysOfAnEarlierCampaignAreLookedForWhenItSaysSoAndItIsACaveat) {
  FakeAgent& agent = Add({.answer = [](const control::RunCommand& command, Events good) {
    if (command.has_load()) {
      good[0].mutable_loaded()->set_reused(good[0].loaded().keys());
      good[0].mutable_loaded()->set_looked(64);
    }
    return good;
  }});
  workload_ = "{op: get}";
  const CampaignOutcome outcome = Run("", absl::StrCat("load: {reuse: true}\n", kBare));
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(HowKeysCome(agent), "??");
  const auto said = [&outcome](size_t run) {
    const std::vector<result::Caveat>& caveats = outcome.evidence.runs[run].caveats;
    return std::count_if(caveats.begin(), caveats.end(), [](const result::Caveat& caveat) {
      return caveat.code() == "keys_reused";
    });
  };
  EXPECT_EQ(said(0), 1);
  EXPECT_EQ(said(1), 0) << "from then on it is known";
}

// The warm-up is a run of its own, over the same keys.
TEST_F(CampaignRunnerTest, AWarmUpWritesTheKeysOfTheRunBehindIt) {
  FakeAgent& agent = Add();
  workload_ = "{op: get}";
  run_ = ", warmup_ops: 1, warmup_most: 1s";
  const CampaignOutcome outcome = Run("", kBare);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(HowKeysCome(agent), "-???");
}

// Where an agent was lost nobody knows what became of its keys, nor, in that run, of the others'.
TEST_F(CampaignRunnerTest, KeysAreWrittenAgainAfterARunThatDidNotEndWell) {
  int starts = 0;
  FakeAgent& good = Add();
  FakeAgent& bad = Add({.hang_up = [&starts](const control::RunCommand& command) {
    return command.has_start() && ++starts == 2
               ? std::optional<grpc::Status>(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"))
               : std::nullopt;
  }});
  workload_ = "{op: get}";
  run_ = ", lost_agent: continue";
  const CampaignOutcome outcome = Run("", absl::StrCat("transport: [socket, epoll]\n", kBare));
  EXPECT_EQ(outcome.evidence.runs.size(), 4u) << outcome.status;
  EXPECT_EQ(HowKeysCome(good), "-?-?");
  EXPECT_EQ(HowKeysCome(bad), "-?-?");
}

}  // namespace
}  // namespace kbench
