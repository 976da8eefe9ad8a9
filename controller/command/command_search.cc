#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "analysis/report/table.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/gates.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/version.h"
#include "controller/campaign/campaign_checks.h"
#include "controller/campaign/gate_syntax.h"
#include "controller/command/commands.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/campaign_runner.h"
#include "controller/run/progress.h"
#include "controller/run/rate_search.h"
#include "controller/store/result_store.h"

namespace kbench {
namespace {

constexpr absl::string_view kFloor = "achieved/offered > 0.99";
constexpr int kWidth = 132;

struct SearchArguments {
  CampaignArguments campaign;
  CampaignRunOptions run;
  std::vector<std::string> limits;
  std::string from, least = "1/s", most = "10M/s", resolution = "5%", confirm_duration;
  std::string format = "text";
  bool quiet = false;
};

// What makes all probes of one search: the campaign at another rate.
struct SearchPlan {
  RateSearchOptions search;
  std::vector<analysis::Gate> gates;
  std::string rate_path;  // load.rate_total or load.rate_per_agent
  int64_t window = 1;     // requests in flight per agent
  std::string name;
  std::string confirm_duration;
  int confirm_repetitions = 3;
};

bool IsLatency(const analysis::Gate& gate) {
  using What = analysis::Gate::What;
  return gate.what == What::kPercentile || gate.what == What::kServicePercentile ||
         gate.what == What::kMean || gate.what == What::kMax;
}

absl::Status TakeRate(absl::string_view option, const std::string& text, double* rate) {
  if (text.empty()) return absl::OkStatus();
  const auto parsed = ParseRate(text);
  if (!parsed.ok()) return Annotate(parsed.status(), option);
  if (*parsed <= 0 || *parsed > 10e6) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", text, ": give a rate above 0 and at most 10M/s"));
  }
  *rate = RoundedRate(*parsed);
  return absl::OkStatus();
}

absl::Status TakeResolution(const std::string& text, double* resolution) {
  absl::string_view number = text;
  if (absl::ConsumeSuffix(&number, "%") && absl::SimpleAtod(number, resolution) &&
      *resolution >= 0.1 && *resolution <= 100) {
    *resolution /= 100;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--resolution ", text, ": give a share from 0.1% to 100%, like 5%"));
}

// Gates of the command line come to those of the campaign.
absl::Status TakeGates(const SearchArguments& given, const Campaign& campaign, SearchPlan* plan) {
  plan->gates = campaign.gates;
  for (const std::string& limit : given.limits) {
    const auto gate = ParseGate(limit);
    if (!gate.ok()) return Annotate(gate.status(), "--limit");
    const std::string useless = WhyUseless(*gate, campaign.cells);
    if (!useless.empty()) return absl::InvalidArgumentError(absl::StrCat("--limit: ", useless));
    plan->gates.push_back(*gate);
  }
  if (!absl::c_any_of(plan->gates, IsLatency)) {
    return absl::InvalidArgumentError(
        "a search needs a limit of latency: add --limit 'p99(get) < 2ms', or one to the "
        "campaign's gates");
  }
  const auto is_floor = [](const analysis::Gate& gate) {
    return gate.what == analysis::Gate::What::kAchieved;
  };
  if (!absl::c_any_of(plan->gates, is_floor)) {
    ASSIGN_OR_RETURN(analysis::Gate floor, ParseGate(kFloor));
    plan->gates.push_back(std::move(floor));
  }
  return absl::OkStatus();
}

absl::StatusOr<SearchPlan> PlanSearch(const SearchArguments& given, const Campaign& campaign) {
  if (campaign.cells.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a search is of one cell, and the campaign sweeps ", campaign.cells.size(),
                     "; choose one level each, like --set transport=epoll"));
  }
  const Settings& settings = campaign.cells.front().settings;
  if (!settings.open_loop) {
    return absl::InvalidArgumentError(
        "a search is of an open loop: add load.mode: open and the rate to begin with, like "
        "load.rate_total: 1k/s");
  }
  SearchPlan plan{.name = campaign.name};
  const RateProfile& rate =
      settings.rate_total.given() ? settings.rate_total : settings.rate_per_agent;
  if (rate.is_ramp() || rate.is_steps()) {
    return absl::InvalidArgumentError(
        "a search is for one rate, and the campaign has a ramp or steps; use load.arrival "
        "constant, poisson or bursts");
  }
  plan.rate_path = settings.rate_total.given() ? "load.rate_total" : "load.rate_per_agent";
  plan.search.from = rate.rate();
  plan.window = settings.flows * settings.depth;
  RETURN_IF_ERROR(TakeRate("--from", given.from, &plan.search.from));
  RETURN_IF_ERROR(TakeRate("--least", given.least, &plan.search.least));
  RETURN_IF_ERROR(TakeRate("--most", given.most, &plan.search.most));
  RETURN_IF_ERROR(TakeResolution(given.resolution, &plan.search.resolution));
  if (plan.search.least > plan.search.most) {
    return absl::InvalidArgumentError("--least is above --most: there is no rate to try");
  }
  plan.confirm_repetitions = std::max(3, campaign.repetitions);
  Nanos confirm = settings.duration * 3;
  if (!given.confirm_duration.empty()) {
    const auto parsed = ParseDuration(given.confirm_duration);
    if (!parsed.ok()) return Annotate(parsed.status(), "--confirm-duration");
    confirm = *parsed;
  }
  plan.confirm_duration = FormatDuration(confirm);
  RETURN_IF_ERROR(TakeGates(given, campaign, &plan));
  return plan;
}

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

std::string Headline(const SearchPlan& plan, const RateAnswer& answer) {
  const std::string rate = RateText(answer.rate);
  const std::string above = RateText(answer.above);
  switch (answer.kind) {
    case RateAnswer::Kind::kFound:
      return absl::StrFormat(
          "%s holds (%s, confirmed by %d repetitions of %s); %s does not: %s. Resolution %g %%",
          rate, plan.rate_path, plan.confirm_repetitions, plan.confirm_duration, above,
          answer.stopped_by, 100 * plan.search.resolution);
    case RateAnswer::Kind::kClient:
      return absl::StrFormat(
          "%s holds (%s, confirmed by %d repetitions of %s). %s does not, but there the client is "
          "to blame, or may be: the server's own limit is not known, and not below %s. %s (%s)",
          rate, plan.rate_path, plan.confirm_repetitions, plan.confirm_duration, above, rate,
          answer.client, answer.stopped_by);
    case RateAnswer::Kind::kMost:
      return absl::StrFormat(
          "%s holds (%s, confirmed by %d repetitions of %s) and is the most that was to be tried: "
          "nothing stopped it",
          rate, plan.rate_path, plan.confirm_repetitions, plan.confirm_duration);
    case RateAnswer::Kind::kNothingHolds:
      return absl::StrFormat("no rate holds: at %s, the least that was to be tried, %s%s%s",
                             RateText(answer.above), answer.stopped_by,
                             answer.client.empty() ? "" : "; ", answer.client);
    case RateAnswer::Kind::kUnconfirmed:
      return absl::StrFormat(
          "no rate is confirmed: what held in runs of one repetition did not in %d repetitions of "
          "%s, last %s: %s%s%s",
          plan.confirm_repetitions, plan.confirm_duration, above, answer.stopped_by,
          answer.client.empty() ? "" : "; ", answer.client);
    case RateAnswer::Kind::kBroken:
      break;
  }
  return "the search did not end; its probes so far stand below";
}

std::string SearchText(const SearchPlan& plan, const RateAnswer& answer) {
  std::string out = analysis::Wrap(Headline(plan, answer), kWidth, "", "  ");
  analysis::Table table{.header = {"rate", "run", "holds", "values"}, .text_columns = 4};
  for (const RateProbe& probe : answer.probes) {
    table.rows.push_back({RateText(probe.rate), probe.confirming ? "confirming" : "short",
                          probe.holds ? "yes" : "no", absl::StrJoin(probe.values, "; ")});
  }
  absl::StrAppend(&out, "\n", analysis::TextTable(table, kWidth));
  for (const RateProbe& probe : answer.probes) {
    if (!probe.client.empty()) {
      out += analysis::Wrap(absl::StrCat("client at ", RateText(probe.rate), ": ", probe.client),
                            kWidth, "", "  ");
    }
  }
  return out;
}

std::string SearchJson(const SearchPlan& plan, const RateAnswer& answer) {
  using Json = nlohmann::ordered_json;
  const auto rate_or_null = [](double rate) { return rate > 0 ? Json(rate) : Json(); };
  Json json;
  json["schema_version"] = 1;
  json["campaign"] = plan.name;
  json["ended_utc"] = UtcNow();
  json["controller_version"] = absl::StrCat(ReleaseVersion(), " (", BuildId(), ")");
  json["answer"] = Name(answer.kind);
  json["sentence"] = Headline(plan, answer);
  json["rate_path"] = plan.rate_path;
  json["rate_per_s"] = rate_or_null(answer.rate);
  json["lowest_rate_that_did_not_hold_per_s"] = rate_or_null(answer.above);
  json["resolution"] = plan.search.resolution;
  json["stopped_by"] = answer.stopped_by;
  json["client"] = answer.client;
  json["limits"] = Json::array();
  for (const analysis::Gate& gate : plan.gates) json["limits"].push_back(gate.text);
  json["probes"] = Json::array();
  for (const RateProbe& probe : answer.probes) {
    json["probes"].push_back({{"rate_per_s", probe.rate},
                              {"confirming", probe.confirming},
                              {"holds", probe.holds},
                              {"values", probe.values},
                              {"why", probe.why},
                              {"client", probe.client},
                              {"result", probe.result}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

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
