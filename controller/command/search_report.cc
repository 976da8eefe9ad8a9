#include "controller/command/search_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/report/table.h"
#include "base/version.h"
#include "controller/run/campaign_description.h"

namespace kbench {
namespace {

constexpr int kWidth = 132;

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

}  // namespace

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

}  // namespace kbench
