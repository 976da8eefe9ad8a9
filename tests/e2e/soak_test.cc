// A hundred and twenty bad days in a row: agents, servers and controllers are killed or frozen at
// random instants, the link is cut, disks fill, clocks are stepped, second controllers and
// strangers come along, an agent comes back as another version. After each the campaign has ended
// with a documented exit code, what was measured is there, whatever still lives is idle, and the
// rest can be made. `make soak`; KBENCH_SOAK_FAULTS and KBENCH_SOAK_SEED for more, or for the same
// again.
//
//   client host (of the lab): controllers, the Kinetic server | relay | server host: two agents

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
#include "tests/base/certificate.h"
#include "tests/e2e/blows.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/future_agent.h"
#include "tests/e2e/netlab.h"
#include "tests/e2e/stepped_clock.h"

namespace kbench::e2e {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

enum class Victim { kAgent, kServer, kController, kLink, kNobody };
enum class Blow {
  kKill,
  kFreezeShortly,  // or cut, of a link
  kFreeze,
  kFillDisk,
  kStepClock,
  kOtherVersion,  // an agent is killed, and one that speaks another protocol stands in its place
  kRival,         // a second controller
  kStranger,      // one whose certificate another authority signed, has ended, or was taken back
};

struct Fault {
  Victim victim = Victim::kAgent;
  Blow blow = Blow::kKill;
  Nanos after;  // the campaign's start

  std::string Text() const {
    static const char* const kVictims[] = {"agent", "server", "controller", "link", "beside it"};
    static const char* const kBlows[] = {"killed",
                                         "stands still for 3 s",
                                         "stands still for 25 s",
                                         "its disk full",
                                         "its clock stepped",
                                         "replaced by another version",
                                         "a rival controller",
                                         "a stranger"};
    return absl::StrCat(kVictims[static_cast<int>(victim)], " ", kBlows[static_cast<int>(blow)],
                        " after ", after.seconds(), " s");
  }
};

// How a campaign may end after it. Every fault may come too late to be felt.
std::set<int> Documented(const Fault& fault) {
  switch (fault.blow) {
    case Blow::kStepClock:
    case Blow::kStranger:
      return {0};
    case Blow::kRival:
      return {0, 6};  // either may have been first
    case Blow::kFillDisk:
      return fault.victim == Victim::kController ? std::set<int>{0, 1} : std::set<int>{0};
    case Blow::kOtherVersion:
      return {0, 6, 7};  // 7: the campaign begins when it is there
    default:
      break;
  }
  switch (fault.victim) {
    case Victim::kController:
      if (fault.blow == Blow::kKill) return {0, 137};
      return {0, 6};
    case Victim::kServer:
    case Victim::kLink:
      return {0, 6, 8, 11};  // half-way, at the beginning of a run, in its load
    default:
      return {0, 6};
  }
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
  static constexpr std::pair<Victim, Blow> kFaults[] = {
      {Victim::kAgent, Blow::kKill},
      {Victim::kAgent, Blow::kKill},
      {Victim::kServer, Blow::kKill},
      {Victim::kServer, Blow::kKill},
      {Victim::kController, Blow::kKill},
      {Victim::kController, Blow::kKill},
      {Victim::kAgent, Blow::kFreezeShortly},
      {Victim::kAgent, Blow::kFreeze},
      {Victim::kServer, Blow::kFreezeShortly},
      {Victim::kServer, Blow::kFreeze},
      {Victim::kController, Blow::kFreezeShortly},
      {Victim::kController, Blow::kFreeze},
      {Victim::kLink, Blow::kFreezeShortly},
      {Victim::kLink, Blow::kFreeze},
      {Victim::kAgent, Blow::kFillDisk},
      {Victim::kController, Blow::kFillDisk},
      {Victim::kAgent, Blow::kStepClock},
      {Victim::kAgent, Blow::kOtherVersion},
      {Victim::kNobody, Blow::kRival},
      {Victim::kNobody, Blow::kStranger},
  };
  const auto [victim, blow] = kFaults[random->Below(std::size(kFaults))];
  return {
      .victim = victim, .blow = blow, .after = Millis(static_cast<int64_t>(random->Below(6000)))};
}

class Soak : public LabTest {
 protected:
  static constexpr int kAgents = 2;

  Soak() : authority_(keys_.path()), other_authority_(other_keys_.path()) {
    agent_files_ = authority_.Issue("agent", WishFor("agent", NetLab::kServerRouted));
    controller_files_ = authority_.Issue("controller", WishFor("controller"));
    stranger_files_ = other_authority_.Issue("stranger", WishFor("controller"));
    CertificateWish ended = WishFor("controller");
    ended.to_seconds = -6 * 86'400;  // by the agents' clocks as well, wherever they are stepped to
    ended_files_ = authority_.Issue("ended", ended);
    revoked_files_ = authority_.Issue("revoked", WishFor("controller"));
    authority_.Revoke({revoked_files_});
  }
  void SetUp() override {
    LabTest::SetUp();
    if (IsSkipped()) return;
    server_ = StartServer(absl::StrCat(NetLab::kClientRouted, ":0"));
    for (int i = 0; i < kAgents; ++i) {
      agents_.push_back(StartAgent(i, absl::StrCat(NetLab::kServerRouted, ":0")));
    }
  }
  void TearDown() override {
    agents_.clear();
    server_.reset();
    LabTest::TearDown();
  }

  static CertificateWish WishFor(const std::string& role, const std::string& host = "") {
    CertificateWish wish{.common_name = role, .alternative_names = {"URI:urn:kbench:role:" + role}};
    if (!host.empty()) wish.alternative_names.push_back("IP:" + host);
    wish.from_seconds = -7 * 86'400;  // for agents whose clocks are stepped back, again and again
    wish.to_seconds = 86'400;
    return wish;
  }
  std::unique_ptr<Daemon> StartServer(const std::string& listen) const {
    return std::make_unique<Daemon>("kbench-server", std::vector<std::string>{"--allow-remote"},
                                    listen, lab_->Enter(Host::kClient));
  }
  std::unique_ptr<Daemon> StartAgent(int i, const std::string& listen) const {
    std::vector<std::string> options = authority_.TlsOptions(agent_files_);
    options.insert(options.end(), {"--results", absl::StrCat(agent_disk_.path(), "/disk/kept", i),
                                   "--crl-directory", authority_.crl_directory()});
    const SteppedClock::Shown shown(clock_);
    return std::make_unique<Daemon>("kbench-agent", options, listen, lab_->Enter(Host::kServer));
  }

  std::string Addresses() const {
    return absl::StrCat("'", agents_[0]->address(), "','", agents_[1]->address(), "'");
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
    const std::vector<std::string> tls = authority_.TlsOptions(controller_files_);
    const bool asks_agents = arguments[1] == "agents" || arguments[1] == "run";
    if (asks_agents) arguments.insert(arguments.end(), tls.begin(), tls.end());
    return e2e::Run(arguments, seconds(120), lab_->Enter(Host::kClient));
  }
  // A campaign of somebody else's, beside the one that is judged.
  Finished Beside(const CertificateFiles& files) const {
    const TempDir elsewhere;
    return e2e::Run(
        RunArgv(elsewhere, Yaml("duration: 200ms, repetitions: 1"), authority_.TlsOptions(files)),
        seconds(120), lab_->Enter(Host::kClient));
  }

  Child& Of(const Fault& fault, Child* controller) {
    if (fault.victim == Victim::kController) return *controller;
    return fault.victim == Victim::kServer ? server_->child() : agents_[1]->child();
  }

  void Strike(const Fault& fault, Child* controller, const SmallDisk& disk_of_controller) {
    const Nanos still = fault.blow == Blow::kFreeze ? Seconds(25) : Seconds(3);
    switch (fault.blow) {
      case Blow::kKill:
        Of(fault, controller).Signal(SIGKILL);
        break;
      case Blow::kFreezeShortly:
      case Blow::kFreeze:
        if (fault.victim == Victim::kLink) {
          lab_->LoseRouted(1);
        } else {
          Of(fault, controller).Signal(SIGSTOP);
        }
        WaitUntil(MonoNow() + still);
        if (fault.victim == Victim::kLink) {
          lab_->LoseNothing();
        } else {
          Of(fault, controller).Signal(SIGCONT);
        }
        break;
      case Blow::kFillDisk:
        (fault.victim == Victim::kAgent ? disk_of_agents_ : disk_of_controller).Fill();
        break;
      case Blow::kStepClock:
        stepped_ = stepped_ - Seconds(1000);
        clock_.Step(stepped_);
        break;
      case Blow::kOtherVersion: {
        const std::string address = agents_[1]->address();
        agents_[1].reset();
        std::unique_ptr<FutureAgent> other;
        lab_->In(Host::kServer, [&] {
          other = std::make_unique<FutureAgent>(address, authority_.ca_file(), agent_files_);
        });
        WaitUntil(MonoNow() + still);
        other.reset();
        agents_[1] = StartAgent(1, address);
        break;
      }
      case Blow::kRival: {
        const Finished rival = Beside(controller_files_);
        EXPECT_TRUE(rival.code == 0 || rival.code == 6) << rival.err;
        break;
      }
      case Blow::kStranger:
        for (const CertificateFiles* files : {&stranger_files_, &ended_files_, &revoked_files_}) {
          EXPECT_EQ(Beside(*files).code, 6) << files->certificate;
        }
        break;
    }
  }

  // All runs, of all agents, nothing failed: the fault was not felt, or was borne.
  static void ExpectWhole(const std::string& directory) {
    EXPECT_EQ(ReadJson(directory + "/manifest.json")["status"], "complete");
    const std::vector<std::string> runs = FindFiles(directory, "run.json");
    EXPECT_EQ(runs.size(), 10u);
    for (const std::string& path : runs) {
      const nlohmann::json run = ReadJson(path);
      EXPECT_EQ(run["status"], "complete") << path;
      EXPECT_EQ(run["agents"].size(), 2u) << path;
      const auto health = ReadJson(std::filesystem::path(path).parent_path() / "health.json");
      EXPECT_EQ(health["counts_add_up"], true) << path;
    }
  }

  // Whatever was killed is started again where it was.
  void Mend(const Fault& fault) {
    if (fault.blow != Blow::kKill) return;
    if (fault.victim == Victim::kServer) {
      const std::string address = server_->address();
      server_.reset();
      server_ = StartServer(address);
    } else if (fault.victim == Victim::kAgent) {
      const std::string address = agents_[1]->address();
      agents_[1].reset();
      agents_[1] = StartAgent(1, address);
    }
  }

  // Both agents say so within the lease; the wait has an end.
  bool BecomesIdle() const {
    const MonoTime deadline = MonoNow() + Seconds(60);
    const std::string agents = absl::StrCat(agents_[0]->address(), ",", agents_[1]->address());
    while (MonoNow() < deadline) {
      const std::string said = Kbench({"agents", "ping", "--agents", agents}).out;
      const size_t first = said.find("idle");
      if (first != std::string::npos && said.find("idle", first + 1) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  const TempDir keys_, other_keys_;
  Authority authority_, other_authority_;
  CertificateFiles agent_files_, controller_files_, stranger_files_, ended_files_, revoked_files_;
  const TempDir agent_disk_;
  const SmallDisk disk_of_agents_{agent_disk_.path() + "/disk"};
  const SteppedClock clock_{agent_disk_};
  Nanos stepped_;
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
    Child controller(RunArgv(dir, Yaml(Short()), authority_.TlsOptions(controller_files_)),
                     lab_->Enter(Host::kClient));
    WaitUntil(begun + fault.after);
    Strike(fault, &controller, disk_of_controller);
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
      if (code == 0) {
        ExpectWhole(directory);
        continue;
      }
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
