#include "controller/run/campaign_runner.h"

#include <csignal>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "controller/campaign/cpu_placement.h"
#include "controller/campaign/plan.h"
#include "controller/campaign/workload_use.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/local_fleet.h"
#include "controller/run/baselines.h"
#include "controller/run/campaign_description.h"
#include "controller/run/campaign_record.h"
#include "controller/run/campaign_verdict.h"
#include "controller/run/lost_agents.h"
#include "controller/run/run_requests.h"
#include "controller/run/warm_up_run.h"
#include "controller/store/live_status.h"

namespace kbench {
namespace {

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

// Fewer agents make less load: never silently.
void MarkDegraded(const Fleet& fleet, analysis::RunEvidence* evidence) {
  const std::vector<std::string> absent = fleet.absent();
  if (absent.empty()) return;
  const std::string who = absl::StrCat("without ", absl::StrJoin(absent, ", "));
  result::Caveat& caveat = evidence->caveats.emplace_back();
  caveat.set_code("degraded");
  caveat.set_text(absl::StrCat("the run was made ", who, ": ", fleet.present().size(), " of ",
                               fleet.size(),
                               " agents made the load, and no other agent took "
                               "over the share of those that were lost"));
  if (evidence->status != analysis::RunStatus::kComplete) return;
  evidence->status = analysis::RunStatus::kDegraded;
  evidence->status_text = who;
}

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
    if (outcome.status.ok()) outcome.status = MeasureNetwork();
    if (outcome.status.ok()) outcome.status = RunAll();
    cancel_watch_.reset();
    if (fleet_ != nullptr) fleet_->AcknowledgeRest();
    const absl::Status first_loss = lost_ ? lost_->first_loss() : absl::OkStatus();
    lost_.reset();
    fleet_.reset();  // its logs are complete before the directory is
    outcome.code = ExitCodeOf(outcome.status);
    if (outcome.code == ExitCode::kInterrupted && interrupts_->signal == SIGTERM) {
      outcome.code = ExitCode::kTerminated;
    }
    if (record_) Keep(first_loss, &outcome);
    return outcome;
  }

 private:
  absl::Status Prepare() {
    const bool local = options_.local_agents > 0;
    const size_t agents =
        local ? static_cast<size_t>(options_.local_agents) : campaign_.agents.size();
    plan_ = MakePlan(campaign_, agents);
    const HostCpus cpus = LocalCpus();
    record_.emplace(DescribeCampaign(campaign_, {.agents = agents,
                                                 .local = local,
                                                 .local_cpus = cpus,
                                                 .runs_planned = plan_.runs.size(),
                                                 .results_dir = options_.results_dir,
                                                 .resumption = options_.resumption}),
                    progress_);
    auto requests = RunRequests::Of(campaign_, plan_);
    RETURN_IF_ERROR(requests.status());
    requests_.emplace(*std::move(requests));
    RETURN_IF_ERROR(record_->Open(campaign_, {.results_dir = options_.results_dir,
                                              .plan_json = PlanJson(campaign_, plan_, agents),
                                              .label = options_.label,
                                              .resumed_from = ResumedFrom(),
                                              .runs_planned = plan_.runs.size(),
                                              .agents_keep_results = !local}));
    cancel_watch_.emplace(record_->partial_dir(), interrupts_);
    progress_->CampaignStarted(campaign_.name, plan_.runs.size(), plan_.measuring);
    progress_->PublishIn(record_->partial_dir(), record_->evidence().run_id);
    progress_->Phase("hello");
    ASSIGN_OR_RETURN(fleet_, Fleet::Meet(campaign_, {.local_agents = options_.local_agents,
                                                     .bin_dir = options_.bin_dir,
                                                     .log_dir = record_->log_dir(),
                                                     .allow_clients = options_.allow_clients,
                                                     .local_cpus = cpus,
                                                     .credentials = options_.credentials,
                                                     .limits = options_.limits}));
    lost_.emplace(fleet_.get(), interrupts_, progress_);
    if (const std::string others = fleet_->OtherVersions(); !others.empty()) {
      const std::string text =
          absl::StrCat(others, ": what differs between them is in every comparison");
      record_->AddCaveat("mixed_versions", text);
      progress_->Note(text);
    }
    return absl::OkStatus();
  }

  std::string ResumedFrom() const {
    return options_.resumption == nullptr ? "" : options_.resumption->stored.evidence.run_id;
  }

  absl::Status MeasureNetwork() {
    if (campaign_.cells.front().settings.baselines == "none") return absl::OkStatus();
    progress_->BaselinesStarted();
    auto baselines =
        MeasureBaselines(*fleet_, requests_->Servers(*fleet_), options_.probe, interrupts_);
    if (interrupts_->stop()) return absl::CancelledError("interrupted before the first run");
    return record_->AddBaselines(std::move(baselines));
  }

  absl::Status RunAll() {
    RETURN_IF_ERROR(AdoptRuns());
    left_ = plan_.measuring;
    for (const PlannedRun& run : plan_.runs) {
      const Settings& settings = campaign_.cells[static_cast<size_t>(run.cell)].settings;
      if (!adopted_.contains(run.ordinal)) RETURN_IF_ERROR(RunOne(run));
      left_ = left_ - settings.warmup - settings.duration;
    }
    const absl::Status& first_loss = lost_->first_loss();
    if (wrong_values_ > 0) {
      return absl::AbortedError(
          absl::StrCat(wrong_values_,
                       " values that were read are not those that were written; the report's "
                       "caveats name the runs",
                       first_loss.ok() ? "" : "; and an agent was lost: ", first_loss.message()));
    }
    return first_loss;
  }

  // What the campaign that is resumed has of complete runs, all of it before anything is run anew:
  // so the new result never holds less than the old one.
  absl::Status AdoptRuns() {
    if (options_.resumption == nullptr) return absl::OkStatus();
    const StoredCampaign& stored = options_.resumption->stored;
    for (const auto& [ordinal, index] : options_.resumption->complete) {
      const analysis::RunEvidence& run = stored.evidence.runs[index];
      RETURN_IF_ERROR(record_->Adopt(stored.directory, ordinal, run));
      adopted_.insert(ordinal);
      Stored(run);
    }
    return absl::OkStatus();
  }

  // Its agents may forget it.
  void Stored(const analysis::RunEvidence& run) {
    if (campaign_.cells[static_cast<size_t>(run.cell)].settings.verify) {
      wrong_values_ += WrongValues(run);
    }
    std::vector<size_t> whose;
    for (const result::RunResult& agent : run.agents) whose.push_back(agent.agent_index());
    fleet_->Acknowledge(run.run_id, whose);
  }

  absl::Status RunOne(const PlannedRun& run) {
    if (interrupts_->stop()) return absl::CancelledError("interrupted between two runs");
    const Cell& cell = campaign_.cells[static_cast<size_t>(run.cell)];
    progress_->RunStarted(run.ordinal, cell.info.Label(), run.repetition, analysis::Name(run.pass),
                          left_);
    RETURN_IF_ERROR(lost_->LookForThem(last_own_run_));
    const Placement placement = PlaceWorkers(cell.settings, fleet_->places());
    RunRequest request = requests_->For(record_->evidence().run_id, run, placement, *fleet_);
    std::vector<result::Caveat> said;
    if (cell.settings.WarmsUpApart()) {
      const absl::Status warm =
          WarmUp(run, cell.settings, request, &dispatcher_, interrupts_, keys_there_, &said);
      fleet_->Acknowledge(WarmUpId(request.run_id), fleet_->present());
      RETURN_IF_ERROR(Annotate(warm, absl::StrCat("warm-up of run ", run.ordinal + 1)));
    }
    keys_there_->Decide(cell.settings.reuse_keys, &request.specs);
    DispatchOutcome outcome = dispatcher_.Execute(request);
    keys_there_->Take(request.specs, outcome.loaded, outcome.evidence.agents, outcome.status.ok(),
                      &outcome.evidence.caveats);
    AddCaveats(cell, placement, std::move(said), &outcome.evidence);
    RETURN_IF_ERROR(Store(run, &outcome));
    if (outcome.status.ok()) return absl::OkStatus();
    absl::Status ended = Annotate(
        outcome.status, absl::StrCat("run ", run.ordinal + 1, " of ", plan_.runs.size(), " (",
                                     cell.info.Label(), ", ", analysis::Name(run.pass), ")"));
    const bool goes_on = cell.settings.lost_agent == "continue" && !outcome.lost.empty();
    if (!goes_on || absl::IsCancelled(ended)) return ended;
    lost_->Lost(ended);
    return absl::OkStatus();
  }

  // What the controller alone knows of a run.
  void AddCaveats(const Cell& cell, const Placement& placement, std::vector<result::Caveat> said,
                  analysis::RunEvidence* evidence) const {
    for (std::vector<result::Caveat> more :
         {std::move(said), PassedOver(cell), placement.caveats}) {
      for (result::Caveat& caveat : more) evidence->caveats.push_back(std::move(caveat));
    }
    MarkDegraded(*fleet_, evidence);
  }

  // Of `outcome` the evidence is taken.
  absl::Status Store(const PlannedRun& run, DispatchOutcome* outcome) {
    std::string summary = Summarize(*outcome);
    if (outcome->evidence.status == analysis::RunStatus::kDegraded) {
      absl::StrAppend(&summary, " (degraded: ", outcome->evidence.status_text, ")");
    }
    progress_->Phase("store");
    RETURN_IF_ERROR(record_->Add(run.ordinal, std::move(outcome->evidence), outcome->spec_sha256));
    progress_->RunEnded(summary);
    const analysis::RunEvidence& stored = record_->run(run.ordinal);
    if (stored.server_wire) SayOnce(*stored.server_wire);
    Stored(stored);
    last_own_run_ = stored.run_id;
    return absl::OkStatus();
  }

  void SayOnce(const result::WireTrace& trace) {
    if (trace.available() || !said_.insert(trace.reason()).second) return;
    progress_->Note(absl::StrCat("nothing was observed on the server's host: ", trace.reason()));
  }

  void Keep(const absl::Status& first_loss, CampaignOutcome* outcome) {
    std::string text(outcome->status.message());
    if (outcome->status.ok()) {
      CampaignVerdict verdict = JudgeCampaign(campaign_, record_->evidence());
      outcome->code = verdict.code;
      if (outcome->code != ExitCode::kDone) {
        progress_->Note(verdict.text);
        text = std::move(verdict.text);
      }
    }
    const absl::StatusOr<std::string> directory = record_->Finish(
        HowItEnded(outcome->status, first_loss), static_cast<int>(outcome->code), text);
    if (directory.ok()) {
      outcome->directory = *directory;
    } else {
      outcome->status = directory.status();
      outcome->code = ExitCode::kInternal;
    }
    outcome->evidence = record_->Take();
  }

  // The status of the result.
  std::string HowItEnded(const absl::Status& status, const absl::Status& first_loss) const {
    if (status.ok() || absl::IsAborted(status)) return "complete";
    if (absl::IsCancelled(status)) return "aborted";
    const bool all_run =
        record_->evidence().runs.size() == plan_.runs.size() && !plan_.runs.empty();
    return !first_loss.ok() && all_run && status == first_loss ? "degraded" : "failed";
  }

  const Campaign& campaign_;
  const CampaignRunOptions& options_;
  Interrupts* const interrupts_;
  Progress* const progress_;
  Dispatcher dispatcher_;
  Plan plan_;
  std::optional<RunRequests> requests_;
  std::optional<CampaignRecord> record_;
  std::optional<CancelWatch> cancel_watch_;
  std::unique_ptr<Fleet> fleet_;
  std::optional<LostAgents> lost_;
  KeyLedger own_keys_;
  KeyLedger* const keys_there_;
  std::set<int> adopted_;       // ordinals
  std::string last_own_run_;    // id; empty: none yet
  std::set<std::string> said_;  // why there was no observation
  uint64_t wrong_values_ = 0;   // in runs that verify
  Nanos left_;                  // warm-up and measurement of the runs to come
};

}  // namespace

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
