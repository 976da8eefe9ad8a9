// Ten thousand connections at once, and a hundred agents at once.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

constexpr uint64_t kConnections = 10'000;

// "VmHWM" of a process: the most memory that it ever held, in KiB.
uint64_t MostMemoryKib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
  }
  ADD_FAILURE() << "no VmHWM for process " << pid;
  return 0;
}

TEST(Scale, TenThousandConnectionsOnTheServerAndOnOneAgent) {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < kConnections + 200) {
    GTEST_SKIP() << "RLIMIT_NOFILE allows " << files.rlim_max << " open files to a process";
  }
  for (const std::string transport : {"epoll", "uring"}) {
    // One worker's ring has a limit; the server does not care how its clients share theirs.
    const std::string workers = transport == "uring" ? "workers: {count: 2}\n" : "";
    Daemon server("kbench-server", {"--residence-records", "0"});
    Daemon agent("kbench-agent", {"--plaintext"});
    const uint64_t server_before = MostMemoryKib(server.child().pid());
    const uint64_t agent_before = MostMemoryKib(agent.child().pid());
    const TempDir dir;
    const ForeignCpu others;
    const CampaignRun run = RunCampaign(
        dir,
        absl::StrCat("name: many\nagents: ['", agent.address(), "']\nserver: {address: '",
                     server.address(), "'}\ntransport: ", transport, "\n", workers,
                     "workload: {op: noop}\n"
                     "load: {flows: 10000, depth: 1}\n"
                     "probes: {passes: [bare]}\n"
                     "run: {warmup: 500ms, duration: 2s, repetitions: 1, "
                     "connect_timeout: 60s, op_timeout: 30s}\n"),
        {}, seconds(200));
    ASSERT_EQ(run.finished.code, 0) << run.finished.err;
    const nlohmann::json summary =
        ReadJson(FindFiles(run.result_dirs.front() + "/cells", "summary.json").front());
    const nlohmann::json& counts = summary.at("all").at("counts");
    const uint64_t answered = counts.at("answered");
    JudgeWhenQuiet(answered >= kConnections,
                   {.what = absl::StrCat("answers on 10000 connections in 2 s, ", transport),
                    .figure = absl::StrCat(answered),
                    .bound = "one each"},
                   others.Cpus());
    EXPECT_EQ(counts.at("failed"), 0);
    EXPECT_EQ(counts.at("lost"), 0);
    std::cout << transport << ": " << counts.at("answered") << " answers on " << kConnections
              << " connections; memory a connection: server "
              << static_cast<double>(MostMemoryKib(server.child().pid()) - server_before) /
                     static_cast<double>(kConnections)
              << " KiB, agent "
              << static_cast<double>(MostMemoryKib(agent.child().pid()) - agent_before) /
                     static_cast<double>(kConnections)
              << " KiB\n";
  }
}

// User and system time of a process that runs, in seconds.
double CpuSeconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// A hundred agents in one campaign: barriers, live view, start at one instant, merge.
TEST(Scale, AHundredAgents) {
  constexpr size_t kAgents = 100;
  Daemon server("kbench-server", {"--residence-records", "0"});
  std::vector<std::unique_ptr<Daemon>> agents;
  std::string addresses;
  for (size_t i = 0; i < kAgents; ++i) {
    agents.push_back(
        std::make_unique<Daemon>("kbench-agent", std::vector<std::string>{"--plaintext"}));
    absl::StrAppend(&addresses, i == 0 ? "'" : ", '", agents.back()->address(), "'");
  }
  const TempDir dir;
  const ForeignCpu others;
  Child kbench(RunArgv(
      dir,
      absl::StrCat("name: fleet\nagents: [", addresses, "]\nserver: {address: '", server.address(),
                   "'}\nworkload: {op: noop}\nworkers: {cpus: none}\n"
                   "load: {mode: open, rate_per_agent: 20/s, depth: 4}\n"
                   "probes: {passes: [bare], baselines: none}\n"
                   "run: {warmup: 500ms, duration: 4s, repetitions: 2}\n"),
      {}));
  kbench.WaitForOutput("[2/2]", seconds(200));
  // The live view of all agents, and the controller's cost so far.
  kbench.WaitForOutput("measure", seconds(200));
  const Finished status = e2e::Run(
      {Program("kbench"), "status", "--format", "json", "--results", dir.path() + "/results"});
  const nlohmann::json live = nlohmann::json::parse(status.out).at(0);
  EXPECT_GT(live.at("ops_per_s"), 0) << live;
  JudgeWhenQuiet(live.at("ops_per_s") > 10 * kAgents,
                 {.what = "live rate of 100 agents, at 20/s by each",
                  .figure = live.at("ops_per_s").dump(),
                  .bound = "more than half of it"},
                 others.Cpus());
  const uint64_t memory = MostMemoryKib(kbench.pid());
  const double cpu = CpuSeconds(kbench.pid());
  ASSERT_EQ(kbench.Wait(seconds(200)), 0) << kbench.err();
  const CampaignRun run = Look(dir, {});
  for (const std::string& path : FindFiles(run.result_dirs.front(), "run.json")) {
    EXPECT_EQ(ReadJson(path).at("agents").size(), kAgents) << path;
    // Merged: what each was to send, to the last request, and an answer to somebody everywhere.
    const nlohmann::json merged =
        ReadJson(std::filesystem::path(path).parent_path() / "summary.json");
    EXPECT_EQ(merged.at("all").at("counts").at("due"), kAgents * 20 * 4) << path;
    uint64_t sum = 0;
    for (const nlohmann::json& agent : merged.at("agents")) {
      EXPECT_GT(agent.at("counts").at("answered"), 0) << agent.at("agent");
      sum += agent.at("counts").at("answered").get<uint64_t>();
    }
    EXPECT_EQ(merged.at("all").at("counts").at("answered"), sum) << path;
  }
  const nlohmann::json summary = ReadJson(run.result_dirs.front() + "/summary.json");
  const nlohmann::json& skew = summary.at("start_skew");
  EXPECT_EQ(skew.at("runs"), 2);
  std::cout << kAgents << " agents: controller " << memory / 1024 << " MiB, " << cpu
            << " s of CPU up to the second run's window; first requests "
            << skew.at("p99_ns").get<double>() / 1e6 << " ms apart, clocks known to "
            << skew.at("clock_error_ns").get<double>() / 1e6 << " ms\n";
}

}  // namespace
}  // namespace kbench::e2e
