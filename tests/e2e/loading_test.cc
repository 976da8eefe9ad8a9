// Keys are written once for every server and data set, and found there by the other runs: whatever
// has become of them, no read of a run may miss one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kUsage = 2, kTerminatedByHand = 130;

// What one agent of one run says of its keys.
struct Load {
  int keys = 0;
  int written = 0;
  std::string missing;
  bool rearmed = false;  // a start was missed: who had written its keys did so again, unasked
};

// A report breaks its lines where they are full.
std::string OneLine(std::string text) {
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
    const size_t next = text.find_first_not_of(" \n", at);
    text.replace(at, next == std::string::npos ? next : next - at, " ");
  }
  return text;
}

class Loading : public ::testing::Test {
 protected:
  std::string Yaml(const std::string& workload, const std::string& more = "",
                   const std::string& run = "repetitions: 3") const {
    return absl::StrCat("name: loading\nserver: {address: '", server_->address(), "'}\nworkload: {",
                        workload, "}\nprobes: {passes: [bare], baselines: none}\n",
                        "run: {warmup: 0s, duration: 100ms, ", run, "}\n", more);
  }
  CampaignRun RunIt(const TempDir& dir, const std::string& yaml, int agents = 1) const {
    return RunCampaign(dir, yaml, {"--local", absl::StrCat(agents)});
  }

  // In the order of the runs; all requests of all runs must have been answered well.
  static std::vector<Load> Loads(const CampaignRun& run) {
    std::vector<Load> loads;
    const nlohmann::json manifest = run.Manifest();
    for (const auto& entry : manifest.at("runs")) {
      const std::string summary = absl::StrCat(
          run.result_dirs.at(0), "/", entry.at("directory").get<std::string>(), "/summary.json");
      const nlohmann::json json = ReadJson(summary);
      EXPECT_EQ(json.at("all").at("counts").at("failed"), 0) << summary;
      for (const auto& agent : json.at("agents")) {
        const nlohmann::json& facts = agent.at("transport_facts");
        Load& load = loads.emplace_back();
        load.rearmed = absl::StrContains(
            ReadFile(summary.substr(0, summary.rfind('/')) + "/run.json"), "\"rearmed\"");
        if (!facts.contains("load_keys")) continue;
        load.keys = std::stoi(facts.at("load_keys").get<std::string>());
        load.written = std::stoi(facts.at("load_written").get<std::string>());
        load.missing = facts.value("load_missing", "");
      }
    }
    return loads;
  }
  static std::vector<int> Written(const CampaignRun& run) {
    std::vector<int> written;
    for (const Load& load : Loads(run)) written.push_back(load.written);
    return written;
  }

  // The same address, and nothing in its store.
  void RestartServer() {
    const std::string address = server_->address();
    server_.reset();
    server_ = std::make_unique<Daemon>("kbench-server", std::vector<std::string>{}, address);
  }

  std::unique_ptr<Daemon> server_ =
      std::make_unique<Daemon>("kbench-server", std::vector<std::string>{}, AddressToComeBackTo());
};

// Two transports, two sizes, three repetitions.
TEST_F(Loading, OfTwelveRunsTwoWriteTheirKeys) {
  const TempDir dir;
  const CampaignRun run =
      RunIt(dir, Yaml("op: get, keys: 300, verify: true, value_size: [1KiB, 16KiB]",
                      "transport: [socket, epoll]\n"));
  ASSERT_EQ(run.finished.code, 0) << run.finished.out << run.finished.err;
  int writing = 0;
  for (const Load& load : Loads(run)) {
    EXPECT_EQ(load.keys, 300);
    EXPECT_EQ(load.missing, "");
    writing += load.written == 300;
  }
  EXPECT_EQ(writing, 2);
  EXPECT_THAT(OneLine(run.finished.out),
              HasSubstr("Keys: written before 2 of 12 runs (600 puts in "));
  EXPECT_THAT(OneLine(run.finished.out),
              HasSubstr("found there by 10, whose agents read up to 64"));
}

TEST_F(Loading, EveryAgentHasItsOwnKeys) {
  const TempDir dir;
  const CampaignRun run =
      RunIt(dir, Yaml("mix: {get: 1, put: 1}, keys: 50", "", "repetitions: 2"), 2);
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  EXPECT_THAT(Written(run), ::testing::ElementsAre(50, 50, 0, 0));
}

TEST_F(Loading, RunsThatDeleteWriteTheirKeysEachTime) {
  const TempDir dir;
  const CampaignRun run = RunIt(dir, Yaml("mix: {delete: 1, put: 1}, keys: 50, load: true"));
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  EXPECT_THAT(Written(run), Each(50));
}

TEST_F(Loading, KeysOfAnEarlierCampaignAreTakenOverWhenItSaysSo) {
  const std::string workload = "op: get, keys: 300, verify: true";
  const TempDir first, second, third, fourth;
  EXPECT_THAT(Written(RunIt(first, Yaml(workload))), ::testing::ElementsAre(300, 0, 0));
  EXPECT_THAT(Written(RunIt(second, Yaml(workload))), ::testing::ElementsAre(300, 0, 0))
      << "not by itself";
  const CampaignRun reused = RunIt(third, Yaml(workload, "load: {reuse: true}\n"));
  ASSERT_EQ(reused.finished.code, 0) << reused.finished.err;
  EXPECT_THAT(Written(reused), Each(0));
  EXPECT_THAT(OneLine(reused.finished.out), HasSubstr("keys_reused"));
  EXPECT_THAT(OneLine(reused.finished.out), HasSubstr("Keys: written before 0 of 3 runs"));
  RestartServer();
  const CampaignRun lost = RunIt(fourth, Yaml(workload, "load: {reuse: true}\n"));
  ASSERT_EQ(lost.finished.code, 0) << lost.finished.err;
  const std::vector<Load> loads = Loads(lost);
  ASSERT_THAT(loads, SizeIs(3));
  EXPECT_EQ(loads[0].written, 300);
  if (!loads[0].rearmed) {
    EXPECT_THAT(loads[0].missing, HasSubstr("64 of 64 keys that were read"));
    EXPECT_THAT(loads[0].missing, HasSubstr("NOT_FOUND"));
    EXPECT_THAT(OneLine(lost.finished.out),
                HasSubstr("before 1 of these because a look did not find them"));
  }
  EXPECT_EQ(loads[1].written + loads[2].written, 0);
  EXPECT_THAT(OneLine(lost.finished.out), Not(HasSubstr("keys_reused")));
}

// As a restart of the server does between two runs; here somebody else deletes what a run that
// reads nothing has written.
TEST_F(Loading, WhatIsGoneBetweenTwoRunsIsFoundOutAndWrittenAgain) {
  const TempDir dir;
  Child kbench(RunArgv(dir, Yaml("op: noop, keys: 5, load: true", "", "repetitions: 2, seed: 9"),
                       {"--local", "1", "--set", "run.duration=6s"}));
  kbench.WaitForOutput("[1/2]", seconds(60));  // two seconds into the window
  const std::vector<std::string> kv = {Program("kbench-kv"), "--server", server_->address()};
  const auto call = [&kv](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kv.begin(), kv.end());
    const Finished finished = e2e::Run(arguments);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return finished.out;
  };
  int deleted = 0;
  for (const std::string& key :
       std::vector<std::string>(absl::StrSplit(call({"range"}), '\n', absl::SkipEmpty()))) {
    call({"del", key, "--force"});
    ++deleted;
  }
  EXPECT_EQ(deleted, 5);
  EXPECT_EQ(kbench.Wait(seconds(120)), 0) << kbench.err();
  const std::vector<Load> loads = Loads(Look(dir, {}));
  ASSERT_THAT(loads, SizeIs(2));
  EXPECT_EQ(loads[0].missing, "");
  EXPECT_EQ(loads[1].written, 5);
  if (!loads[1].rearmed) {
    EXPECT_THAT(loads[1].missing, HasSubstr("5 of 5 keys that were read"));
  }
}

// A resumption is another process, which knows nothing of what the first one has written.
TEST_F(Loading, AResumptionWritesItsKeysAgain) {
  const TempDir dir;
  Child kbench(RunArgv(dir, Yaml("op: get, keys: 20", "", "repetitions: 3"),
                       {"--local", "1", "--set", "run.duration=2s"}));
  kbench.WaitForOutput("[1/3]", seconds(60));
  kbench.Signal(SIGINT);
  EXPECT_EQ(kbench.Wait(seconds(60)), kTerminatedByHand) << kbench.err();
  const CampaignRun before = Look(dir, {});
  const nlohmann::json manifest = before.Manifest();
  size_t complete = 0;
  for (const auto& entry : manifest.at("runs")) complete += entry.at("status") == "complete";
  ASSERT_LT(complete, 3u);
  RestartServer();
  const Finished resumed = e2e::Run({Program("kbench"), "run", "--resume", before.result_dirs.at(0),
                                     "--results", dir.path() + "/results"},
                                    seconds(120));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  CampaignRun after = Look(dir, resumed);
  ASSERT_THAT(after.result_dirs, SizeIs(2));
  after.result_dirs.erase(
      std::find(after.result_dirs.begin(), after.result_dirs.end(), before.result_dirs.at(0)));
  const std::vector<Load> loads = Loads(after);
  ASSERT_THAT(loads, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(loads[i].written, i == 0 || i == complete ? 20 : 0)
        << "run " << i << " of which " << complete << " were there: " << loads[i].missing << "\n"
        << resumed.err;
  }
}

TEST_F(Loading, ReuseWithoutAnyKeysToLoadIsAnErrorOfTheCampaign) {
  const TempDir dir;
  const CampaignRun run = RunIt(dir, Yaml("op: noop", "load: {reuse: true}\n"));
  EXPECT_EQ(run.finished.code, kUsage);
  EXPECT_THAT(run.finished.err, HasSubstr("load.reuse has no effect where no keys are loaded"));
}

TEST_F(Loading, ADrivesLimitOfWritesIsKeptWhateverTheRunsDepth) {
  server_ =
      std::make_unique<Daemon>("kbench-server", std::vector<std::string>{"--limits", "drive"});
  const TempDir dir;
  const CampaignRun run =
      RunIt(dir, Yaml("op: get, keys: 500", "load: {depth: 25}\n", "repetitions: 1"));
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  const std::string summary = FindFiles(run.result_dirs.at(0) + "/cells", "summary.json").at(0);
  const nlohmann::json facts = ReadJson(summary).at("agents").at(0).at("transport_facts");
  EXPECT_LE(std::stoi(facts.at("load_depth").get<std::string>()), 20);
  EXPECT_THAT(Written(run), ::testing::ElementsAre(500));
}

// The load's connections take the place of the run's, and those of the run the load's.
TEST_F(Loading, NeedsNoMoreConnectionsThanItsRun) {
  server_ = std::make_unique<Daemon>("kbench-server",
                                     std::vector<std::string>{"--limits", "connections=4"});
  const TempDir dir;
  const CampaignRun run = RunIt(dir, Yaml("op: get, keys: 500", "load: {flows: 4}\n"));
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  EXPECT_THAT(Written(run), ::testing::ElementsAre(500, 0, 0));
}

}  // namespace
}  // namespace kbench::e2e
