// Hosts and programs that go away in the middle, and people who change their minds: a campaign ends
// in a state that is said, nothing that was measured is lost, and the rest can be made later.

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

constexpr int kDone = 0, kUsage = 2, kIncomplete = 6, kUnreachable = 8, kInterrupted = 130;

void ExpectSaid(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

// A server, and agents that keep what nobody has stored.
class Survival : public testing::Test {
 protected:
  void Agents(int count) {
    for (int i = 0; i < count; ++i) StartAgent(AddressToComeBackTo());
  }
  void StartAgent(const std::string& listen) {
    const std::string kept = absl::StrCat(dir_.path(), "/kept", agents_.size());
    agents_.push_back(std::make_unique<Daemon>(
        "kbench-agent", std::vector<std::string>{"--plaintext", "--results", kept}, listen));
  }
  std::string Addresses() const {
    std::string list;
    for (const auto& agent : agents_) {
      absl::StrAppend(&list, list.empty() ? "" : ",", agent->address());
    }
    return list;
  }
  // `run` holds fields of the section.
  std::string Yaml(const std::string& name, const std::string& run,
                   const std::string& more = "") const {
    return absl::StrCat("name: ", name, "\nagents: [", Addresses(), "]\nserver: {address: '",
                        server_.address(), "'}\nworkload: {op: get, keys: 16}\n", "run: {", run,
                        "}\nprobes: {passes: [sampled], baselines: none}\n", more);
  }
  std::string results() const { return dir_.path() + "/results"; }
  Finished Kbench(std::vector<std::string> arguments, milliseconds timeout = seconds(60)) const {
    arguments.insert(arguments.begin(), Program("kbench"));
    return e2e::Run(arguments, timeout);
  }
  Finished Live(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--results", results()});
    return Kbench(arguments);
  }
  Finished AskAgents(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "agents");
    arguments.insert(arguments.end(), {"--agents", Addresses()});
    return Kbench(arguments);
  }
  // An agent whose controller has died is idle when its run has drained; ctest bounds the wait.
  void AwaitIdle() const {
    while (!absl::StrContains(AskAgents({"ping"}).out, "idle")) continue;
  }

  const TempDir dir_;
  Daemon server_{"kbench-server", {}};
  std::vector<std::unique_ptr<Daemon>> agents_;
};

std::vector<std::string> Statuses(const nlohmann::json& manifest) {
  std::vector<std::string> statuses;
  for (const auto& run : manifest.at("runs")) statuses.push_back(run.at("status"));
  return statuses;
}

int Count(const std::vector<std::string>& all, const std::string& one) {
  return static_cast<int>(std::count(all.begin(), all.end(), one));
}

TEST_F(Survival, ACampaignGoesOnWithoutALostAgentAndTheRestIsMadeLater) {
  Agents(2);
  const std::string address = agents_[1]->address();
  Child kbench(RunArgv(
      dir_, Yaml("lossy", "warmup: 0s, duration: 3s, repetitions: 3, lost_agent: continue"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  agents_[1]->child().Signal(SIGKILL);
  const int code = kbench.Wait(seconds(60));
  EXPECT_EQ(code, kIncomplete) << kbench.err();
  ExpectSaid(kbench.err(), address);
  ExpectSaid(kbench.err(), "the campaign goes on");
  ExpectSaid(kbench.out(), "degraded");
  const CampaignRun run = Look(dir_, {.code = code});
  const nlohmann::json manifest = run.Manifest();
  EXPECT_EQ(manifest["status"], "degraded");
  EXPECT_EQ(Statuses(manifest), (std::vector<std::string>{"aborted", "degraded", "degraded"}));

  // The agent is back; the runs that it missed are made, under another result.
  agents_.pop_back();
  StartAgent(address);
  const std::string id = manifest["run_id"];
  const Finished resumed = Live({"run", "--resume", id});
  EXPECT_EQ(resumed.code, kDone) << resumed.err;
  ExpectSaid(resumed.err, "0 of 3 runs are there");
  ExpectSaid(resumed.out, "resumed");
  const Finished list = Live({"list"});
  ExpectSaid(list.out, "resumed");
  const Finished again = Live({"run", "--resume", Look(dir_, {}).result_dirs.back()});
  EXPECT_EQ(again.code, kUsage);
  ExpectSaid(again.err, "is complete");
  const Finished kept = AskAgents({"results"});
  EXPECT_EQ(kept.code, kDone) << kept.err;
  EXPECT_EQ(kept.out.find("-000"), std::string::npos) << "what is stored was acknowledged";
}

// As when a service manager starts it again: told to stop, and back soon.
TEST_F(Survival, AnAgentThatComesBackTakesPartAgain) {
  Agents(2);
  const std::string address = agents_[1]->address();
  Child kbench(RunArgv(
      dir_, Yaml("back", "warmup: 0s, duration: 3s, repetitions: 5, lost_agent: continue"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  agents_[1]->child().Signal(SIGTERM);
  EXPECT_EQ(agents_[1]->child().Wait(seconds(60)), 0);
  agents_.pop_back();
  StartAgent(address);
  EXPECT_EQ(kbench.Wait(seconds(60)), kIncomplete) << kbench.err();
  const std::vector<std::string> statuses = Statuses(Look(dir_, {}).Manifest());
  ASSERT_EQ(statuses.size(), 5u);
  EXPECT_EQ(statuses.front(), "aborted");
  EXPECT_EQ(statuses.back(), "complete") << kbench.err();
}

TEST_F(Survival, ACampaignWithoutAnyAgentLeftEnds) {
  Agents(1);
  Child kbench(RunArgv(
      dir_, Yaml("none", "warmup: 0s, duration: 3s, repetitions: 3, lost_agent: continue"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  agents_[0]->child().Signal(SIGKILL);
  EXPECT_EQ(kbench.Wait(seconds(60)), kIncomplete) << kbench.err();
  ExpectSaid(kbench.err(), "no agent is left");
}

TEST_F(Survival, AKilledControllersRunsAreNotRepeated) {
  Agents(1);
  const std::string yaml = Yaml("killed", "warmup: 0s, duration: 300ms, repetitions: 12",
                                "transport: [socket, epoll]\n");
  Child kbench(RunArgv(dir_, yaml, {"--set", "run.seed=9"}));
  kbench.WaitForOutput("[4/24]", seconds(60));
  kbench.Signal(SIGKILL);
  EXPECT_EQ(kbench.Wait(seconds(60)), 137);
  const CampaignRun crashed = Look(dir_, {});
  ASSERT_EQ(crashed.partial_dirs.size(), 1u);
  const std::vector<std::string> before = FindFiles(crashed.partial_dirs[0], "run.json");
  ASSERT_GE(before.size(), 3u);
  AwaitIdle();

  const Finished resumed = Live({"run", "--resume", crashed.partial_dirs[0]});
  ASSERT_EQ(resumed.code, kDone) << resumed.err;
  ExpectSaid(resumed.err, absl::StrCat("[", before.size() + 1, "/24]"));
  EXPECT_EQ(resumed.err.find("[1/24]"), std::string::npos) << resumed.err;
  const CampaignRun whole = Look(dir_, {});
  ASSERT_EQ(whole.result_dirs.size(), 1u);
  const nlohmann::json manifest = whole.Manifest();
  EXPECT_EQ(Count(Statuses(manifest), "complete"), 24);
  size_t taken_over = 0;
  for (const std::string& path : before) {
    const std::string below = path.substr(crashed.partial_dirs[0].size());
    EXPECT_EQ(ReadFile(path), ReadFile(whole.result_dirs[0] + below)) << below;
    ++taken_over;
  }
  ExpectSaid(resumed.out, absl::StrCat(taken_over, " of 24 runs are taken from campaign"));
  // The result is as good as any: every number can be computed again.
  const Finished report = Kbench({"report", whole.result_dirs[0]});
  EXPECT_EQ(report.code, kDone) << report.err;
  EXPECT_EQ(report.out, resumed.out);
}

TEST_F(Survival, WhatIsResumedMustBeTheSamePlan) {
  Agents(1);
  Child kbench(RunArgv(dir_, Yaml("edited", "warmup: 0s, duration: 2s, repetitions: 12"), {}));
  kbench.WaitForOutput("[2/12]", seconds(60));
  const Finished running = Live({"run", "--resume", Look(dir_, {}).partial_dirs.at(0)});
  EXPECT_EQ(running.code, kUsage);
  ExpectSaid(running.err, "still runs");
  kbench.Signal(SIGKILL);
  EXPECT_EQ(kbench.Wait(seconds(60)), 137);
  const std::string partial = Look(dir_, {}).partial_dirs.at(0);
  AwaitIdle();
  // While it is resumed there is one campaign to be seen, not two.
  Child resuming({Program("kbench"), "run", "--resume", partial, "--results", results()});
  resuming.WaitForOutput("/12]", seconds(60));
  const auto live = nlohmann::json::parse(Live({"status", "--format", "json"}).out);
  EXPECT_EQ(live.size(), 1u) << live;
  ExpectSaid(Live({"list"}).out, "resumed");
  EXPECT_EQ(Live({"cancel"}).code, kDone);
  EXPECT_EQ(resuming.Wait(seconds(60)), kInterrupted) << resuming.err();
  // Every run of the old one is in the new one, however early that was.
  const nlohmann::json newer = Look(dir_, {}).Manifest();
  EXPECT_GE(Count(Statuses(newer), "complete"),
            static_cast<int>(FindFiles(partial, "run.json").size()));

  const std::string manifest = partial + "/manifest.json";
  auto other = ReadJson(manifest);
  other["constants"]["agent_addresses"] = "10.0.0.1:7100";
  dir_.Write("manifest.json", other.dump());
  std::filesystem::copy_file(dir_.path() + "/manifest.json", manifest,
                             std::filesystem::copy_options::overwrite_existing);
  const Finished moved = Live({"run", "--resume", partial});
  EXPECT_EQ(moved.code, kUsage);
  ExpectSaid(moved.err, "with other agents");
  std::filesystem::remove(partial + "/campaign.yaml");
  const Finished damaged = Live({"run", "--resume", partial});
  EXPECT_EQ(damaged.code, kUsage);
  ExpectSaid(damaged.err, "campaign.yaml");
}

TEST_F(Survival, ACampaignIsSeenFollowedAndCancelledFromAnotherTerminal) {
  Agents(1);
  EXPECT_EQ(Live({"watch"}).code, kUsage) << "nothing runs";
  Child kbench(RunArgv(dir_, Yaml("seen", "warmup: 0s, duration: 60s, repetitions: 2"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  const Finished status = Live({"status", "--format", "json"});
  EXPECT_EQ(status.code, kDone) << status.err;
  const auto live = nlohmann::json::parse(status.out).at(0);
  EXPECT_EQ(live["campaign"], "seen");
  EXPECT_EQ(live["run"], 1);
  EXPECT_EQ(live["runs"], 2);
  EXPECT_EQ(live["phase"], "measure");
  EXPECT_GT(live["ops_per_s"], 0);
  ExpectSaid(live["controller"], absl::StrCat("pid ", kbench.pid()));
  ExpectSaid(Live({"status"}).out, "run 1/2");
  Child watch({Program("kbench"), "watch", "--results", results()});
  watch.WaitForOutput("run 1/2", seconds(60));
  const Finished cancelled = Live({"cancel"});
  EXPECT_EQ(cancelled.code, kDone) << cancelled.err;
  ExpectSaid(cancelled.out, "aborted");
  EXPECT_EQ(kbench.Wait(seconds(60)), kInterrupted) << kbench.err();
  EXPECT_EQ(watch.Wait(seconds(60)), kInterrupted) << watch.err();
  const CampaignRun run = Look(dir_, {});
  EXPECT_EQ(run.Manifest()["status"], "aborted");
  EXPECT_EQ(Statuses(run.Manifest()).size(), 1u) << "what was measured is kept";
  EXPECT_TRUE(FindFiles(run.result_dirs[0], "status.json").empty());
  EXPECT_TRUE(FindFiles(run.result_dirs[0], "cancel").empty());
  EXPECT_EQ(Live({"cancel"}).code, kUsage) << "nothing runs any more";
}

TEST_F(Survival, AHardCancellationWaitsForNobody) {
  Agents(1);
  Child kbench(RunArgv(dir_, Yaml("hard", "warmup: 0s, duration: 60s, repetitions: 1"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  // A soft one would wait for the agent, which is frozen, 15 s.
  agents_[0]->child().Signal(SIGSTOP);
  const ForeignCpu others;
  EXPECT_EQ(Live({"cancel", "--hard", "--no-wait"}).code, kDone);
  const MonoTime asked = MonoNow();
  EXPECT_EQ(kbench.Wait(seconds(60)), kInterrupted) << kbench.err();
  const Nanos took = MonoNow() - asked;
  JudgeWhenQuiet(took < Seconds(10),
                 {.what = "a hard cancellation beside a frozen agent",
                  .figure = absl::StrCat(took.seconds(), " s"),
                  .bound = "less than the 15 s of a soft one"},
                 others.Cpus());
  agents_[0]->child().Signal(SIGCONT);
}

TEST_F(Survival, AnAgentIsTakenFromItsControllerOnPurpose) {
  Agents(1);
  Child kbench(RunArgv(dir_, Yaml("taken", "warmup: 0s, duration: 60s, repetitions: 1"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  const Finished wrong = AskAgents({"release", "--run", "nobody-0001"});
  ExpectSaid(wrong.out, "another run");
  const Finished released = AskAgents({"release"});
  EXPECT_EQ(released.code, kDone) << released.err;
  ExpectSaid(released.out, "was stopped");
  EXPECT_EQ(kbench.Wait(seconds(60)), kIncomplete) << kbench.err();
  ExpectSaid(kbench.err(), "released by");
  ExpectSaid(AskAgents({"release"}).out, "idle");
}

// Prepared, and no word from its controller since: a frozen one would block the agent for its
// lease.
TEST_F(Survival, AnAgentThatWaitsForItsControllerIsTakenToo) {
  Agents(1);
  Child kbench(RunArgv(
      dir_, Yaml("waits", "warmup: 0s, duration: 60s, repetitions: 1", "inject: {relay: 0us}\n"),
      {}));
  while (!absl::StrContains(AskAgents({"ping"}).out, "run ")) continue;
  kbench.Signal(SIGSTOP);
  const Finished released = AskAgents({"release"});
  EXPECT_EQ(released.code, kDone) << released.err;
  AwaitIdle();
  kbench.Signal(SIGCONT);
  EXPECT_EQ(kbench.Wait(seconds(60)), kIncomplete) << kbench.err();
}

TEST_F(Survival, WhatADeadControllerHadMeasuredIsCollectedByItsId) {
  Agents(2);
  Child kbench(RunArgv(dir_, Yaml("orphan", "warmup: 0s, duration: 60s, repetitions: 1"), {}));
  kbench.WaitForOutput("ops/s", seconds(60));
  const nlohmann::json manifest = ReadJson(Look(dir_, {}).partial_dirs.at(0) + "/manifest.json");
  kbench.Signal(SIGKILL);
  EXPECT_EQ(kbench.Wait(seconds(60)), 137);
  AwaitIdle();
  const std::string id = manifest.at("run_id");
  std::string listed;
  do {  // the second one drains a moment longer
    listed = AskAgents({"results"}).out;
  } while (listed.find(id) == listed.rfind(id));
  const std::string output = dir_.path() + "/collected";
  const Finished collected = AskAgents({"collect", id, "--output", output});
  EXPECT_EQ(collected.code, kDone) << collected.err;
  ExpectSaid(collected.out, "aborted");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(output)) {
    files += entry.file_size() > 0;
    const Finished shown = Kbench({"show", entry.path()});
    EXPECT_EQ(shown.code, kDone) << shown.err;
    ExpectSaid(shown.out, "aborted: ");
    ExpectSaid(shown.out, "\nget ");
    const Finished json = Kbench({"show", entry.path(), "--format", "json"});
    EXPECT_GT(nlohmann::json::parse(json.out)["all"]["counts"]["answered"], 0);
  }
  EXPECT_EQ(files, 2);
  EXPECT_EQ(AskAgents({"results"}).out.find(id), std::string::npos);
  const Finished nothing = AskAgents({"collect", id, "--output", output});
  EXPECT_EQ(nothing.code, kUsage);
  ExpectSaid(nothing.err, "no agent keeps a result");
}

// The lease, both ways. Frozen processes keep their connections open: only their silence tells.
TEST_F(Survival, FrozenProcessesAreGivenUp) {
  Agents(1);
  Daemon other("kbench-agent", {"--plaintext"});
  const TempDir elsewhere;
  const std::string run = "warmup: 0s, duration: 120s, repetitions: 1";
  Child frozen(RunArgv(dir_, Yaml("frozen", run), {}));
  Child waiting(
      RunArgv(elsewhere,
              absl::StrCat("name: waiting\nagents: ['", other.address(), "']\nserver: {address: '",
                           server_.address(), "'}\nworkload: {op: get, keys: 16}\nrun: {", run,
                           "}\nprobes: {passes: [bare], baselines: none}\n"),
              {}));
  frozen.WaitForOutput("ops/s", seconds(60));
  waiting.WaitForOutput("ops/s", seconds(60));
  frozen.Signal(SIGSTOP);
  other.child().Signal(SIGSTOP);
  // Both runs would last 120 s; the lease is 20 s.
  EXPECT_EQ(waiting.Wait(seconds(60)), kIncomplete) << waiting.err();
  ExpectSaid(waiting.err(), other.address());
  other.child().Signal(SIGCONT);
  AwaitIdle();
  frozen.Signal(SIGCONT);
  EXPECT_EQ(frozen.Wait(seconds(60)), kIncomplete) << frozen.err();
  ExpectSaid(frozen.err(), agents_[0]->address());
}

TEST_F(Survival, TheDoctorSaysWhatWouldGoWrong) {
  Agents(1);
  const Finished good = Kbench(
      {"doctor", "--agents", Addresses(), "--server", server_.address(), "--format", "json"});
  EXPECT_EQ(good.code, kDone) << good.out << good.err;
  std::vector<std::string> checked;
  for (const auto& checkup : nlohmann::json::parse(good.out)) {
    EXPECT_NE(checkup["finding"], "bad") << checkup;
    checked.push_back(checkup["what"]);
  }
  for (const char* what : {"answers", "version", "idle", "clock", "files", "memlock", "io_uring",
                           "stamps", "packets", "realtime", "results"}) {
    EXPECT_EQ(Count(checked, what), 1) << what;
  }
  EXPECT_EQ(Count(checked, "target " + server_.address()), 1);

  const Finished no_server = Kbench({"doctor", "--agents", Addresses(), "--server", "127.0.0.1:1"});
  EXPECT_EQ(no_server.code, kUnreachable) << no_server.out;
  ExpectSaid(no_server.out, "BAD");
  const std::string address = agents_[0]->address();
  const std::string campaign = dir_.Write("c.yaml", Yaml("c", "repetitions: 1"));
  EXPECT_EQ(Kbench({"doctor", campaign}).code, kDone);
  agents_[0]->child().Signal(SIGKILL);
  agents_[0]->child().Wait(seconds(60));
  const Finished no_agent = Kbench({"doctor", campaign});
  EXPECT_EQ(no_agent.code, kIncomplete) << no_agent.out;
  ExpectSaid(no_agent.out, address);
  EXPECT_EQ(Kbench({"doctor"}).code, kUsage);
}

}  // namespace
}  // namespace kbench::e2e
