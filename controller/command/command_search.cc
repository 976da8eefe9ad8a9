#include <cstdio>
#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/gates.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/command/commands.h"
#include "controller/command/search_plan.h"
#include "controller/command/search_report.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/campaign_description.h"
#include "controller/run/campaign_runner.h"
#include "controller/run/progress.h"
#include "controller/run/rate_search.h"
#include "controller/store/result_store.h"

namespace kbench {
namespace {

// What the agents say that makes them, and not the server, the limit.
std::string ClientTrouble(const analysis::CampaignEvidence& evidence) {
  std::vector<std::string> said;
  for (const analysis::RunEvidence& run : evidence.runs) {
    for (const result::RunResult& agent : run.agents) {
      for (const result::Caveat& caveat : agent.caveats()) {
        const std::string& code = caveat.code();
        if (code != "client_saturated" && code != "generator_late" && code != "cpu_contended") {
          continue;
        }
        const std::string text =
            absl::StrCat("agent ", agent.agent(), ": ", code, ": ", caveat.text());
        if (!absl::c_linear_search(said, text)) said.push_back(text);
      }
    }
  }
  return absl::StrJoin(said, "; ");
}

uint64_t Unsent(const analysis::CampaignEvidence& evidence) {
  uint64_t unsent = 0;
  for (const analysis::RunEvidence& run : evidence.runs) {
    for (const result::RunResult& agent : run.agents) unsent += agent.counts().unsent();
  }
  return unsent;
}

class Prober {
 public:
  Prober(const SearchArguments& given, const SearchPlan& plan, Interrupts* interrupts)
      : given_(given), plan_(plan), interrupts_(interrupts) {}

  absl::StatusOr<RateProbe> Run(double rate, bool confirming) {
    CampaignArguments arguments = given_.campaign;
    arguments.takes_unused_probes = true;  // the passes are the search's own
    const auto set = [&](absl::string_view path, const auto& value) {
      arguments.overrides.push_back(absl::StrCat(path, "=", value));
    };
    set(plan_.rate_path, RateText(rate));
    set("run.repetitions", confirming ? plan_.confirm_repetitions : 1);
    if (confirming) set("run.duration", plan_.confirm_duration);
    set("probes.passes", "[bare]");
    set("probes.baselines", "none");
    ASSIGN_OR_RETURN(Campaign campaign, arguments.Load());
    campaign.gates = plan_.gates;
    CampaignRunOptions options = given_.run;
    options.keys_there = &keys_there_;
    options.label = absl::StrCat(options.label, options.label.empty() ? "" : ": ",
                                 confirming ? "search, confirming " : "search, ", RateText(rate));
    Progress progress(ProgressForStderr(given_.quiet));
    const CampaignOutcome outcome = RunCampaign(campaign, options, interrupts_, &progress);
    code_ = outcome.code;
    RETURN_IF_ERROR(outcome.status);
    RateProbe probe{
        .rate = rate, .confirming = confirming, .holds = true, .result = outcome.directory};
    RETURN_IF_ERROR(Judge(outcome.evidence, &probe));
    progress.Note(absl::StrCat(RateText(rate), confirming ? " (confirming) " : " ",
                               probe.holds ? "holds" : "does not hold: ", probe.why));
    return probe;
  }

  // Of the campaign that ended the search.
  ExitCode code() const { return code_; }

 private:
  absl::Status Judge(const analysis::CampaignEvidence& evidence, RateProbe* probe) const {
    const analysis::CampaignAnalysis analysis = analysis::Analyse(evidence);
    bool latency_holds = true;
    std::vector<std::string> why;
    for (const analysis::GateResult& result : analysis::JudgeGates(analysis)) {
      if (!result.range) {
        return absl::InvalidArgumentError(
            absl::StrCat("at ", RateText(probe->rate), " nobody can say '", result.gate->text,
                         "': ", result.reason, "; make run.duration longer, or raise --least"));
      }
      const bool holds = probe->confirming ? result.verdict == analysis::GateVerdict::kPassed
                                           : result.gate->Holds(result.value.value);
      const std::string text = absl::StrCat(result.gate->text, ": ", result.ValueText());
      probe->values.push_back(text);
      if (holds) continue;
      why.push_back(result.reason.empty() ? text : absl::StrCat(text, " (", result.reason, ")"));
      latency_holds &= !IsLatency(*result.gate);
    }
    probe->holds = why.empty();
    probe->why = absl::StrJoin(why, "; ");
    if (probe->holds) return absl::OkStatus();
    probe->client = ClientTrouble(evidence);
    if (probe->client.empty() && latency_holds && Unsent(evidence) > 0) {
      probe->client = absl::StrCat("the ", plan_.window, " requests that an agent may have in ",
                                   "flight (load.flows x load.depth) were all unanswered while "
                                   "latency held: allow more");
    }
    return absl::OkStatus();
  }

  const SearchArguments& given_;
  const SearchPlan& plan_;
  Interrupts* const interrupts_;
  KeyLedger keys_there_;  // every probe reads the keys that the first one has written
  ExitCode code_ = ExitCode::kDone;
};

ExitCode CodeOf(RateAnswer::Kind kind) {
  switch (kind) {
    case RateAnswer::Kind::kFound:
    case RateAnswer::Kind::kMost:
      return ExitCode::kDone;
    case RateAnswer::Kind::kClient:
      return ExitCode::kSuspect;
    case RateAnswer::Kind::kNothingHolds:
      return ExitCode::kGatesFailed;
    case RateAnswer::Kind::kUnconfirmed:
      return ExitCode::kInconclusive;
    case RateAnswer::Kind::kBroken:
      break;
  }
  return ExitCode::kInternal;
}

// results/searches/<campaign>-<UTC>.json
absl::Status Keep(const std::string& results_dir, const SearchPlan& plan, const std::string& json) {
  const std::string directory = absl::StrCat(results_dir, "/searches");
  RETURN_IF_ERROR(MakeDirectories(directory));
  return ReplaceDurably(
      absl::StrCat(directory, "/", PathComponent(absl::StrCat(plan.name, "-", UtcNow())), ".json"),
      json);
}

ExitCode Search(SearchArguments* given) {
  const auto campaign = given->campaign.Load();
  if (!campaign.ok()) return Fail(campaign.status());
  const auto plan = PlanSearch(*given, *campaign);
  if (!plan.ok()) return Fail(plan.status());
  given->run.local_agents = given->campaign.local;
  if (const absl::Status complete = given->run.Complete(); !complete.ok()) return Fail(complete);
  Prober prober(*given, *plan, &CatchInterrupts());
  const RateAnswer answer = SearchRate(
      plan->search, [&](double rate, bool confirming) { return prober.Run(rate, confirming); });
  const std::string json = SearchJson(*plan, answer);
  std::fputs((given->format == "json" ? json : SearchText(*plan, answer)).c_str(), stdout);
  std::fflush(stdout);
  if (answer.kind == RateAnswer::Kind::kBroken) {
    const ExitCode code = Fail(answer.status);
    return prober.code() == ExitCode::kDone ? code : prober.code();
  }
  const absl::Status kept = Keep(given->run.results_dir, *plan, json);
  return kept.ok() ? CodeOf(answer.kind) : Fail(kept);
}

}  // namespace

void AddSearchCommand(CommandLine* line) {
  CLI::App* command = line->app.add_subcommand(
      "search", "Find the highest rate of an open loop at which a campaign's limits hold");
  auto given = std::make_shared<SearchArguments>();
  given->campaign.AddTo(command);
  command
      ->add_option("--limit", given->limits,
                   "What has to hold, like 'p99(get) < 2ms', beside the campaign's gates "
                   "(repeatable); 'achieved/offered > 0.99' unless there is one")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--from", given->from, "Rate to begin with (default: the campaign's)");
  command->add_option("--least", given->least, "No rate below is tried")->capture_default_str();
  command->add_option("--most", given->most, "No rate above is tried")->capture_default_str();
  command
      ->add_option("--resolution", given->resolution,
                   "Between the answer and a rate that does not hold")
      ->capture_default_str();
  command->add_option("--confirm-duration", given->confirm_duration,
                      "Of the confirming runs (default: three times run.duration)");
  AddRunOptions(command, &given->run, &given->quiet);
  command->add_option("--label", given->run.label, "A note that is kept with every probe's result");
  command->add_option("--format", given->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  AddCredentials(command, &given->run.credentials);
  command->callback([line, given] { line->code = Search(given.get()); });
}

}  // namespace kbench
