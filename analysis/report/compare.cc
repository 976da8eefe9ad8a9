#include "analysis/report/compare.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/report/json_forms.h"
#include "analysis/report/report_tables.h"
#include "analysis/report/table.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/verdicts.h"

namespace kbench::analysis {
namespace {

constexpr int kWidth = 100;

struct Difference {
  std::string what;
  std::string base;
  std::string candidate;
};

// The distinct values of one fact over all agents of all runs: "6.1; 6.5" after an upgrade
// half-way.
using AgentFact = std::function<std::string(const result::RunResult&)>;

std::string FactOf(const CampaignEvidence& campaign, const AgentFact& fact) {
  std::set<std::string> values;
  for (const RunEvidence& run : campaign.runs) {
    for (const result::RunResult& agent : run.agents) values.insert(fact(agent));
  }
  return absl::StrJoin(values, "; ");
}

void Add(const std::string& what, const std::string& base, const std::string& candidate,
         std::vector<Difference>* out) {
  if (base != candidate) out->push_back({what, base, candidate});
}

void AddConstants(const CampaignEvidence& base, const CampaignEvidence& candidate,
                  std::vector<Difference>* out) {
  std::map<std::string, std::pair<std::string, std::string>> fields;
  for (const auto& [field, value] : base.constants) fields[field].first = value;
  for (const auto& [field, value] : candidate.constants) fields[field].second = value;
  for (const auto& [field, values] : fields) Add(field, values.first, values.second, out);
}

std::vector<Difference> Differences(const CampaignEvidence& base,
                                    const CampaignEvidence& candidate) {
  std::vector<Difference> out;
  AddConstants(base, candidate, &out);
  Add("swept fields", absl::StrJoin(base.axes, ", "), absl::StrJoin(candidate.axes, ", "), &out);
  Add("server", base.server, candidate.server, &out);
  Add("seed", absl::StrCat(base.seed), absl::StrCat(candidate.seed), &out);
  Add("repetitions", absl::StrCat(base.repetitions), absl::StrCat(candidate.repetitions), &out);
  Add("controller version", base.version, candidate.version, &out);
  const std::vector<std::pair<std::string, AgentFact>> facts = {
      {"agent version", [](const result::RunResult& a) { return a.agent_version(); }},
      {"kernel", [](const result::RunResult& a) { return a.host().kernel(); }},
      {"cpu model", [](const result::RunResult& a) { return a.host().cpu_model(); }},
      {"cpus", [](const result::RunResult& a) { return absl::StrCat(a.host().cpus()); }},
      {"governor", [](const result::RunResult& a) { return a.host().governor(); }},
      {"clocksource", [](const result::RunResult& a) { return a.host().clocksource(); }},
      {"mitigations", [](const result::RunResult& a) { return a.host().mitigations(); }},
      {"tuning", [](const result::RunResult& a) { return a.host().tuning().state(); }},
      {"service time injected",
       [](const result::RunResult& a) { return a.server_trace().service_spec(); }},
  };
  for (const auto& [what, fact] : facts) {
    Add(what, FactOf(base, fact), FactOf(candidate, fact), &out);
  }
  return out;
}

// One number of one row in both campaigns.
struct MetricComparison {
  std::string row;
  std::string metric;
  bool higher_is_worse = true;
  bool decides = true;  // its being unsettled makes the whole comparison inconclusive
  double base = 0;
  double candidate = 0;
  Ratio ratio;
  double adjusted_p = 1;
  RatioVerdict verdict;

  bool regression() const {
    const double worse = higher_is_worse ? ratio.ratio : 1 / ratio.ratio;
    return verdict.verdict == Verdict::kDifferent && worse > 1 + kMargin;
  }
};

constexpr double kFailureMargin = 0.001;

double FailureShare(const OpCounts& counts) {
  if (counts.sent == 0) return 0;
  return static_cast<double>(counts.failed + counts.lost) / static_cast<double>(counts.sent);
}

std::string RowKey(const CellOp& row) {
  std::vector<std::string> levels;
  for (const Level& level : row.cell->levels) {
    levels.push_back(absl::StrCat(level.axis, "=", level.value));
  }
  std::sort(levels.begin(), levels.end());
  return absl::StrCat(row.op, " ", absl::StrJoin(levels, ","));
}

MetricComparison CompareMetric(const CellOp& a, const CellOp& b, const std::string& metric,
                               bool higher_is_worse, bool decides, const Estimate CellOp::*number) {
  MetricComparison c;
  c.row = absl::StrCat(a.op, " ", a.cell->Label());
  c.metric = metric;
  c.higher_is_worse = higher_is_worse;
  c.decides = decides;
  c.base = (a.*number).value;
  c.candidate = (b.*number).value;
  c.ratio = WelchRatio((a.*number).values, (b.*number).values);
  return c;
}

// The share of requests without a good answer rose by more than kFailureMargin.
struct MoreFailures {
  std::string row;
  double base = 0;  // shares of what was sent
  double candidate = 0;
};

struct Matched {
  std::vector<MetricComparison> metrics;
  std::vector<MoreFailures> failures;
  std::vector<std::string> only_in_base;
  std::vector<std::string> only_in_candidate;
};

Matched Match(const CampaignAnalysis& base, const CampaignAnalysis& candidate) {
  Matched matched;
  std::map<std::string, const CellOp*> rows;
  for (const CellOp& row : candidate.rows) rows[RowKey(row)] = &row;
  for (const CellOp& row : base.rows) {
    const auto it = rows.find(RowKey(row));
    if (it == rows.end()) {
      matched.only_in_base.push_back(RowKey(row));
      continue;
    }
    const CellOp& other = *it->second;
    if (FailureShare(other.counts) > FailureShare(row.counts) + kFailureMargin) {
      matched.failures.push_back({.row = absl::StrCat(row.op, " ", row.cell->Label()),
                                  .base = FailureShare(row.counts),
                                  .candidate = FailureShare(other.counts)});
    }
    matched.metrics.push_back(CompareMetric(row, other, "p50", true, true, &CellOp::p50_ns));
    if (row.p99_ns.n() > 0 && other.p99_ns.n() > 0) {
      matched.metrics.push_back(CompareMetric(row, other, "p99", true, false, &CellOp::p99_ns));
    }
    matched.metrics.push_back(
        CompareMetric(row, other, "ops/s", false, true, &CellOp::answered_per_s));
    rows.erase(it);
  }
  for (const auto& [key, row] : rows) matched.only_in_candidate.push_back(key);
  std::vector<double> p;
  for (const MetricComparison& metric : matched.metrics) p.push_back(metric.ratio.p);
  const std::vector<double> adjusted = HolmAdjusted(p);
  for (size_t i = 0; i < adjusted.size(); ++i) {
    matched.metrics[i].adjusted_p = adjusted[i];
    matched.metrics[i].verdict = Judge(matched.metrics[i].ratio, adjusted[i]);
  }
  return matched;
}

std::string Number(const MetricComparison& c, double value) {
  return c.metric == "ops/s" ? FormatCount(value) : FormatUs(value);
}

std::string CaveatLines(const CampaignAnalysis& analysis, absl::string_view side) {
  std::string out;
  for (const CampaignCaveat& caveat : analysis.caveats) {
    out += Wrap(Printable(Sentence(caveat, *analysis.campaign)), kWidth,
                absl::StrCat("  ! ", side, ", ", caveat.code, ": "), "    ");
  }
  return out;
}

std::string MetricLine(const MetricComparison& c) {
  const std::string mark = c.regression() ? " (REGRESSION)" : "";
  return Wrap(Printable(absl::StrCat(c.row, " ", c.metric, c.metric == "ops/s" ? " " : " us ",
                                     Number(c, c.base), " -> ", Number(c, c.candidate), ", ",
                                     RatioText(c.ratio), ": ", VerdictText(c.verdict), mark)),
              kWidth, "  - ", "    ");
}

absl::string_view Conclusion(const Comparison& c) {
  if (c.significant_regression) return "significant regression";
  return c.inconclusive ? "inconclusive" : "no regression beyond the margin";
}

std::string Text(const CampaignAnalysis& base, const CampaignAnalysis& candidate,
                 const std::vector<Difference>& differences, const Matched& matched,
                 const Comparison& result) {
  std::string out =
      Wrap(Printable(absl::StrCat("Base ", base.campaign->name, " ", base.campaign->run_id,
                                  ", candidate ", candidate.campaign->name, " ",
                                  candidate.campaign->run_id, ": ", Conclusion(result))),
           kWidth, "", "  ");
  out += differences.empty() ? "Config does not differ.\n" : "Config differs in\n";
  for (const Difference& d : differences) {
    out += Wrap(Printable(absl::StrCat(d.what, ": ", d.base.empty() ? "(none)" : d.base, " -> ",
                                       d.candidate.empty() ? "(none)" : d.candidate)),
                kWidth, "  ", "    ");
  }
  const std::string caveats = CaveatLines(base, "base") + CaveatLines(candidate, "candidate");
  if (!caveats.empty()) absl::StrAppend(&out, "Caveats\n", caveats);
  absl::StrAppendFormat(&out,
                        "Ratios are candidate/base; margin %.0f %%; Welch intervals on logs over "
                        "repetitions; Holm over %d comparisons.\nWhat changed on the hosts between "
                        "the two campaigns is in no interval: one campaign with both has pairs.\n",
                        100 * kMargin, matched.metrics.size());
  for (const MetricComparison& c : matched.metrics) out += MetricLine(c);
  for (const MoreFailures& f : matched.failures) {
    absl::StrAppendFormat(&out,
                          "  - %s: %.2f %% of requests got no good answer, %.2f %% in base "
                          "(REGRESSION)\n",
                          Printable(f.row), 100 * f.candidate, 100 * f.base);
  }
  for (const std::string& row : matched.only_in_base) {
    absl::StrAppend(&out, "  only in base: ", Printable(row), "\n");
  }
  for (const std::string& row : matched.only_in_candidate) {
    absl::StrAppend(&out, "  only in candidate: ", Printable(row), "\n");
  }
  if (matched.metrics.empty()) out += "No cell is in both: nothing could be compared.\n";
  return out;
}

Json MetricJson(const MetricComparison& c) {
  const std::string unit = c.metric == "ops/s" ? "answered_per_s" : "response_" + c.metric + "_ns";
  return {{"row", c.row},
          {"metric", unit},
          {"base", c.base},
          {"candidate", c.candidate},
          {"ratio", c.ratio.ratio},
          {"low_90", c.ratio.interval ? Json(c.ratio.interval->low) : Json()},
          {"high_90", c.ratio.interval ? Json(c.ratio.interval->high) : Json()},
          {"p", c.ratio.p},
          {"p_holm", c.adjusted_p},
          {"repetitions", c.ratio.n},
          {"verdict", std::string(Name(c.verdict.verdict))},
          {"reason", c.verdict.reason},
          {"repetitions_needed", c.verdict.repetitions_needed},
          {"regression", c.regression()}};
}

std::string JsonText(const CampaignEvidence& base, const CampaignEvidence& candidate,
                     const std::vector<Difference>& differences, const Matched& matched,
                     const Comparison& result) {
  Json json;
  json["schema"] = 1;
  json["base"] = base.run_id;
  json["candidate"] = candidate.run_id;
  json["conclusion"] = std::string(Conclusion(result));
  json["significant_regression"] = result.significant_regression;
  json["inconclusive"] = result.inconclusive;
  json["margin"] = kMargin;
  json["config_differences"] = Json::array();
  for (const Difference& d : differences) {
    json["config_differences"].push_back(
        {{"what", d.what}, {"base", d.base}, {"candidate", d.candidate}});
  }
  json["comparisons"] = Json::array();
  for (const MetricComparison& c : matched.metrics) json["comparisons"].push_back(MetricJson(c));
  json["more_failures"] = Json::array();
  for (const MoreFailures& f : matched.failures) {
    json["more_failures"].push_back(
        {{"row", f.row}, {"base_share", f.base}, {"candidate_share", f.candidate}});
  }
  json["only_in_base"] = matched.only_in_base;
  json["only_in_candidate"] = matched.only_in_candidate;
  return Dump(json);
}

}  // namespace

Comparison Compare(const CampaignEvidence& base, const CampaignEvidence& candidate) {
  const CampaignAnalysis a = Analyse(base);
  const CampaignAnalysis b = Analyse(candidate);
  const std::vector<Difference> differences = Differences(base, candidate);
  const Matched matched = Match(a, b);
  Comparison result;
  result.significant_regression = !matched.failures.empty();
  // What the base measured and the candidate did not is no evidence of anything.
  bool unsettled = matched.metrics.empty() || !matched.only_in_base.empty();
  for (const MetricComparison& c : matched.metrics) {
    result.significant_regression |= c.regression();
    unsettled |= c.decides && c.verdict.verdict == Verdict::kInconclusive;
  }
  result.inconclusive = unsettled && !result.significant_regression;
  result.text = Text(a, b, differences, matched, result);
  result.json = JsonText(base, candidate, differences, matched, result);
  return result;
}

}  // namespace kbench::analysis
