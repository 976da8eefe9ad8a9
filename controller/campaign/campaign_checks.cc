#include "controller/campaign/campaign_checks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "controller/campaign/client_checks.h"

namespace kbench {
namespace {

using IsGiven = std::function<bool(absl::string_view)>;

constexpr int64_t kSelfDescribingBytes = 32;  // as agent/load/value_label.h lays them out
constexpr int64_t kMostInFlight = 1 << 20;    // what an agent accepts (agent/service/run_proto.cc)

// That an arrival has the kind of rate that it is of.
void CheckArrival(const Settings& s, absl::string_view rate_path,
                  std::vector<CampaignComplaint>* complaints) {
  const RateProfile& rate = s.rate_total.given() ? s.rate_total : s.rate_per_agent;
  const auto complain = [&](absl::string_view path, const auto&... what) {
    complaints->push_back({std::string(path), absl::StrCat(what...)});
  };
  if (s.arrival == "ramp" && !rate.is_ramp()) {
    complain(rate_path, "load.arrival ramp goes from one rate to another; write ", rate_path,
             ": 1k/s to 5k/s");
  } else if (s.arrival == "steps" && !rate.is_steps()) {
    complain(rate_path, "load.arrival steps has several rates; write ", rate_path,
             ": 1k/s then 5k/s, or with lengths, 1k/s for 2s then 5k/s for 3s");
  } else if (s.arrival != "ramp" && rate.is_ramp()) {
    complain(rate_path, rate_path, " is a ramp and load.arrival ", s.arrival,
             " has one rate; add load.arrival: ramp");
  } else if (s.arrival != "steps" && rate.is_steps()) {
    complain(rate_path, rate_path, " has steps and load.arrival ", s.arrival,
             " has one rate; add load.arrival: steps");
  }
  if (const std::string fault = rate.FaultOver(s.duration); !fault.empty()) {
    complain(rate_path, rate_path, ": ", fault);
  }
  if (s.arrival == "bursts" && s.burst_size == 0) {
    complain("load.arrival", "bursts need a size: add load.burst_size, like 16");
  }
}

void CheckLoad(const Settings& s, const IsGiven& is_given,
               std::vector<CampaignComplaint>* complaints) {
  const bool has_rate = s.rate_total.given() || s.rate_per_agent.given();
  const char* rate_path = s.rate_total.given() ? "load.rate_total" : "load.rate_per_agent";
  if (s.rate_total.given() && s.rate_per_agent.given()) {
    complaints->push_back({"load.rate_per_agent",
                           "both load.rate_total and load.rate_per_agent are given; keep one"});
  }
  if (s.open_loop && !has_rate) {
    complaints->push_back({"load.mode",
                           "an open loop needs a rate: add load.rate_total or "
                           "load.rate_per_agent, like 5k/s"});
  }
  if (!s.open_loop && has_rate) {
    complaints->push_back({rate_path, absl::StrCat(rate_path,
                                                   " is given, but a closed loop sends when an "
                                                   "answer comes; use load.mode: open, or drop "
                                                   "the rate")});
  }
  if (!s.open_loop && is_given("load.arrival")) {
    complaints->push_back(
        {"load.arrival", "load.arrival belongs to an open loop; use load.mode: open, or drop it"});
  }
  if (s.open_loop && has_rate) CheckArrival(s, rate_path, complaints);
  if (static_cast<int64_t>(s.flows) * s.depth > kMostInFlight) {
    complaints->push_back(
        {"load.depth", absl::StrCat("load.flows ", s.flows, " x load.depth ", s.depth, " is above ",
                                    kMostInFlight, " requests in flight on one agent")});
  }
  if (s.workers > s.flows) {
    complaints->push_back(
        {"workers.count", absl::StrCat("workers.count ", s.workers, " exceeds load.flows ", s.flows,
                                       ": a worker without a connection measures nothing")});
  }
  if (s.cpu_placement == CpuPlacement::kList &&
      s.worker_cpus.size() < static_cast<size_t>(s.workers)) {
    complaints->push_back(
        {"workers.cpus", absl::StrCat("workers.cpus lists ", s.worker_cpus.size(), " cpus for ",
                                      s.workers, " workers; list one for each")});
  }
}

void CheckServer(const Settings& s, bool local, const IsGiven& is_given,
                 std::vector<CampaignComplaint>* complaints) {
  if (s.EmbeddedServer() && !local) {
    complaints->push_back({"",
                           "no server.address: add 'server: {address: HOST:PORT}', or run with "
                           "--local N to get a server of its own"});
  }
  const bool injected = !s.service_time.empty() || is_given("server.service_model");
  const char* path = s.service_time.empty() ? "server.service_model" : "server.service_time";
  if (injected && !(s.EmbeddedServer() && local)) {
    complaints->push_back({path, absl::StrCat(path,
                                              " can only be set on the embedded server: run with "
                                              "--local N and without server.address")});
  }
  if (s.service_time.empty() && is_given("server.service_model") &&
      !is_given("server.service_time")) {
    complaints->push_back(
        {"server.service_model", "server.service_model has no effect without server.service_time"});
  }
}

void CheckObserver(const Settings& s, std::vector<CampaignComplaint>* complaints) {
  if (!s.observer.empty() && s.EmbeddedServer()) {
    complaints->push_back({"server.observer",
                           "the first agent of --local observes the embedded server; drop "
                           "server.observer, or name a server by server.address"});
  }
  if (s.observer.empty() && s.observer_port != 0) {
    complaints->push_back({"server.observer_port",
                           "server.observer_port has no effect without an agent on the server's "
                           "host; add server.observer: HOST:PORT"});
  }
}

void CheckWarmUp(const Settings& s, const IsGiven& is_given,
                 std::vector<CampaignComplaint>* complaints) {
  if (s.warmup_ops > 0 && s.warmup_steady > 0) {
    complaints->push_back(
        {"run.warmup_steady", "both run.warmup_ops and run.warmup_steady are given; keep one"});
  }
  if (!s.WarmsUpApart() && is_given("run.warmup_most")) {
    complaints->push_back({"run.warmup_most",
                           "run.warmup_most has no effect without run.warmup_ops or "
                           "run.warmup_steady; run.warmup is a warm-up of fixed length"});
  }
}

void CheckInject(const Settings& s, std::vector<CampaignComplaint>* complaints) {
  if (s.has_relay() && s.transport == "null") {
    const char* const path = s.inject_relay ? "inject.relay" : "inject.relay_rate";
    complaints->push_back(
        {path, absl::StrCat("the null transport has no connection that could lead through a relay; "
                            "drop ",
                            path, ", or take another transport")});
  }
  const Nanos whole = s.Injected();
  if (whole >= s.op_timeout) {
    complaints->push_back(
        {"run.op_timeout",
         absl::StrCat("what inject adds to every request, ", FormatDuration(whole),
                      ", reaches run.op_timeout ", FormatDuration(s.op_timeout),
                      ": none would be answered; inject less, or wait longer")});
  }
}

void CheckTls(const Settings& s, std::vector<CampaignComplaint>* complaints) {
  if (!s.tls) return;
  if (s.transport == "null") {
    complaints->push_back({"server.tls",
                           "the null transport has no server to speak TLS with; drop server.tls, "
                           "or take another transport"});
  }
  if (s.EmbeddedServer() && !s.ca_file.empty()) {
    complaints->push_back({"server.ca_file",
                           "the embedded server signs a new certificate itself, which no authority "
                           "knows; drop server.ca_file, or name a server by server.address"});
  }
}

bool Uses(const Settings& s, absl::string_view op) {
  return std::any_of(s.ops.begin(), s.ops.end(),
                     [op](const WeightedOp& share) { return share.op == op; });
}

bool ReadsValues(const Settings& s) {
  return Uses(s, "get") || Uses(s, "next") || Uses(s, "previous");
}

// What an agent can verify: values that it reads, and that somebody keeps.
bool Verifies(const Settings& s) { return s.verify && ReadsValues(s) && !s.KeepsNoValues(); }

void CheckWorkload(const Settings& s, const IsGiven& is_given,
                   std::vector<CampaignComplaint>* complaints) {
  if (is_given("workload.op") && is_given("workload.mix")) {
    complaints->push_back(
        {"workload.mix", "both workload.op and workload.mix are given; keep one"});
  }
  const auto uses = [&s](absl::string_view op) { return Uses(s, op); };
  const bool null = s.transport == "null";
  if (null && uses("get_miss")) {
    complaints->push_back({"transport",
                           "the null transport has every key, so get_miss cannot be asked of it; "
                           "drop one of them"});
  }
  if (null && uses("batch")) {
    complaints->push_back({"transport",
                           "the null transport keeps no batches, so batch cannot be asked of it; "
                           "drop one of them"});
  }
  if (null && !s.value_sizes.fixed()) {
    complaints->push_back({"workload.value_size",
                           "the null transport answers with values of one size; give one, or take "
                           "another transport"});
  }
  if (uses("batch") && s.flows * s.depth * (s.batch_ops + 1) > kMostInFlight) {
    complaints->push_back(
        {"workload.batch_ops", absl::StrCat("load.flows ", s.flows, " x load.depth ", s.depth,
                                            " batches of ", s.batch_ops, " puts are above ",
                                            kMostInFlight, " messages in flight on one agent")});
  }
}

// Cells that read nothing check nothing; one at least must.
void CheckVerify(const std::vector<Cell>& cells, const IsGiven& is_meant,
                 std::vector<CampaignComplaint>* complaints) {
  const auto checks = [](const Cell& cell) { return Verifies(cell.settings); };
  const bool useless = std::none_of(cells.begin(), cells.end(), checks);
  bool asked = false, reads = false, external = false;
  for (const Cell& cell : cells) {
    const Settings& s = cell.settings;
    asked |= s.verify;
    reads |= s.verify && ReadsValues(s);
    external |= s.verify && ReadsValues(s) && s.IsExternal();
  }
  if (asked && useless && is_meant("workload.verify")) {
    complaints->push_back(
        {"workload.verify",
         !reads ? "workload.verify has nothing to check: no operation reads a value; add "
                  "get, next or previous, or drop it"
         : external
             ? "with transport external nobody but the program sees the values that it reads; drop "
               "workload.verify"
             : "the null transport keeps no values, so there is nothing to verify; drop one of "
               "them"});
  }
  const auto small = std::find_if(cells.begin(), cells.end(), [&checks](const Cell& cell) {
    return checks(cell) && cell.settings.value_sizes.smallest() < kSelfDescribingBytes;
  });
  if (small == cells.end()) return;
  complaints->push_back(
      {"workload.verify",
       absl::StrCat("workload.verify needs values that say what they are, which takes ",
                    kSelfDescribingBytes, " bytes; workload.value_size is ",
                    small->settings.value_sizes.smallest(),
                    small->info.levels.empty() ? "" : " in the cell ",
                    small->info.levels.empty() ? "" : small->info.Label(),
                    "; take larger values, or drop workload.verify")});
}

// Cells that write nothing have nothing that is latest; one at least must.
void CheckLatest(const std::vector<Cell>& cells, std::vector<CampaignComplaint>* complaints) {
  const auto is_latest = [](const Cell& cell) { return cell.settings.key_order == "latest"; };
  const auto follows = [&is_latest](const Cell& cell) {
    const Settings& s = cell.settings;
    return is_latest(cell) && !s.IsExternal() &&
           (Uses(s, "put") || Uses(s, "put_conditional") || Uses(s, "batch"));
  };
  if (std::none_of(cells.begin(), cells.end(), is_latest) ||
      std::any_of(cells.begin(), cells.end(), follows)) {
    return;
  }
  complaints->push_back({"workload.key_order",
                         "key_order latest asks for what was written last, and nothing is "
                         "written; add put to workload.mix, or take zipf"});
}

bool HasPass(const Settings& s, analysis::Pass pass) {
  return std::find(s.passes.begin(), s.passes.end(), pass) != s.passes.end();
}

// That somebody can use server.observer: a full pass whose packets can be read, or baselines that
// were asked for. By default they are measured too, but that is no reason to name an observer.
void CheckObserverUse(const std::vector<Cell>& cells, const IsGiven& is_given,
                      std::vector<CampaignComplaint>* complaints) {
  const Settings& first = cells.front().settings;
  if (first.observer.empty() || first.EmbeddedServer()) return;
  const auto complain = [complaints](const auto&... what) {
    complaints->push_back({"server.observer", absl::StrCat("server.observer ", what...)});
  };
  const auto is_null = [](const Cell& cell) { return cell.settings.transport == "null"; };
  if (std::all_of(cells.begin(), cells.end(), is_null)) {
    return complain(
        "has nothing to watch: the null transport sends no packets; drop it, or take "
        "another transport");
  }
  const bool path_wanted = is_given("probes.baselines") && first.baselines != "none";
  const auto readable = [&is_null](const Cell& cell) {
    return !is_null(cell) && !cell.settings.tls;
  };
  const char* const path_alone =
      "; or write probes.baselines: auto, if it is there for the path to its host";
  if (path_wanted) return;
  if (!HasPass(first, analysis::Pass::kFull)) {
    complain(
        "watches packets in the full pass, which probes.passes does not have; add full, or "
        "drop server.observer",
        path_alone);
  } else if (std::none_of(cells.begin(), cells.end(), readable)) {
    complain("cannot read the packets of TLS; drop it", path_alone);
  }
}

}  // namespace

void CheckProbes(const std::vector<Cell>& cells, const IsGiven& is_given, const IsGiven& is_chosen,
                 std::vector<CampaignComplaint>* complaints) {
  using analysis::Pass;
  CheckObserverUse(cells, is_given, complaints);
  const Settings& s = cells.front().settings;  // passes do not sweep
  const auto useless = [&](absl::string_view path, absl::string_view pass) {
    if (!is_chosen(path)) return;
    complaints->push_back(
        {std::string(path), absl::StrCat(path, " has no effect without ", pass,
                                         " in probes.passes; add it, or drop ", path)});
  };
  if (!HasPass(s, Pass::kFull)) useless("probes.full_sample_every", "full");
  if (!HasPass(s, Pass::kSampled)) useless("probes.sample_every", "sampled");
  if (!HasPass(s, Pass::kSampled) && !HasPass(s, Pass::kFull)) {
    useless("probes.samples_max", "sampled or full");
  }
}

void CheckWhole(const CampaignAgents& agents, std::vector<CampaignComplaint>* complaints) {
  if (agents.local_agents == 0 && agents.agents == 0) {
    complaints->push_back(
        {"agents", "no agents: add 'agents: [HOST:PORT, ...]', or run with --local N"});
  }
  if (agents.local_agents > 0 && agents.agents > 0) {
    complaints->push_back({"agents",
                           "the campaign lists agents, and --local starts its own; drop one of "
                           "them (--set agents=[] empties the list)"});
  }
}

void CheckCells(const std::vector<Cell>& cells, const IsGiven& is_meant,
                std::vector<CampaignComplaint>* complaints) {
  CheckVerify(cells, is_meant, complaints);
  if (is_meant("workload.key_order")) CheckLatest(cells, complaints);
  const auto has_burst = [](const Cell& cell) { return cell.settings.burst_size > 0; };
  const auto has_bursts = [](const Cell& cell) { return cell.settings.arrival == "bursts"; };
  if (is_meant("load.burst_size") && std::any_of(cells.begin(), cells.end(), has_burst) &&
      std::none_of(cells.begin(), cells.end(), has_bursts)) {
    complaints->push_back(
        {"load.burst_size",
         "load.burst_size has no effect without bursts; add load.arrival: bursts"});
  }
  CheckClients(cells, is_meant, complaints);
  const auto any = [&cells](bool (*has)(const Settings&)) {
    return std::any_of(cells.begin(), cells.end(),
                       [has](const Cell& cell) { return has(cell.settings); });
  };
  if (is_meant("workload.zipf_theta") && !any([](const Settings& s) { return s.IsZipf(); })) {
    complaints->push_back({"workload.zipf_theta",
                           "workload.zipf_theta has no effect without workload.key_order: zipf or "
                           "latest"});
  }
  for (const char* path : {"workload.hot_keys", "workload.hot_requests"}) {
    if (!is_meant(path) || any([](const Settings& s) { return s.IsHotspot(); })) continue;
    complaints->push_back(
        {path, absl::StrCat(path, " has no effect without workload.key_order: hotspot")});
  }
  if (is_meant("load.reuse") && any([](const Settings& s) { return s.reuse_keys; }) &&
      !any([](const Settings& s) { return s.LoadsKeys(); })) {
    complaints->push_back({"load.reuse",
                           "load.reuse has no effect where no keys are loaded; add an operation "
                           "that reads them (get, "
                           "next, previous, version, range) or workload.load: true, or drop it"});
  }
  const auto has_tls = [](const Cell& cell) { return cell.settings.tls; };
  const auto has_authorities = [](const Cell& cell) { return !cell.settings.ca_file.empty(); };
  if (is_meant("server.ca_file") && std::any_of(cells.begin(), cells.end(), has_authorities) &&
      std::none_of(cells.begin(), cells.end(), has_tls)) {
    complaints->push_back(
        {"server.ca_file", "server.ca_file has no effect without TLS; add server.tls: true"});
  }
}

std::string WhyUseless(const analysis::Gate& gate, const std::vector<Cell>& cells) {
  using What = analysis::Gate::What;
  const auto is_open = [](const Cell& cell) { return cell.settings.open_loop; };
  const auto has_op = [&gate](const Cell& cell) {
    return std::any_of(cell.settings.ops.begin(), cell.settings.ops.end(),
                       [&gate](const WeightedOp& share) { return share.op == gate.op; });
  };
  const bool of_open_loop = gate.what == What::kAchieved || gate.what == What::kUnsent;
  if (of_open_loop && std::none_of(cells.begin(), cells.end(), is_open)) {
    return absl::StrCat("'", gate.text,
                        "' is of an open loop, and all cells are closed loops, which offer what "
                        "they achieve; use load.mode: open, or drop the gate");
  }
  if (gate.op != "all" && std::none_of(cells.begin(), cells.end(), has_op)) {
    return absl::StrCat("'", gate.text, "' is of an operation that no cell has; add ", gate.op,
                        " to workload.op or workload.mix, or drop the gate");
  }
  return "";
}

void CheckCell(const Settings& settings, bool local, const IsGiven& is_given,
               std::vector<CampaignComplaint>* complaints) {
  CheckLoad(settings, is_given, complaints);
  CheckServer(settings, local, is_given, complaints);
  CheckObserver(settings, complaints);
  CheckWarmUp(settings, is_given, complaints);
  CheckInject(settings, complaints);
  CheckTls(settings, complaints);
  CheckWorkload(settings, is_given, complaints);
  CheckClient(settings, is_given, complaints);
}

}  // namespace kbench
