#include "controller/run/campaign_runner.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/address.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/version.h"
#include "controller/campaign/cpu_placement.h"
#include "controller/campaign/plan.h"
#include "controller/campaign/run_spec.h"
#include "controller/campaign/workload_use.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/local_fleet.h"
#include "controller/fleet/path_probe.h"
#include "controller/run/campaign_verdict.h"
#include "controller/run/warm_up.h"
#include "controller/store/live_status.h"
#include "controller/store/result_store.h"
#include "controller/store/selftest_record.h"

namespace kbench {
namespace {

constexpr Nanos kPatience = Seconds(10);
constexpr std::chrono::milliseconds kAskEvery(200);

std::string NewRunId() {
  std::random_device entropy;
  return absl::StrFormat("%08x", entropy());
}

// For the progress line only; reports compute theirs from the evidence.
std::string Summarize(const DispatchOutcome& outcome) {
  double ops_per_second = 0;
  uint64_t failed = 0;
  for (const result::RunResult& agent : outcome.evidence.agents) {
    if (agent.measured_ns() <= 0) continue;
    uint64_t answered = 0;
    for (const result::OpResult& op : agent.ops()) answered += op.answered_in_window();
    ops_per_second +=
        static_cast<double>(answered) * 1e9 / static_cast<double>(agent.measured_ns());
    failed += agent.counts().failed() + agent.counts().lost();
  }
  std::string text = absl::StrFormat("%.0f ops/s", ops_per_second);
  if (failed > 0) absl::StrAppend(&text, ", ", failed, " failed or lost");
  if (!outcome.status.ok()) {
    text = absl::StrCat(analysis::Name(outcome.evidence.status), ": ", outcome.status.message());
  }
  return text;
}

// Values that the run's reads found to be others than were written.
uint64_t WrongValues(const analysis::RunEvidence& run) {
  uint64_t wrong = 0;
  for (const result::RunResult& agent : run.agents) {
    for (const result::OpResult& op : agent.ops()) {
      for (const char* status : {"WRONG_VALUE", "WRONG_VALUE_LENGTH"}) {
        const auto found = op.statuses().find(status);
        if (found != op.statuses().end()) wrong += found->second;
      }
    }
  }
  return wrong;
}

constexpr uint64_t kWarmUpStream = 0x7761726d;  // "warm": of its keys and arrivals

class CampaignRun {
 public:
  CampaignRun(const Campaign& campaign, const CampaignRunOptions& options, Interrupts* interrupts,
              Progress* progress)
      : campaign_(campaign),
        options_(options),
        interrupts_(interrupts),
        progress_(progress),
        dispatcher_(options.limits, interrupts, progress),
        keys_there_(options.keys_there != nullptr ? options.keys_there : &own_keys_) {}

  CampaignOutcome Execute() {
    CampaignOutcome outcome;
    outcome.status = Prepare();
    if (outcome.status.ok()) outcome.status = MeasureBaselines();
    if (outcome.status.ok()) outcome.status = RunAll();
    cancel_watch_.reset();
    if (fleet_ != nullptr) fleet_->AcknowledgeRest();
    fleet_.reset();  // its logs are complete before the directory is
    outcome.code = ExitCodeOf(outcome.status);
    if (outcome.code == ExitCode::kInterrupted && interrupts_->signal == SIGTERM) {
      outcome.code = ExitCode::kTerminated;
    }
    if (outcome.status.ok()) Judge(&outcome);
    Keep(&outcome);
    outcome.evidence = std::move(evidence_);
    return outcome;
  }

 private:
  absl::Status Prepare() {
    for (const Cell& cell : campaign_.cells) {
      const std::string& key_file = cell.settings.key_file;
      const std::string& ca_file = cell.settings.ca_file;
      if (!keys_.contains(key_file)) {
        ASSIGN_OR_RETURN(keys_[key_file], ReadHmacKey(key_file));
      }
      if (!authorities_.contains(ca_file)) {
        ASSIGN_OR_RETURN(authorities_[ca_file], ReadAuthorities(ca_file));
      }
    }
    const size_t agents = options_.local_agents > 0 ? static_cast<size_t>(options_.local_agents)
                                                    : campaign_.agents.size();
    plan_ = MakePlan(campaign_, agents);
    local_cpus_ = LocalCpus();
    DescribeCampaign(agents);
    ASSIGN_OR_RETURN(store_, ResultStore::Create(options_.results_dir, campaign_,
                                                 PlanJson(campaign_, plan_, agents),
                                                 {.campaign = evidence_,
                                                  .label = options_.label,
                                                  .resumed_from = ResumedFrom(),
                                                  .runs_planned = plan_.runs.size()}));
    cancel_watch_.emplace(store_->partial_dir(), interrupts_);
    progress_->CampaignStarted(campaign_.name, plan_.runs.size(), plan_.measuring);
    progress_->PublishIn(store_->partial_dir(), evidence_.run_id);
    progress_->Phase("hello");
    ASSIGN_OR_RETURN(fleet_, Fleet::Meet(campaign_, {.local_agents = options_.local_agents,
                                                     .bin_dir = options_.bin_dir,
                                                     .log_dir = store_->log_dir(),
                                                     .allow_clients = options_.allow_clients,
                                                     .local_cpus = local_cpus_,
                                                     .credentials = options_.credentials,
                                                     .limits = options_.limits}));
    if (const std::string others = fleet_->OtherVersions(); !others.empty()) {
      result::Caveat& caveat = evidence_.caveats.emplace_back();
      caveat.set_code("mixed_versions");
      caveat.set_text(absl::StrCat(others, ": what differs between them is in every comparison"));
      progress_->Note(caveat.text());
    }
    return absl::OkStatus();
  }

  std::string ResumedFrom() const {
    return options_.resumption == nullptr ? "" : options_.resumption->stored.evidence.run_id;
  }

  void DescribeCampaign(size_t agents) {
    evidence_.name = campaign_.name;
    evidence_.run_id = NewRunId();
    evidence_.started_utc = UtcNow();
    evidence_.version = absl::StrCat(ReleaseVersion(), " (", BuildId(), ")");
    evidence_.server = DescribeServers();
    evidence_.seed = campaign_.seed;
    evidence_.repetitions = campaign_.repetitions;
    for (const Factor& factor : campaign_.factors) evidence_.axes.push_back(factor.axis);
    evidence_.constants = campaign_.constants;
    evidence_.constants["agents"] = absl::StrCat(agents);
    evidence_.constants["fleet"] = options_.local_agents > 0 ? "local" : "remote";
    if (options_.local_agents == 0) {
      evidence_.constants["agent_addresses"] = absl::StrJoin(campaign_.agents, ",");
    }
    if (options_.local_agents > 0) evidence_.constants["placement"] = DescribePlacement();
    for (const Cell& cell : campaign_.cells) evidence_.cells.push_back(cell.info);
    evidence_.gates = campaign_.gates;
    const std::string fleet = FleetKey(campaign_.agents, options_.local_agents > 0);
    if (const auto selftest = LoadSelftest(options_.results_dir, fleet)) {
      evidence_.selftest = {.passed = selftest->passed, .sentence = selftest->Sentence()};
    }
    if (options_.resumption != nullptr) DescribeResumption(*options_.resumption);
  }

  void DescribeResumption(const Resumption& resumption) {
    const analysis::CampaignEvidence& before = resumption.stored.evidence;
    for (const result::Caveat& earlier : before.caveats) {
      if (earlier.code() == "resumed") evidence_.caveats.push_back(earlier);
    }
    result::Caveat& caveat = evidence_.caveats.emplace_back();
    caveat.set_code("resumed");
    caveat.set_text(absl::StrCat(
        resumption.complete.size(), " of ", plan_.runs.size(), " runs are taken from campaign ",
        before.run_id, ", which began at ", before.started_utc,
        before.version == evidence_.version ? "" : absl::StrCat(" with kbench ", before.version),
        " and did not end; what drifted meanwhile lies between them and the others, and the "
        "network's baselines are those of the resumption"));
  }

  // Every server of the campaign, in the order of its cells.
  std::string DescribeServers() const {
    std::vector<std::string> servers;
    for (const Cell& cell : campaign_.cells) {
      const Settings& s = cell.settings;
      const std::string server = s.EmbeddedServer() ? "embedded" : s.server_address;
      if (!absl::c_linear_search(servers, server)) servers.push_back(server);
    }
    return absl::StrJoin(servers, ", ");
  }

  std::string DescribePlacement() const {
    if (!local_cpus_.server) return "one cpu for everything, nothing pinned";
    return absl::StrCat("server on cpu ", *local_cpus_.server, ", workers' cpus ",
                        absl::StrJoin(local_cpus_.usable, ","));
  }

  // Every server of the campaign that is connected to, each once.
  std::vector<KineticServer> Servers() const {
    std::vector<KineticServer> servers;
    for (const Cell& cell : campaign_.cells) {
      const Settings& s = cell.settings;
      if (s.transport == "null") continue;
      KineticServer server{.address = fleet_->ServerFor(s),
                           .identity = s.identity,
                           .hmac_key = keys_.at(s.key_file),
                           .tls = s.tls,
                           .tls_ca = s.tls ? authorities_.at(s.ca_file) : ""};
      if (!absl::c_linear_search(servers, server)) servers.push_back(std::move(server));
    }
    return servers;
  }

  // The network without the workload. A path that cannot be measured says why and ends nothing.
  absl::Status MeasureBaselines() {
    if (campaign_.cells.front().settings.baselines == "none") return absl::OkStatus();
    progress_->BaselinesStarted();
    const PathProber prober(options_.probe, interrupts_);
    const auto keep = [this](MeasuredPath path) {
      evidence_.baselines.push_back(std::move(path.baseline));
    };
    const std::vector<AgentLink*> agents = fleet_->agents();
    AgentLink* const observer = fleet_->observer();
    for (const KineticServer& server : Servers()) {
      for (AgentLink* from : agents) {
        if (!interrupts_->stop()) keep(prober.ToServer(from, server));
      }
    }
    for (AgentLink* from : agents) {
      const bool apart = observer != nullptr && from != observer;
      if (apart && !interrupts_->stop()) keep(prober.ToAgent(from, observer));
    }
    if (observer == nullptr && agents.size() > 1 && !interrupts_->stop()) {
      keep(prober.ToAgent(agents[0], agents[1]));
    }
    if (interrupts_->stop()) return absl::CancelledError("interrupted before the first run");
    const absl::Status stored = store_->AddBaselines(evidence_.baselines);
    return stored.ok() ? stored : StoreFailed(stored);
  }

  absl::Status RunAll() {
    RETURN_IF_ERROR(AdoptRuns());
    left_ = plan_.measuring;
    for (const PlannedRun& run : plan_.runs) {
      const Settings& settings = campaign_.cells[static_cast<size_t>(run.cell)].settings;
      if (!adopted_.contains(run.ordinal)) RETURN_IF_ERROR(RunOne(run));
      left_ = left_ - settings.warmup - settings.duration;
    }
    if (wrong_values_ > 0) {
      return absl::AbortedError(
          absl::StrCat(wrong_values_,
                       " values that were read are not those that were written; the report's "
                       "caveats name the runs",
                       first_loss_.ok() ? "" : "; and an agent was lost: ", first_loss_.message()));
    }
    return first_loss_;
  }

  // What the campaign that is resumed has of complete runs, all of it before anything is run anew:
  // so the new result never holds less than the old one.
  absl::Status AdoptRuns() {
    if (options_.resumption == nullptr) return absl::OkStatus();
    const StoredCampaign& stored = options_.resumption->stored;
    for (const auto& [ordinal, index] : options_.resumption->complete) {
      const analysis::RunEvidence& evidence = stored.evidence.runs[index];
      const absl::Status adopted = store_->AdoptRun(stored.directory, ordinal, evidence);
      if (!adopted.ok()) return StoreFailed(adopted);
      adopted_.insert(ordinal);
      Acknowledge(evidence);
      Remember(ordinal, evidence);
    }
    return absl::OkStatus();
  }

  // It is stored: its agents may forget it.
  void Acknowledge(const analysis::RunEvidence& evidence) {
    std::vector<size_t> whose;
    for (const result::RunResult& agent : evidence.agents) whose.push_back(agent.agent_index());
    fleet_->Acknowledge(evidence.run_id, whose);
  }

  void Remember(int ordinal, analysis::RunEvidence evidence) {
    const Cell& cell = campaign_.cells[static_cast<size_t>(evidence.cell)];
    if (cell.settings.verify) wrong_values_ += WrongValues(evidence);
    const auto place = std::upper_bound(ordinals_.begin(), ordinals_.end(), ordinal);
    evidence_.runs.insert(evidence_.runs.begin() + (place - ordinals_.begin()),
                          std::move(evidence));
    ordinals_.insert(place, ordinal);
  }

  absl::Status RunOne(const PlannedRun& run) {
    if (interrupts_->stop()) return absl::CancelledError("interrupted between two runs");
    const Cell& cell = campaign_.cells[static_cast<size_t>(run.cell)];
    progress_->RunStarted(run.ordinal, cell.info.Label(), run.repetition, analysis::Name(run.pass),
                          left_);
    RETURN_IF_ERROR(LookForTheLost());
    const Placement placement = PlaceWorkers(cell.settings, fleet_->places());
    RunRequest request = RequestFor(run, cell.settings, placement);
    std::vector<result::Caveat> warmed;
    if (cell.settings.WarmsUpApart()) {
      RETURN_IF_ERROR(Annotate(WarmUp(run, cell.settings, request, &warmed),
                               absl::StrCat("warm-up of run ", run.ordinal + 1)));
    }
    keys_there_->Decide(cell.settings.reuse_keys, &request.specs);
    DispatchOutcome outcome = dispatcher_.Execute(request);
    analysis::RunEvidence& evidence = outcome.evidence;
    keys_there_->Take(request.specs, outcome.loaded, outcome.evidence.agents, outcome.status.ok(),
                      &evidence.caveats);
    evidence.caveats.insert(evidence.caveats.end(), warmed.begin(), warmed.end());
    for (result::Caveat& passed_over : PassedOver(cell)) {
      evidence.caveats.push_back(std::move(passed_over));
    }
    evidence.caveats.insert(evidence.caveats.end(), placement.caveats.begin(),
                            placement.caveats.end());
    MarkDegraded(&evidence);
    std::string summary = Summarize(outcome);
    if (evidence.status == analysis::RunStatus::kDegraded) {
      absl::StrAppend(&summary, " (degraded: ", evidence.status_text, ")");
    }
    progress_->Phase("store");
    const absl::Status stored = store_->AddRun(run.ordinal, evidence, outcome.spec_sha256);
    if (!stored.ok()) return StoreFailed(stored);
    progress_->RunEnded(summary);
    if (evidence.server_wire) SayOnce(*evidence.server_wire);
    Acknowledge(evidence);
    last_own_run_ = evidence.run_id;
    Remember(run.ordinal, std::move(evidence));
    if (outcome.status.ok()) return absl::OkStatus();
    absl::Status ended = Annotate(
        outcome.status, absl::StrCat("run ", run.ordinal + 1, " of ", plan_.runs.size(), " (",
                                     cell.info.Label(), ", ", analysis::Name(run.pass), ")"));
    const bool goes_on = cell.settings.lost_agent == "continue" && !outcome.lost.empty();
    if (!goes_on || absl::IsCancelled(ended)) return ended;
    progress_->Note(absl::StrCat(ended.message(), "; the campaign goes on"));
    if (first_loss_.ok()) first_loss_ = absl::DataLossError(ended.message());
    somebody_is_lost_ = true;
    return absl::OkStatus();
  }

  // Under `run.lost_agent: continue`: who was lost is asked again before each run. When nobody is
  // left, for a while: a service manager starts an agent again within seconds.
  absl::Status LookForTheLost() {
    if (!somebody_is_lost_) return absl::OkStatus();
    const MonoTime deadline = MonoNow() + kPatience;
    std::vector<std::string> problems = fleet_->AskAgain(last_own_run_);
    while (fleet_->present().empty() && MonoNow() < deadline && !interrupts_->stop()) {
      std::this_thread::sleep_for(kAskEvery);
      problems = fleet_->AskAgain(last_own_run_);
    }
    for (const std::string& problem : problems) {
      if (said_.insert(problem).second) progress_->Note(problem);
    }
    const std::vector<std::string> absent = fleet_->absent();
    progress_->Absent(absent);
    somebody_is_lost_ = !absent.empty();
    if (!fleet_->present().empty()) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("no agent is left; the first that was lost: ", first_loss_.message()));
  }

  // Fewer agents make less load: never silently.
  void MarkDegraded(analysis::RunEvidence* evidence) const {
    const std::vector<std::string> absent = fleet_->absent();
    if (absent.empty()) return;
    const std::string who = absl::StrCat("without ", absl::StrJoin(absent, ", "));
    result::Caveat& caveat = evidence->caveats.emplace_back();
    caveat.set_code("degraded");
    caveat.set_text(absl::StrCat("the run was made ", who, ": ", fleet_->present().size(), " of ",
                                 fleet_->size(),
                                 " agents made the load, and no other agent took "
                                 "over the share of those that were lost"));
    if (evidence->status != analysis::RunStatus::kComplete) return;
    evidence->status = analysis::RunStatus::kDegraded;
    evidence->status_text = who;
  }

  // A run like the one that follows, over other operations, that is ended when the watch says so;
  // of it nothing is kept but how it went.
  absl::Status WarmUp(const PlannedRun& run, const Settings& settings, RunRequest request,
                      std::vector<result::Caveat>* said) {
    request.run_id += "-warm";
    request.pass = analysis::Pass::kBare;
    request.observer.reset();
    for (control::RunSpec& spec : request.specs) {
      MakeWarmUp(Mix64(run.seed ^ kWarmUpStream), settings.warmup_most, &spec);
      spec.set_run_id(request.run_id);
    }
    keys_there_->Decide(settings.reuse_keys, &request.specs);
    WarmUpWatch watch({.agents = request.agents.size(),
                       .ops = settings.warmup_ops,
                       .steady = settings.warmup_steady});
    Interrupts ended;
    ended.outer = interrupts_;
    progress_->set_on_interval([&](size_t agent, const result::Interval& interval) {
      if (ended.count > 0) return;  // an interval that the end cut short
      watch.Take(agent, interval);
      if (watch.over()) ended.count = 1;
    });
    const DispatchOutcome outcome = Dispatcher(options_.limits, &ended, progress_).Execute(request);
    progress_->set_on_interval(nullptr);
    fleet_->Acknowledge(request.run_id, fleet_->present());
    keys_there_->Take(request.specs, outcome.loaded, outcome.evidence.agents,
                      outcome.status.ok() || ended.count > 0, said);
    if (interrupts_->stop()) return absl::CancelledError("interrupted");
    // An agent that was lost in it is lost in the run that follows, which is where it is kept.
    const bool goes_on = settings.lost_agent == "continue" && !outcome.lost.empty();
    if (!outcome.status.ok() && ended.count == 0 && !goes_on) return outcome.status;
    result::Caveat& caveat = said->emplace_back();
    caveat.set_code(ended.count > 0 ? "warmed_up" : "not_steady");
    uint64_t written = 0;
    for (const auto& loaded : outcome.loaded) {
      if (loaded) written += loaded->keys() - loaded->reused();
    }
    caveat.set_text(
        ended.count > 0
            ? absl::StrCat(
                  "a run of its own came before: ", watch.Describe(),
                  written == 0 ? "" : absl::StrCat(", after ", written, " keys were written"))
            : absl::StrCat("after ", FormatDuration(settings.warmup_most),
                           ", the most "
                           "that was allowed, the warm-up was not over (",
                           watch.Describe(), "): what was measured may be a start-up"));
    return absl::OkStatus();
  }

  RunRequest RequestFor(const PlannedRun& run, const Settings& settings,
                        const Placement& placement) const {
    RunRequest request{.run_id = absl::StrFormat("%s-%04d", evidence_.run_id, run.ordinal),
                       .cell = run.cell,
                       .repetition = run.repetition,
                       .pass = run.pass};
    const std::string server = fleet_->ServerFor(settings);
    request.observer = ObserverFor(run, settings, server);
    for (size_t i : fleet_->present()) {
      request.agents.push_back(fleet_->agent(i));
      request.specs.push_back(
          MakeRunSpec(settings, {.run_id = request.run_id,
                                 .pass = run.pass,
                                 .agent_index = static_cast<uint32_t>(i),
                                 .agent_count = static_cast<uint32_t>(fleet_->size()),
                                 .server = server,
                                 .hmac_key = keys_.at(settings.key_file),
                                 .tls_ca = authorities_.at(settings.ca_file),
                                 .worker_cpus = placement.worker_cpus[i],
                                 .seed = run.seed,
                                 .key_seed = plan_.key_seeds[static_cast<size_t>(run.cell)]}));
    }
    return request;
  }

  // A full run is watched on the server's host, where there is somebody to do it. The server of
  // --local is on this host, as its agents are.
  std::optional<ServerObserver> ObserverFor(const PlannedRun& run, const Settings& settings,
                                            const std::string& server) const {
    AgentLink* const link = settings.EmbeddedServer() ? fleet_->agent(0) : fleet_->observer();
    const bool packets = settings.transport != "null";
    if (run.pass != analysis::Pass::kFull || link == nullptr || !packets) return std::nullopt;
    ServerObserver observer{.link = link, .port = static_cast<uint16_t>(settings.observer_port)};
    if (observer.port == 0) observer.port = ParseHostPort(server)->port;
    if (settings.tls) {
      observer.unreadable = "the server speaks TLS: its packets do not show where requests end";
    }
    return observer;
  }

  void SayOnce(const result::WireTrace& trace) {
    if (trace.available() || !said_.insert(trace.reason()).second) return;
    progress_->Note(absl::StrCat("nothing was observed on the server's host: ", trace.reason()));
  }

  void Judge(CampaignOutcome* outcome) {
    CampaignVerdict verdict = JudgeCampaign(campaign_, evidence_);
    outcome->code = verdict.code;
    verdict_ = std::move(verdict.text);
    if (outcome->code != ExitCode::kDone) progress_->Note(verdict_);
  }

  // What was written whole stays recoverable; a disk that was full from the start keeps nothing.
  absl::Status StoreFailed(const absl::Status& status) {
    if (store_->runs_stored() == 0) {
      store_->Discard();
      std::string text = "no results were kept";
      if (options_.local_agents == 0) {
        absl::StrAppend(&text, "; agents with --results have theirs: kbench agents collect ",
                        evidence_.run_id);
      }
      progress_->Note(text);
    } else {
      progress_->Note(absl::StrCat("the ", store_->runs_stored(), " runs that were written are in ",
                                   store_->partial_dir(), "; 'kbench report ",
                                   store_->partial_dir(), "' reads them"));
    }
    store_.reset();
    return absl::InternalError(status.message());
  }

  void Keep(CampaignOutcome* outcome) {
    const bool complete = outcome->status.ok() || absl::IsAborted(outcome->status);
    const bool all_run = evidence_.runs.size() == plan_.runs.size() && !plan_.runs.empty();
    evidence_.status = complete                                                         ? "complete"
                       : absl::IsCancelled(outcome->status)                             ? "aborted"
                       : !first_loss_.ok() && all_run && outcome->status == first_loss_ ? "degraded"
                                                                                        : "failed";
    if (store_ == nullptr) return;
    if (evidence_.runs.empty()) {
      store_->Discard();
      return progress_->Note("no results were kept");
    }
    absl::StatusOr<std::string> directory =
        store_->Finish(evidence_, static_cast<int>(outcome->code),
                       outcome->status.ok() && outcome->code != ExitCode::kDone
                           ? verdict_
                           : std::string(outcome->status.message()),
                       UtcNow());
    if (directory.ok()) {
      outcome->directory = *std::move(directory);
      return;
    }
    outcome->status = StoreFailed(directory.status());
    outcome->code = ExitCode::kInternal;
  }

  const Campaign& campaign_;
  const CampaignRunOptions& options_;
  Interrupts* const interrupts_;
  Progress* const progress_;
  Dispatcher dispatcher_;
  Plan plan_;
  HostCpus local_cpus_;
  std::map<std::string, std::string> keys_;         // key file -> HMAC key
  std::map<std::string, std::string> authorities_;  // file -> PEM
  analysis::CampaignEvidence evidence_;
  std::unique_ptr<ResultStore> store_;
  std::optional<CancelWatch> cancel_watch_;
  std::unique_ptr<Fleet> fleet_;
  KeyLedger own_keys_;
  KeyLedger* const keys_there_;
  std::set<int> adopted_;       // ordinals
  std::vector<int> ordinals_;   // of evidence_.runs, ascending
  std::string last_own_run_;    // id; empty: none yet
  std::string verdict_;         // why the code of a complete campaign is not 0
  std::set<std::string> said_;  // why there was no observation
  uint64_t wrong_values_ = 0;   // in runs that verify
  Nanos left_;                  // warm-up and measurement of the runs to come
  absl::Status first_loss_;     // of an agent, when the campaign went on without it
  bool somebody_is_lost_ = false;
};

}  // namespace

std::string UtcNow() {
  const time_t now = time(nullptr);
  tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

absl::Status CampaignRunOptions::Complete() {
  RETURN_IF_ERROR(credentials.Complete());
  if (local_agents == 0 || !bin_dir.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(bin_dir, OwnBinDir());
  return absl::OkStatus();
}

CampaignOutcome RunCampaign(const Campaign& campaign, const CampaignRunOptions& options,
                            Interrupts* interrupts, Progress* progress) {
  return CampaignRun(campaign, options, interrupts, progress).Execute();
}

}  // namespace kbench
