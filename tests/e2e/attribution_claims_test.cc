// What kbench may claim: rows 11 (no difference where there is none) and 14 (a stall is charged to
// every request that was due in it) of the table of acceptance.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analysis/evidence/statistics.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tests/base/judge.h"
#include "tests/e2e/acceptance.h"
#include "tests/e2e/lab_run.h"
#include "tests/e2e/netlab.h"

namespace kbench::e2e {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kUnbounded = 1e12;

// Stops a process for 100 ms of each second, until it is destroyed; then the process runs.
class Stalls {
 public:
  explicit Stalls(pid_t pid) : pid_(pid), timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
    const timespec tick = {.tv_sec = 0, .tv_nsec = 100'000'000};
    const itimerspec every = {.it_interval = tick, .it_value = tick};
    if (timerfd_settime(timer_.get(), 0, &every, nullptr) != 0) std::abort();
    thread_ = std::thread([this] { Loop(); });
  }
  ~Stalls() {
    stop_ = true;
    thread_.join();
    kill(pid_, SIGCONT);
  }
  int count() const { return count_; }

 private:
  void Loop() {
    for (uint64_t tick = 0; !stop_;) {
      uint64_t passed = 0;
      if (read(timer_.get(), &passed, sizeof(passed)) != sizeof(passed)) return;
      tick += passed;
      if (stopped_) {
        kill(pid_, SIGCONT);
        stopped_ = false;
      } else if (tick % 10 == 0 || passed > 1) {
        kill(pid_, SIGSTOP);
        stopped_ = true;
        ++count_;
      }
    }
  }

  const pid_t pid_;
  Fd timer_;
  bool stopped_ = false;  // of the thread alone
  std::atomic<bool> stop_{false};
  std::atomic<int> count_{0};
  std::thread thread_;
};

class Claims : public LabTest {};
class ClaimsTable : public LabTest {};

TEST_F(Claims, AControllerReachesAgentsOnBothHosts) {
  const LabAgent client(*lab_, Host::kClient), server(*lab_, Host::kServer);
  std::vector<std::string> argv = {Program("kbench"), "agents", "ping", "--agents",
                                   client.address() + "," + server.address()};
  for (const std::string& option : LabCertificates::Get().ControllerOptions()) {
    argv.push_back(option);
  }
  const Finished ping = e2e::Run(argv, seconds(60), lab_->Enter(Host::kClient));
  EXPECT_EQ(ping.code, 0) << ping.out << ping.err;
  for (const LabAgent* agent : {&client, &server}) {
    EXPECT_NE(ping.out.find(agent->address()), std::string::npos) << ping.out;
  }
}

TEST_F(Claims, Row14AStallIsChargedToEveryRequestThatWasDueInIt) {
  LabServer server(*lab_);
  LabCampaign campaign;
  int stalls = 0;
  {
    const Stalls stalled(server.child().pid());
    campaign = RunInLab(
        *lab_, absl::StrCat("name: stalls\nserver: {address: '", server.direct(),
                            "'}\ntransport: [socket, uring]\n"
                            "workload: {op: get, value_size: 1KiB, keys: 32}\n"
                            "load: {mode: open, arrival: poisson, rate_total: 1000/s, depth: 512}\n"
                            "run: {warmup: 200ms, duration: 4s, repetitions: 1}\n"));
    stalls = stalled.count();
  }
  EXPECT_GE(stalls, 8);
  ASSERT_EQ(campaign.runs.size(), 2u);
  for (const LabRun& run : campaign.runs) {
    const int unsent = run.summary.at("counts").at("unsent");
    JudgeWhenQuiet(unsent == 0,
                   {.what = "requests that the window had no room for, of 512",
                    .figure = absl::StrCat(unsent),
                    .bound = "none"},
                   campaign.foreign_cpus);
    const double p99 = run.summary.at("response_p99_ns").get<double>() / kNsPerMs;
    Accept({.row = "14",
            .injection = "100 ms stalls each second, open loop, " + run.levels.at("transport"),
            .quantity = "p99 from the intended instant",
            .measured = {p99, p99, p99},
            .least = 80,
            .most = kUnbounded,
            .unit = "ms",
            .foreign_cpus = campaign.foreign_cpus});
    std::cout << "p50 " << run.summary.at("response_p50_ns").get<double>() / kNsPerMs << " ms\n";
  }
}

// Cells that differ in a thing that changes nothing (one key more of many), in pairs, in one
// campaign: how many does the comparison of paired repetitions tell apart? Each pair is judged
// alone, without the correction for many that a report makes.
TEST_F(ClaimsTable, Row11IdenticalCellsAreNotToldApart) {
  constexpr int kPairs = 40;
  const std::vector<std::string> transports = {"socket", "uring"};
  const LabServer server(*lab_);
  std::vector<std::string> keys;
  for (int i = 0; i < kPairs; ++i) keys.push_back(absl::StrCat(1000 + i));
  const LabCampaign campaign = RunInLab(
      *lab_,
      absl::StrCat("name: same\nserver: {address: '", server.direct(),
                   "'}\ntransport: ", YamlList(transports),
                   "\nworkload: {op: get, value_size: 1KiB, keys: [", absl::StrJoin(keys, ", "),
                   "]}\nrun: {warmup: 50ms, duration: 150ms, repetitions: 5}\n"),
      {.pass = "bare"}, seconds(600));
  const auto p50 = [](const LabRun& run) -> std::optional<double> {
    return run.summary.at("response_p50_ns").get<double>();
  };
  int told_apart = 0, pairs = 0;
  for (const std::string& transport : transports) {
    for (int i = 0; i < kPairs; i += 2) {
      const auto values = [&](int key) {
        return campaign.Values({{"transport", transport}, {"keys", keys[key]}}, p50);
      };
      const analysis::Ratio ratio = analysis::PairedRatio(values(i), values(i + 1));
      ASSERT_EQ(ratio.n, 5);
      ++pairs;
      const analysis::Verdict verdict = analysis::Judge(ratio, ratio.p).verdict;
      if (verdict != analysis::Verdict::kDifferent &&
          verdict != analysis::Verdict::kSmallDifference) {
        continue;
      }
      ++told_apart;
      std::cout << transport << " " << keys[i] << ": x " << ratio.ratio << ", p " << ratio.p
                << "\n";
    }
  }
  ASSERT_EQ(pairs, kPairs);
  const double share = static_cast<double>(told_apart) / pairs;
  Accept({.row = "11",
          .injection = absl::StrCat("none, ", pairs, " pairs of cells, socket and uring"),
          .quantity = "share of pairs called different",
          .measured = {share, share, share},
          .least = 0,
          .most = 0.05,
          .unit = "",
          .foreign_cpus = campaign.foreign_cpus});
}

}  // namespace
}  // namespace kbench::e2e
