// Ten thousand connections at once: one server process, one agent process, one campaign.

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
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
    EXPECT_GE(counts.at("answered").get<uint64_t>(), kConnections) << "each flow had its turn";
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

}  // namespace
}  // namespace kbench::e2e
