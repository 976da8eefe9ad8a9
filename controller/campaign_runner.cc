#include "controller/campaign_runner.h"

#include <csignal>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/campaign_analysis.h"
#include "analysis/gates.h"
#include "base/address.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/version.h"
#include "controller/cpu_placement.h"
#include "controller/local_fleet.h"
#include "controller/path_probe.h"
#include "controller/plan.h"
#include "controller/result_store.h"
#include "controller/run_spec.h"
#include "controller/selftest_record.h"
#include "controller/warm_up.h"

namespace kbench {
namespace {

std::string NewRunId() {
  std::random_device entropy;
  return absl::StrFormat("%08x", entropy());
}

// For the progress line only; reports compute theirs from the evidence.
std::string Summarize(const RunOutcome& outcome) {
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
    text = absl::StrCat(StatusName(outcome.evidence.status), ": ", outcome.status.message());
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
  CampaignRun(const Campaign& campaign, const CampaignRunOptions& options,
              const Interrupts* interrupts, Progress* progress)
      : campaign_(campaign), options_(options), interrupts_(interrupts), progress_(progress) {}

  CampaignOutcome Execute() {
    CampaignOutcome outcome;
    outcome.status = Prepare();
    if (outcome.status.ok()) outcome.status = MeasureBaselines();
    if (outcome.status.ok()) outcome.status = RunAll();
    fleet_.reset();  // its logs are complete before the directory is
    outcome.code = ExitCodeOf(outcome.status);
    if (outcome.code == ExitCode::kInterrupted && interrupts_->signal == SIGTERM) {
      outcome.code = ExitCode::kTerminated;
    }
    if (outcome.status.ok()) JudgeGates(&outcome);
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
    ASSIGN_OR_RETURN(
        store_,
        ResultStore::Create(
            options_.results_dir, campaign_, PlanJson(campaign_, plan_, agents),
            {.campaign = evidence_, .label = options_.label, .runs_planned = plan_.runs.size()}));
    progress_->CampaignStarted(campaign_.name, plan_.runs.size(), plan_.measuring);
    RETURN_IF_ERROR(StartFleet());
    return MeetAgents();
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
    if (options_.local_agents > 0) evidence_.constants["placement"] = DescribePlacement();
    for (const Cell& cell : campaign_.cells) evidence_.cells.push_back(cell.info);
    evidence_.gates = campaign_.gates;
    const std::string fleet = FleetKey(campaign_.agents, options_.local_agents > 0);
    if (const auto selftest = LoadSelftest(options_.results_dir, fleet)) {
      evidence_.selftest = {.passed = selftest->passed, .sentence = selftest->Sentence()};
    }
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

  absl::Status StartFleet() {
    std::vector<std::string> addresses = campaign_.agents;
    if (options_.local_agents > 0) {
      ASSIGN_OR_RETURN(fleet_, LocalFleet::Start(campaign_, {.agents = options_.local_agents,
                                                             .bin_dir = options_.bin_dir,
                                                             .log_dir = store_->log_dir(),
                                                             .cpus = local_cpus_}));
      addresses = fleet_->agents();
    }
    for (const std::string& address : addresses) {
      links_.push_back(std::make_unique<AgentLink>(address, options_.credentials));
    }
    return absl::OkStatus();
  }

  absl::Status MeetAgents() {
    std::vector<AgentLink*> links;
    for (const auto& link : links_) links.push_back(link.get());
    dispatcher_ = std::make_unique<Dispatcher>(links, options_.limits, interrupts_, progress_);
    ASSIGN_OR_RETURN(const std::vector<control::HelloReply> replies, dispatcher_->HelloAll());
    for (size_t i = 0; i < replies.size(); ++i) {
      RETURN_IF_ERROR(CheckAgent(links_[i]->address(), replies[i]));
      places_.push_back(PlaceOf(links_[i]->address(), replies[i]));
    }
    return MeetObserver();
  }

  // The agent on the server's host, which may be one of those that make the load.
  absl::Status MeetObserver() {
    const std::string& address = campaign_.cells.front().settings.observer;
    if (address.empty()) return absl::OkStatus();
    for (const auto& link : links_) {
      if (link->address() == address) observer_ = link.get();
    }
    if (observer_ != nullptr) return absl::OkStatus();
    observer_link_ = std::make_unique<AgentLink>(address, options_.credentials);
    observer_ = observer_link_.get();
    const auto reply = observer_->Hello(options_.limits.hello);
    return Annotate(reply.status(), "phase hello, server.observer");
  }

  absl::Status CheckAgent(const std::string& address, const control::HelloReply& reply) const {
    RETURN_IF_ERROR(CheckIdle(address, reply));
    for (const Cell& cell : campaign_.cells) {
      if (absl::c_linear_search(reply.transports(), cell.settings.transport)) continue;
      return absl::InvalidArgumentError(absl::StrCat("agent ", address, " cannot run transport ",
                                                     cell.settings.transport, "; it has ",
                                                     absl::StrJoin(reply.transports(), ", ")));
    }
    return absl::OkStatus();
  }

  AgentPlace PlaceOf(const std::string& address, const control::HelloReply& reply) const {
    if (options_.local_agents > 0) return {.host = "this host", .cpus = local_cpus_};
    AgentPlace place{.host = reply.host().hostname()};
    if (place.host.empty()) place.host = address;
    for (const uint32_t cpu : reply.host().cpu_numbers()) {
      place.cpus.usable.push_back(static_cast<int>(cpu));
    }
    return place;
  }

  // Every server of the campaign that is connected to, each once.
  std::vector<KineticServer> Servers() const {
    std::vector<KineticServer> servers;
    for (const Cell& cell : campaign_.cells) {
      const Settings& s = cell.settings;
      if (s.transport == "null") continue;
      KineticServer server{.address = s.EmbeddedServer() ? fleet_->ServerFor(s) : s.server_address,
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
    for (const KineticServer& server : Servers()) {
      for (const auto& from : links_) {
        if (!interrupts_->stop()) keep(prober.ToServer(from.get(), server));
      }
    }
    for (const auto& from : links_) {
      const bool apart = observer_ != nullptr && from.get() != observer_;
      if (apart && !interrupts_->stop()) keep(prober.ToAgent(from.get(), observer_));
    }
    if (observer_ == nullptr && links_.size() > 1 && !interrupts_->stop()) {
      keep(prober.ToAgent(links_[0].get(), links_[1].get()));
    }
    if (interrupts_->stop()) return absl::CancelledError("interrupted before the first run");
    const absl::Status stored = store_->AddBaselines(evidence_.baselines);
    return stored.ok() ? stored : StoreFailed(stored);
  }

  absl::Status RunAll() {
    for (const PlannedRun& run : plan_.runs) {
      if (interrupts_->stop()) return absl::CancelledError("interrupted between two runs");
      const Cell& cell = campaign_.cells[static_cast<size_t>(run.cell)];
      progress_->RunStarted(run.ordinal, cell.info.Label(), run.repetition,
                            analysis::Name(run.pass));
      const Placement placement = PlaceWorkers(cell.settings, places_);
      RunRequest request = RequestFor(run, cell.settings, placement);
      std::vector<result::Caveat> warmed;
      if (cell.settings.WarmsUpApart()) {
        RETURN_IF_ERROR(Annotate(WarmUp(run, cell.settings, request, &warmed),
                                 absl::StrCat("warm-up of run ", run.ordinal + 1)));
        const bool deletes = absl::c_any_of(
            cell.settings.ops, [](const OpWeight& share) { return share.op == "delete"; });
        if (!deletes) {  // the keys are there
          for (control::RunSpec& spec : request.specs) spec.set_load(false);
        }
      }
      RunOutcome outcome = dispatcher_->Execute(request);
      outcome.evidence.caveats.insert(outcome.evidence.caveats.end(), warmed.begin(), warmed.end());
      outcome.evidence.caveats.insert(outcome.evidence.caveats.end(), placement.caveats.begin(),
                                      placement.caveats.end());
      progress_->RunEnded(Summarize(outcome));
      if (outcome.evidence.server_wire) SayOnce(*outcome.evidence.server_wire);
      if (const absl::Status stored =
              store_->AddRun(run.ordinal, outcome.evidence, outcome.spec_sha256);
          !stored.ok()) {
        return StoreFailed(stored);
      }
      if (cell.settings.verify) wrong_values_ += WrongValues(outcome.evidence);
      evidence_.runs.push_back(std::move(outcome.evidence));
      if (!outcome.status.ok()) {
        return Annotate(outcome.status,
                        absl::StrCat("run ", run.ordinal + 1, " of ", plan_.runs.size(), " (",
                                     cell.info.Label(), ", ", analysis::Name(run.pass), ")"));
      }
    }
    if (wrong_values_ == 0) return absl::OkStatus();
    return absl::AbortedError(
        absl::StrCat(wrong_values_,
                     " values that were read are not those that were written; the "
                     "report's caveats name the runs"));
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
    WarmUpWatch watch(
        {.agents = links_.size(), .ops = settings.warmup_ops, .steady = settings.warmup_steady});
    Interrupts ended;
    ended.outer = interrupts_;
    progress_->set_on_interval([&](size_t agent, const result::Interval& interval) {
      if (ended.count > 0) return;  // an interval that the end cut short
      watch.Take(agent, interval);
      if (watch.over()) ended.count = 1;
    });
    std::vector<AgentLink*> links;
    for (const auto& link : links_) links.push_back(link.get());
    const RunOutcome outcome =
        Dispatcher(links, options_.limits, &ended, progress_).Execute(request);
    progress_->set_on_interval(nullptr);
    if (interrupts_->stop()) return absl::CancelledError("interrupted");
    if (!outcome.status.ok() && ended.count == 0) return outcome.status;
    result::Caveat& caveat = said->emplace_back();
    caveat.set_code(ended.count > 0 ? "warmed_up" : "not_steady");
    caveat.set_text(ended.count > 0
                        ? absl::StrCat("a run of its own came before: ", watch.Describe())
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
    const std::string server =
        settings.EmbeddedServer() ? fleet_->ServerFor(settings) : settings.server_address;
    request.observer = ObserverFor(run, settings, server);
    for (size_t i = 0; i < links_.size(); ++i) {
      request.specs.push_back(
          MakeRunSpec(settings, {.run_id = request.run_id,
                                 .pass = run.pass,
                                 .agent_index = static_cast<uint32_t>(i),
                                 .agent_count = static_cast<uint32_t>(links_.size()),
                                 .server = server,
                                 .hmac_key = keys_.at(settings.key_file),
                                 .tls_ca = authorities_.at(settings.ca_file),
                                 .worker_cpus = placement.worker_cpus[i],
                                 .seed = run.seed,
                                 .key_seed = plan_.key_seed}));
    }
    return request;
  }

  // A full run is watched on the server's host, where there is somebody to do it. The server of
  // --local is on this host, as its agents are.
  std::optional<ServerObserver> ObserverFor(const PlannedRun& run, const Settings& settings,
                                            const std::string& server) const {
    AgentLink* const link = settings.EmbeddedServer() ? links_.front().get() : observer_;
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

  void JudgeGates(CampaignOutcome* outcome) {
    if (campaign_.gates.empty()) return;
    const auto results = analysis::JudgeGates(analysis::Analyse(evidence_));
    gates_line_ = analysis::GatesLine(results);
    if (analysis::CountOf(results, analysis::GateVerdict::kFailed) > 0) {
      outcome->code = ExitCode::kGatesFailed;
    } else if (analysis::CountOf(results, analysis::GateVerdict::kInconclusive) > 0) {
      outcome->code = ExitCode::kInconclusive;
    }
    if (outcome->code != ExitCode::kDone) progress_->Note(gates_line_);
  }

  // What was written whole stays recoverable; a disk that was full from the start keeps nothing.
  absl::Status StoreFailed(const absl::Status& status) {
    if (store_->runs_stored() == 0) {
      store_->Discard();
      progress_->Note("no results were kept");
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
    evidence_.status = complete                             ? "complete"
                       : absl::IsCancelled(outcome->status) ? "aborted"
                                                            : "failed";
    if (store_ == nullptr) return;
    if (evidence_.runs.empty()) {
      store_->Discard();
      return progress_->Note("no results were kept");
    }
    absl::StatusOr<std::string> directory =
        store_->Finish(evidence_, static_cast<int>(outcome->code),
                       outcome->status.ok() && outcome->code != ExitCode::kDone
                           ? gates_line_
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
  const Interrupts* const interrupts_;
  Progress* const progress_;
  Plan plan_;
  HostCpus local_cpus_;
  std::map<std::string, std::string> keys_;         // key file -> HMAC key
  std::map<std::string, std::string> authorities_;  // file -> PEM
  analysis::CampaignEvidence evidence_;
  std::unique_ptr<ResultStore> store_;
  std::unique_ptr<LocalFleet> fleet_;
  std::vector<std::unique_ptr<AgentLink>> links_;
  std::unique_ptr<AgentLink> observer_link_;  // when it is none of links_
  AgentLink* observer_ = nullptr;             // that server.observer names
  std::set<std::string> said_;                // why there was no observation
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<AgentPlace> places_;
  std::string gates_line_;     // how many passed and failed
  uint64_t wrong_values_ = 0;  // in runs that verify
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

CampaignOutcome RunCampaign(const Campaign& campaign, const CampaignRunOptions& options,
                            const Interrupts* interrupts, Progress* progress) {
  return CampaignRun(campaign, options, interrupts, progress).Execute();
}

}  // namespace kbench
