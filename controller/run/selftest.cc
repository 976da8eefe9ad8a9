#include "controller/run/selftest.h"

#include <sched.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/campaign.h"
#include "controller/run/campaign_description.h"
#include "controller/store/selftest_record.h"

namespace kbench {
namespace {

using analysis::Experiment;

// One experiment as a campaign: its doses' YAML beside what all have in common.
struct Trial {
  Experiment experiment;
  std::string yaml;
};

std::string List(const std::vector<std::string>& items) {
  return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
}

// Requests come at the same fixed rate at every dose, on CPUs that are kept awake: caches and CPUs
// are then equally warm, and what moves is what was injected.
std::string CommonYaml(const SelftestOptions& options, absl::string_view name,
                       absl::string_view inject, int64_t value_bytes = 4096) {
  std::string yaml = absl::StrCat(
      "name: ", name, "\nworkload: {op: get, keys: 64, value_size: ", FormatSize(value_bytes),
      "}\n", "transport: ", List(options.transports),
      "\nload: {mode: open, arrival: constant, rate_per_agent: 250/s, flows: 1, depth: 8}\n",
      "probes: {passes: [sampled, full], sample_every: 1, full_sample_every: 1, baselines: none}\n",
      "inject: {keep_awake: true", inject.empty() ? "" : ", ", inject, "}\n",
      "run: {warmup: 200ms, duration: 400ms, repetitions: ", options.quick ? 3 : 6, ", seed: 7}\n");
  if (!options.agents.empty()) absl::StrAppend(&yaml, "agents: ", List(options.agents), "\n");
  return yaml;
}

std::string ServerYaml(const SelftestOptions& options) {
  if (options.run.local_agents > 0) return "";
  return absl::StrCat(
      "server: {address: '", options.server, "'",
      options.observer.empty() ? "" : absl::StrCat(", observer: '", options.observer, "'"), "}\n");
}

// A link of a rate holds a value for its bits. All doses are of a link: without one nothing waits
// for the whole of a value, and the first step would be shorter than the others.
Trial ShapedTrial(const SelftestOptions& options) {
  constexpr int64_t kValueBytes = 65536;
  Trial trial{{.name = "shaped link",
               .axis = "inject_relay_rate",
               .part = "network",
               .tolerance = 0.03,
               .others = 0.05},
              ""};
  std::vector<std::string> rates;
  for (const int64_t gigabits_in_ten_s : {40, 20, 14, 10, 8}) {
    const int64_t rate = gigabits_in_ten_s * 100'000'000;
    rates.push_back(FormatBitRate(rate));
    trial.experiment.levels[rates.back()] =
        FormatDuration(Nanos(kValueBytes * 8'000'000'000 / rate));
  }
  trial.yaml =
      CommonYaml(options, "selftest-link", absl::StrCat("relay_rate: ", List(rates)), kValueBytes) +
      ServerYaml(options);
  return trial;
}

// A CPU that burns for one request longer has less time to fall asleep in before the next: other
// parts may gain a little, never lose the delay (docs/measurement.md, "Ground truth").
std::vector<Trial> ClientTrials(const SelftestOptions& options) {
  constexpr absl::string_view kBurns = "[0us, 25us, 50us, 100us, 200us]";
  constexpr absl::string_view kRelays = "[0us, 75us, 150us, 225us, 300us]";
  const std::string server = ServerYaml(options);
  return {{{.name = "client encode",
            .axis = "inject_encode",
            .part = "client_encode",
            .tolerance = 0.01,
            .others = 0.02,
            .exceptions = {{"server", 0.10}}},
           CommonYaml(options, "selftest-encode", absl::StrCat("encode: ", kBurns)) + server},
          {{.name = "client decode",
            .axis = "inject_decode",
            .part = "client_decode",
            .tolerance = 0.01,
            .others = 0.02,
            .exceptions = {{"server", 0.12}}},
           CommonYaml(options, "selftest-decode", absl::StrCat("decode: ", kBurns)) + server},
          {{.name = "relay",
            .axis = "inject_relay",
            .part = "network",
            .per_dose = 2,
            .tolerance = 0.03,
            .others = 0.05},
           CommonYaml(options, "selftest-relay", absl::StrCat("relay: ", kRelays)) + server},
          ShapedTrial(options)};
}

std::vector<Trial> ServerTrials(const SelftestOptions& options) {
  std::vector<Trial> trials;
  if (options.run.local_agents == 0) {
    if (options.dosed_servers.empty()) return trials;
    std::vector<std::string> addresses;
    Experiment experiment{.name = "server", .axis = "server", .part = "server"};
    for (const auto& [address, service_time] : options.dosed_servers) {
      addresses.push_back(absl::StrCat("'", address, "'"));
      experiment.levels[address] = service_time;
    }
    trials.push_back(
        {experiment,
         absl::StrCat(
             CommonYaml(options, "selftest-server", ""), "server: {address: ", List(addresses),
             options.observer.empty() ? "" : absl::StrCat(", observer: '", options.observer, "'"),
             "}\n")});
    return trials;
  }
  const auto trial = [&](const char* model, const char* doses) {
    return Trial{{.name = absl::StrCat("server ", model), .axis = "service_time", .part = "server"},
                 absl::StrCat(CommonYaml(options, absl::StrCat("selftest-server-", model), ""),
                              "server: {service_model: ", model, ", service_time: ", doses, "}\n")};
  };
  trials.push_back(trial("busy", "[get=0us, get=50us, get=100us, get=200us, get=400us]"));
  trials.push_back(trial("sleep", "[get=0us, get=150us, get=300us, get=450us, get=600us]"));
  return trials;
}

// What is started here shares one CPU with us: whether a wake-up crosses CPUs is else the
// scheduler's choice, which a delay changes.
class OneCpu {
 public:
  explicit OneCpu(bool wanted) {
    if (!wanted || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
      if (!CPU_ISSET(cpu, &before_)) continue;
      CPU_SET(cpu, &one);
      break;
    }
    changed_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~OneCpu() {
    if (changed_) sched_setaffinity(0, sizeof before_, &before_);
  }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_ = {};
  bool changed_ = false;
};

}  // namespace

bool SelftestOutcome::passed() const {
  return status.ok() && !responses.empty() &&
         std::all_of(responses.begin(), responses.end(),
                     [](const analysis::DoseResponse& r) { return r.ok(); });
}

SelftestOutcome RunSelftest(const SelftestOptions& options, Interrupts* interrupts,
                            Progress* progress) {
  const bool local = options.run.local_agents > 0;
  const OneCpu one_cpu(local);
  SelftestOutcome outcome;
  outcome.fleet = FleetKey(options.agents, local);
  std::vector<Trial> trials = ServerTrials(options);
  if (trials.empty()) {
    outcome.not_done.emplace_back(
        "server: needs reference servers with service times (--dosed-server, or --local)");
  }
  if (local || !options.server.empty()) {
    for (Trial& trial : ClientTrials(options)) trials.push_back(std::move(trial));
  } else {
    outcome.not_done.emplace_back("client and relay: need a server (--server)");
  }
  bool server_merged = false;
  for (const Trial& trial : trials) {
    const absl::StatusOr<Campaign> campaign =
        ParseCampaign(absl::StrCat("selftest ", trial.experiment.name), trial.yaml,
                      {.local_agents = options.run.local_agents});
    if (!campaign.ok()) {
      outcome.status = campaign.status();
      return outcome;
    }
    const CampaignOutcome run = RunCampaign(*campaign, options.run, interrupts, progress);
    for (analysis::DoseResponse& response : analysis::ResponsesOf(trial.experiment, run.evidence)) {
      server_merged |= response.fault.empty() && !response.separates_server;
      outcome.responses.push_back(std::move(response));
    }
    if (!run.status.ok()) {
      outcome.status = Annotate(run.status, absl::StrCat("experiment ", trial.experiment.name));
      return outcome;
    }
  }
  if (server_merged) {
    outcome.not_done.emplace_back(
        "server against network: not separated, for want of an agent on the server's host "
        "(--observer) or of a server that records residences");
  }
  outcome.ended_utc = UtcNow();
  return outcome;
}

}  // namespace kbench
