// Who is killed or frozen, in which phase of a campaign: every combination, one campaign each, all
// at once. Each ends with its documented exit code and names whom it lost; whoever still lives is
// idle afterwards; what was measured can be read; nothing hangs. Phases that last milliseconds
// (clock, collect, store) cannot be aimed at: the soak's random instants fall into them.

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "tests/base/judge.h"
#include "tests/e2e/blows.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

constexpr int kDone = 0, kIncomplete = 6, kUnreachable = 8, kPhaseTimeout = 11;
constexpr int kKilled = 128 + SIGKILL;

enum class Victim { kAgent, kServer, kController };
constexpr const char* kVictims[] = {"agent", "server", "controller"};

// A phase that lasts until a blow falls into it.
struct Phase {
  std::string name;
  std::string published;     // as `kbench status` calls it
  Nanos into;                // when the blow falls, after it began
  std::string service_time;  // of the server; empty: none
  std::string run;           // fields of the section
  int64_t keys = 64;
  // Frozen from the beginning: they listen, and say nothing.
  bool silent_agent = false;
  bool silent_server = false;
  bool server_matters = true;
  std::string baselines = "none";
  bool measured = false;  // an agent has something to keep
};

const Phase kPhases[] = {
    {.name = "hello",
     .published = "hello",
     .into = Millis(300),
     .service_time = "",
     .run = "connect_timeout: 5s, op_timeout: 4s, warmup: 0s, duration: 1s",
     .silent_agent = true,
     .server_matters = false},
    {.name = "baselines",
     .published = "network baselines",
     .into = Millis(300),
     .service_time = "noop=100ms",  // of 40 of them
     .run = "connect_timeout: 5s, op_timeout: 4s, warmup: 0s, duration: 1s",
     .baselines = "auto"},
    {.name = "connect",
     .published = "connect",
     .into = Millis(300),
     .service_time = "",
     .run = "connect_timeout: 45s, op_timeout: 4s, warmup: 0s, duration: 1s",
     .silent_server = true},
    {.name = "load",
     .published = "load",
     .into = Millis(300),
     .service_time = "put=100ms",
     .run = "connect_timeout: 5s, op_timeout: 4s, warmup: 0s, duration: 1s",
     .keys = 200'000},
    {.name = "warm-up",
     .published = "warm-up",
     .into = Millis(300),
     .service_time = "",
     .run = "connect_timeout: 5s, op_timeout: 4s, warmup: 30s, duration: 1s"},
    {.name = "measure",
     .published = "measure",
     .into = Millis(700),
     .service_time = "",
     .run = "connect_timeout: 5s, op_timeout: 4s, warmup: 0s, duration: 30s",
     .measured = true},
    {.name = "drain",
     .published = "measure",
     .into = Millis(1500),
     .service_time = "get=10s",
     .run = "connect_timeout: 5s, op_timeout: 15s, warmup: 0s, duration: 500ms",
     .measured = true},
};

class Drill {
 public:
  Drill(const Phase& phase, Victim victim) : phase_(phase), victim_(victim) {
    std::vector<std::string> options;
    if (!phase.service_time.empty()) options = {"--service-time", phase.service_time};
    server_ = std::make_unique<Daemon>("kbench-server", options);
    agent_ = std::make_unique<Daemon>(
        "kbench-agent",
        std::vector<std::string>{"--plaintext", "--results", dir_.path() + "/kept"});
    if (phase.silent_server) server_->child().Signal(SIGSTOP);
    if (phase.silent_agent) agent_->child().Signal(SIGSTOP);
    controller_ = std::make_unique<Child>(RunArgv(dir_, Yaml(), {}));
  }
  ~Drill() { server_->child().Signal(SIGCONT); }

  // Both are false, and nothing is judged, when the phase was over before the blow could fall.
  bool Kill(const std::set<int>& codes) {
    if (!Strike(SIGKILL)) return false;
    Judge(codes, seconds(90));
    return true;
  }
  // Longer than the lease. Frozen processes keep their connections open: only their silence tells.
  bool Freeze(const std::set<int>& codes) {
    frozen_ = true;
    if (!Strike(SIGSTOP)) return false;
    if (victim_ == Victim::kController) {
      WaitUntil(MonoNow() + Seconds(25));
      controller_->Signal(SIGCONT);
    }
    Judge(codes, seconds(150));
    return true;
  }

 private:
  std::string Yaml() const {
    return absl::StrCat(
        "name: drill\nagents: ['", agent_->address(), "']\nserver: {address: '", server_->address(),
        "'}\nworkload: {op: get, value_size: 64B, keys: ", phase_.keys,
        "}\nload: {mode: open, rate_total: 100}\nrun: {repetitions: 1, ", phase_.run,
        "}\nprobes: {passes: [sampled], baselines: ", phase_.baselines, "}\n");
  }

  Child& VictimsProcess() {
    if (victim_ == Victim::kController) return *controller_;
    return victim_ == Victim::kServer ? server_->child() : agent_->child();
  }

  // The controller's own word, while it runs.
  bool InPhase() const {
    for (const std::string& partial : Look(dir_, {}).partial_dirs) {
      std::ifstream file(partial + "/status.json");
      const nlohmann::json live = nlohmann::json::parse(file, nullptr, false);
      if (live.is_discarded()) continue;
      if (live["phase"] == phase_.published) return true;
      if (live["what"] == phase_.published && live["phase"] == "") return true;
    }
    return false;
  }

  bool AwaitPhase() {
    const MonoTime deadline = MonoNow() + Seconds(60);
    while (MonoNow() < deadline) {
      if (InPhase()) {
        WaitUntil(MonoNow() + phase_.into);
        return true;
      }
      if (!Look(dir_, {}).result_dirs.empty()) return false;  // it was over before anybody saw it
      WaitUntil(MonoNow() + Millis(20));                      // others drill beside us
    }
    ADD_FAILURE() << "the phase never came: " << controller_->err();
    return false;
  }

  // A machine that others use may let the phase pass before the blow falls. (Not asked afterwards:
  // the controller goes on at once. Every phase has seconds left by then.)
  bool Strike(int signal) {
    if (!AwaitPhase() || !InPhase()) return false;
    VictimsProcess().Signal(signal);
    return true;
  }

  void Judge(const std::set<int>& codes, milliseconds patience) {
    const int code = controller_->Wait(patience);
    EXPECT_TRUE(codes.contains(code)) << "exit " << code << ": " << controller_->err();
    if (victim_ != Victim::kController && code != kDone) {
      const std::string& whom = victim_ == Victim::kServer ? server_->address() : agent_->address();
      EXPECT_TRUE(absl::StrContains(controller_->err(), whom)) << controller_->err();
    }
    VictimsProcess().Signal(SIGCONT);
    agent_->child().Signal(SIGCONT);
    if (victim_ != Victim::kAgent || frozen_) ExpectIdle(code);
    ExpectReadable(code);
  }

  void ExpectIdle(int code) {
    const MonoTime deadline = MonoNow() + Seconds(40);
    std::string said;
    while (!absl::StrContains(said, "idle")) {
      ASSERT_LT(MonoNow(), deadline) << "the agent stays at work: " << said;
      said = Kbench({"agents", "ping", "--agents", agent_->address()}).out;
    }
    if (victim_ == Victim::kServer || !phase_.measured || code == kDone) return;
    said = Kbench({"agents", "results", "--agents", agent_->address()}).out;
    EXPECT_TRUE(absl::StrContains(said, "-0000")) << "what was measured is lost: " << said;
  }

  void ExpectReadable(int code) {
    const CampaignRun left = Look(dir_, {});
    EXPECT_EQ(left.partial_dirs.size(), code == kKilled ? 1u : 0u);
    for (const std::string& partial : left.partial_dirs) {
      const Finished shown = Kbench({"show", partial});
      EXPECT_TRUE(absl::StrContains(shown.out, "recoverable")) << shown.out << shown.err;
    }
    EXPECT_LE(left.result_dirs.size(), 1u);
    for (const std::string& directory : left.result_dirs) {
      EXPECT_EQ(left.Manifest()["status"], code == kDone ? "complete" : "failed");
      const Finished report = Kbench({"report", directory});
      EXPECT_EQ(report.code, 0) << report.err;
      if (code != kDone || victim_ != Victim::kServer) continue;
      const auto health = ReadJson(FindFiles(directory, "health.json").at(0));
      EXPECT_EQ(health["verdict"], "suspect") << health;
    }
  }

  Finished Kbench(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), Program("kbench"));
    return e2e::Run(arguments);
  }

  const Phase& phase_;
  const Victim victim_;
  bool frozen_ = false;
  const TempDir dir_;
  std::unique_ptr<Daemon> server_;
  std::unique_ptr<Daemon> agent_;
  std::unique_ptr<Child> controller_;
};

constexpr int kTriesMost = 3;

// Every phase, every victim, at the same time. `blow` gets the drill and how it may end, and is
// repeated when it missed its phase.
template <typename Blow>
void Everywhere(Blow blow) {
  std::vector<std::thread> drills;
  for (const Phase& phase : kPhases) {
    for (const Victim victim : {Victim::kAgent, Victim::kServer, Victim::kController}) {
      if (victim == Victim::kServer && !phase.server_matters) continue;
      drills.emplace_back([&phase, victim, blow] {
        const std::string what =
            absl::StrCat(kVictims[static_cast<int>(victim)], " in ", phase.name);
        SCOPED_TRACE(what);
        for (int tries = 0; tries < kTriesMost; ++tries) {
          Drill drill(phase, victim);
          if (blow(&drill, phase, victim) || testing::Test::HasFailure()) return;
        }
        NotJudged({.what = what,
                   .figure = absl::StrCat(kTriesMost, " blows fell beside the phase"),
                   .bound = "one is to fall into it"},
                  "the machine is busy");
      });
    }
  }
  for (std::thread& drill : drills) drill.join();
}

TEST(PhaseDrills, Killed) {
  Everywhere([](Drill* drill, const Phase& phase, Victim victim) {
    // A server that was never reached is another matter than one that was lost.
    const bool unreached = phase.name == "baselines" || phase.name == "connect";
    return drill->Kill({victim == Victim::kController            ? kKilled
                        : victim == Victim::kServer && unreached ? kUnreachable
                                                                 : kIncomplete});
  });
}

TEST(PhaseDrills, Frozen) {
  Everywhere([](Drill* drill, const Phase& phase, Victim victim) {
    std::set<int> codes = {kIncomplete};
    if (victim == Victim::kServer) {
      // From the warm-up on it is what was measured: requests without an answer.
      codes = {phase.name == "baselines" || phase.name == "connect" ? kUnreachable
               : phase.name == "load"                               ? kPhaseTimeout
                                                                    : kDone};
    }
    if (victim == Victim::kController) {
      // Nobody waits for it yet; or the agent has done its work, and its result waits in a buffer.
      if (phase.name == "baselines" || phase.name == "drain") codes.insert(kDone);
    }
    return drill->Freeze(codes);
  });
}

}  // namespace
}  // namespace kbench::e2e
