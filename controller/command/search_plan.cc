#include "controller/command/search_plan.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/campaign_checks.h"
#include "controller/campaign/gate_syntax.h"

namespace kbench {
namespace {

constexpr absl::string_view kFloor = "achieved/offered > 0.99";

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

}  // namespace

bool IsLatency(const analysis::Gate& gate) {
  using What = analysis::Gate::What;
  return gate.what == What::kPercentile || gate.what == What::kServicePercentile ||
         gate.what == What::kMean || gate.what == What::kMax;
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

}  // namespace kbench
