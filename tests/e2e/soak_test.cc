// A hundred and twenty bad days in a row: agents, servers and controllers are killed or frozen at
// random instants, disks fill, a second controller comes along. After each the campaign has ended
// with a documented exit code, what was measured is there, whatever still lives is idle, and the
// rest can be made. `make soak`; KBENCH_SOAK_FAULTS and KBENCH_SOAK_SEED for more, or for the same
// again.

#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "tests/e2e/blows.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

enum class Victim { kAgent, kServer, kController };
enum class Blow { kKill, kFreezeShortly, kFreeze, kFillDisk, kRival };

struct Fault {
  Victim victim = Victim::kAgent;
  Blow blow = Blow::kKill;
  Nanos after;  // the campaign's start

  std::string Text() const {
    static const char* const kVictims[] = {"agent", "server", "controller"};
    static const char* const kBlows[] = {"killed", "frozen for 3 s", "frozen for 25 s",
                                         "its disk full", "a rival controller"};
    return absl::StrCat(kVictims[static_cast<int>(victim)], " ", kBlows[static_cast<int>(blow)],
                        " after ", after.seconds(), " s");
  }
};

// How a campaign may end after it. Every fault may come too late to be felt.
std::set<int> Documented(const Fault& fault) {
  if (fault.blow == Blow::kRival) return {0, 6};  // either may have been first
  if (fault.blow == Blow::kFillDisk) {
    return fault.victim == Victim::kController ? std::set<int>{0, 1} : std::set<int>{0};
  }
  switch (fault.victim) {
    case Victim::kController:
      if (fault.blow == Blow::kKill) return {0, 137};
      return {0, 6};
    case Victim::kServer:
      return {0, 6, 8, 11};  // half-way, at the beginning of a run, frozen in its load
    case Victim::kAgent:
      break;
  }
  return {0, 6, 11};  // 11: frozen while its clock is asked for
}

// Runs that the controller said had ended: "[3/10] all rep 2 sampled: 1234 ops/s".
size_t RunsSaid(const std::string& progress) {
  size_t runs = 0;
  for (size_t at = progress.find(" sampled: "); at != std::string::npos;
       at = progress.find(" sampled: ", at + 1)) {
    ++runs;
  }
  return runs;
}

Fault Draw(Random* random) {
  Fault fault{.after = Millis(static_cast<int64_t>(random->Below(6000)))};
  fault.victim = static_cast<Victim>(random->Below(3));
  switch (random->Below(8)) {
    case 0:
      fault.blow = Blow::kFreeze;
      break;
    case 1:
    case 2:
      fault.blow = Blow::kFreezeShortly;
      break;
    case 3:
      fault.blow = fault.victim == Victim::kServer ? Blow::kKill : Blow::kFillDisk;
      break;
    case 4:
      fault.blow = Blow::kRival;
      break;
    default:
      fault.blow = Blow::kKill;
  }
  return fault;
}

class Soak : public testing::Test {
 protected:
  static constexpr int kAgents = 2;

  Soak() {
    server_ = std::make_unique<Daemon>("kbench-server", std::vector<std::string>{});
    for (int i = 0; i < kAgents; ++i) StartAgent(i, "127.0.0.1:0");
  }

  void StartAgent(int i, const std::string& listen) {
    auto agent = std::make_unique<Daemon>(
        "kbench-agent",
        std::vector<std::string>{"--plaintext", "--results",
                                 absl::StrCat(agent_disk_.path(), "/disk/kept", i)},
        listen);
    if (static_cast<size_t>(i) < agents_.size()) {
      agents_[static_cast<size_t>(i)] = std::move(agent);
    } else {
      agents_.push_back(std::move(agent));
    }
  }

  std::string Addresses() const {
    return absl::StrCat(agents_[0]->address(), ",", agents_[1]->address());
  }
  std::string Yaml(const std::string& run) const {
    return absl::StrCat("name: soak\nagents: [", Addresses(), "]\nserver: {address: '",
                        server_->address(), "'}\nworkload: {op: put, keys: 16}\n",
                        "run: {warmup: 0s, op_timeout: 4s, connect_timeout: 2s, ", run,
                        "}\nprobes: {passes: [sampled], baselines: none}\n");
  }
  // Of a campaign of about six seconds.
  static std::string Short() { return "duration: 500ms, repetitions: 10, lost_agent: continue"; }

  Finished Kbench(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), Program("kbench"));
    return e2e::Run(arguments, seconds(120));
  }

  Child& Of(const Fault& fault, Child* controller) {
    if (fault.victim == Victim::kController) return *controller;
    return fault.victim == Victim::kServer ? server_->child() : agents_[1]->child();
  }

  // Whatever was killed is started again where it was.
  void Mend(const Fault& fault) {
    if (fault.blow != Blow::kKill || fault.victim == Victim::kController) return;
    if (fault.victim == Victim::kServer) {
      const std::string address = server_->address();
      server_.reset();
      server_ = std::make_unique<Daemon>("kbench-server", std::vector<std::string>{}, address);
    } else {
      const std::string address = agents_[1]->address();
      agents_[1].reset();
      StartAgent(1, address);
    }
  }

  // Both agents say so within the lease; the wait has an end.
  bool BecomesIdle() const {
    const MonoTime deadline = MonoNow() + Seconds(60);
    while (MonoNow() < deadline) {
      const std::string said = Kbench({"agents", "ping", "--agents", Addresses()}).out;
      const size_t first = said.find("idle");
      if (first != std::string::npos && said.find("idle", first + 1) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  const TempDir agent_disk_;
  const SmallDisk disk_of_agents_{agent_disk_.path() + "/disk"};
  std::unique_ptr<Daemon> server_;
  std::vector<std::unique_ptr<Daemon>> agents_;
};

TEST_F(Soak, RandomFaultsInARow) {
  if (!disk_of_agents_.mounted()) GTEST_SKIP() << "needs root: cannot mount a tmpfs";
  const uint64_t faults = FromEnvironment("KBENCH_SOAK_FAULTS", 120);
  const uint64_t seed = FromEnvironment("KBENCH_SOAK_SEED", static_cast<uint64_t>(time(nullptr)));
  std::cout << faults << " faults, KBENCH_SOAK_SEED=" << seed << std::endl;
  Random random(seed);
  std::map<int, int> codes;
  for (uint64_t i = 0; i < faults; ++i) {
    const Fault fault = Draw(&random);
    SCOPED_TRACE(absl::StrCat("fault ", i, ": ", fault.Text()));
    const TempDir dir;
    const SmallDisk disk_of_controller(dir.path() + "/results");
    const MonoTime begun = MonoNow();
    Child controller(RunArgv(dir, Yaml(Short()), {}));
    WaitUntil(begun + fault.after);
    Child& victim = Of(fault, &controller);
    switch (fault.blow) {
      case Blow::kKill:
        victim.Signal(SIGKILL);
        break;
      case Blow::kFreezeShortly:
      case Blow::kFreeze:
        victim.Signal(SIGSTOP);
        WaitUntil(MonoNow() + (fault.blow == Blow::kFreeze ? Seconds(25) : Seconds(3)));
        victim.Signal(SIGCONT);
        break;
      case Blow::kFillDisk:
        (fault.victim == Victim::kAgent ? disk_of_agents_ : disk_of_controller).Fill();
        break;
      case Blow::kRival: {
        const TempDir elsewhere;
        const CampaignRun rival =
            RunCampaign(elsewhere, Yaml("duration: 200ms, repetitions: 1"), {}, seconds(120));
        EXPECT_TRUE(rival.finished.code == 0 || rival.finished.code == 6) << rival.finished.err;
        break;
      }
    }
    const int code = controller.Wait(seconds(120));
    std::cout << i << ": " << fault.Text() << ": exit " << code << ", "
              << (MonoNow() - begun).seconds() << " s" << std::endl;
    ++codes[code];
    EXPECT_TRUE(Documented(fault).contains(code)) << controller.err();
    disk_of_agents_.Free();
    disk_of_controller.Free();
    Mend(fault);
    ASSERT_TRUE(BecomesIdle()) << "an agent stays at work";
    // Nothing is half-written, and nothing that was measured is lost.
    const CampaignRun left = Look(dir, {});
    EXPECT_LE(left.result_dirs.size() + left.partial_dirs.size(), 1u);
    std::vector<std::string> kept = left.result_dirs;
    kept.insert(kept.end(), left.partial_dirs.begin(), left.partial_dirs.end());
    size_t stored = 0;
    for (const std::string& directory : kept) {
      stored += FindFiles(directory, "run.json").size();
      const Finished report = Kbench({"report", directory});
      EXPECT_EQ(report.code, 0) << report.err;
      if (code == 0) continue;
      const Finished rest =
          Kbench({"run", "--resume", directory, "--results", dir.path() + "/results"});
      // Two: every run had been made before the blow fell.
      const bool was_whole = rest.code == 2 && absl::StrContains(rest.err, "is complete");
      EXPECT_TRUE(rest.code == 0 || was_whole) << rest.err;
    }
    EXPECT_GE(stored, RunsSaid(controller.err())) << controller.err();
    ASSERT_FALSE(HasFatalFailure());
    if (HasNonfatalFailure()) break;  // with all its words, not under a hundred others
  }
  for (const auto& [code, times] : codes) {
    std::cout << "exit code " << code << ": " << times << std::endl;
  }
}

}  // namespace
}  // namespace kbench::e2e
