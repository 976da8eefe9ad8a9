#include "analysis/verdict/gates.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

using What = Gate::What;

bool IsShareOfRequests(const Gate& gate) {
  return gate.what == What::kErrors || gate.what == What::kUnsent;
}

std::string Show(const Gate& gate, double value) {
  switch (gate.what) {
    case What::kErrors:
    case What::kUnsent:
      return absl::StrFormat("%.3f %%", 100 * value);
    case What::kAchieved:
      return absl::StrFormat("%.4f", value);
    case What::kRate:
      return absl::StrFormat("%.1f/s", value);
    default:
      return HumanDuration(value);
  }
}

// The complete runs of the cell's barest pass, by repetition: those of the headline.
std::vector<const AnalysedRun*> HeadlineRuns(const CampaignAnalysis& analysis,
                                             const CellInfo& cell) {
  std::vector<const AnalysedRun*> runs;
  Pass barest = Pass::kFull;
  for (const AnalysedRun& run : analysis.runs) {
    if (!run.usable || run.evidence->cell != cell.index) continue;
    runs.push_back(&run);
    barest = std::min(barest, run.evidence->pass);
  }
  runs.erase(
      std::remove_if(runs.begin(), runs.end(),
                     [barest](const AnalysedRun* run) { return run->evidence->pass != barest; }),
      runs.end());
  std::stable_sort(runs.begin(), runs.end(), [](const AnalysedRun* a, const AnalysedRun* b) {
    return a->evidence->repetition < b->evidence->repetition;
  });
  return runs;
}

const OpSummary* OpOf(const RunSummary& summary, const std::string& op) {
  if (op == summary.all.op) return &summary.all;
  for (const OpSummary& of_op : summary.ops) {
    if (of_op.op == op) return &of_op;
  }
  return nullptr;
}

double Share(uint64_t part, uint64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

// Nothing where too few requests carry it.
std::optional<double> ValueOf(const Gate& gate, const OpSummary& op) {
  const OpCounts& counts = op.counts;
  switch (gate.what) {
    case What::kPercentile:
      if (!CarriesPercentile(op.response.count(), gate.percentile)) return std::nullopt;
      return static_cast<double>(op.response.Percentile(gate.percentile).count());
    case What::kServicePercentile:
      if (!CarriesPercentile(op.service.count(), gate.percentile)) return std::nullopt;
      return static_cast<double>(op.service.Percentile(gate.percentile).count());
    case What::kMean:
      if (op.response.count() == 0) return std::nullopt;
      return op.response.mean_ns();
    case What::kMax:
      if (op.response.count() == 0) return std::nullopt;
      return static_cast<double>(op.response.max().count());
    case What::kErrors:
      if (counts.sent == 0) return std::nullopt;
      return Share(counts.failed + counts.lost, counts.sent);
    case What::kUnsent:
      if (counts.due == 0) return std::nullopt;
      return Share(counts.unsent, counts.due);
    case What::kAchieved:
      if (counts.due == 0) return std::nullopt;
      return Share(op.answered_in_window, counts.due);
    case What::kRate:
      return op.answered_per_s;
  }
  return std::nullopt;
}

bool Applies(const CampaignAnalysis& analysis, const CellInfo& cell, const Gate& gate) {
  const bool needs_open_loop = gate.what == What::kAchieved || gate.what == What::kUnsent;
  return !needs_open_loop || SettingOf(*analysis.campaign, cell, "mode") == "open";
}

// A share that is to be small cannot be shown by fewer requests than one in which it would appear.
std::string TooFewForShare(const Gate& gate, const std::vector<const AnalysedRun*>& runs) {
  if (!IsShareOfRequests(gate) || !gate.below || gate.bound <= 0) return "";
  uint64_t requests = 0;
  for (const AnalysedRun* run : runs) {
    const OpSummary* op = OpOf(run->summary, gate.op);
    if (op == nullptr) continue;
    requests += gate.what == What::kErrors ? op->counts.sent : op->counts.due;
  }
  if (static_cast<double>(requests) * gate.bound >= 1) return "";
  return absl::StrFormat("%d requests are too few to show a share this small: it takes %.0f",
                         requests, std::ceil(1 / gate.bound));
}

void Decide(const std::vector<const AnalysedRun*>& runs, GateResult* result) {
  const Gate& gate = *result->gate;
  result->range = result->value.interval;
  if (!result->range) {
    const auto [least, most] =
        std::minmax_element(result->value.values.begin(), result->value.values.end());
    result->range = {.low = *least, .high = *most};
  }
  const bool low_holds = gate.Holds(result->range->low);
  const bool high_holds = gate.Holds(result->range->high);
  if (!low_holds && !high_holds) {
    result->verdict = GateVerdict::kFailed;
  } else if (low_holds != high_holds) {
    result->reason = absl::StrCat("the bound lies within what ", result->value.n(),
                                  " repetitions say: more of them, or longer ones, may decide");
  } else {
    result->reason = TooFewForShare(gate, runs);
    if (result->reason.empty()) result->verdict = GateVerdict::kPassed;
  }
}

std::optional<GateResult> JudgeOne(const CampaignAnalysis& analysis, const CellInfo& cell,
                                   const Gate& gate) {
  if (!Applies(analysis, cell, gate)) return std::nullopt;
  GateResult result{.gate = &gate, .cell = &cell};
  const std::vector<const AnalysedRun*> runs = HeadlineRuns(analysis, cell);
  if (runs.empty()) {
    result.reason = "no complete run";
    return result;
  }
  std::vector<double> values;
  bool has_op = false;
  for (const AnalysedRun* run : runs) {
    const OpSummary* op = OpOf(run->summary, gate.op);
    has_op |= op != nullptr;
    const std::optional<double> value = op == nullptr ? std::nullopt : ValueOf(gate, *op);
    if (value) {
      values.push_back(*value);
    } else if (result.reason.empty()) {
      result.reason = absl::StrCat("repetition ", run->evidence->repetition,
                                   " has too few requests to carry it");
    }
  }
  if (!has_op) return std::nullopt;
  result.value = MedianOverRepetitions(std::move(values));
  if (result.reason.empty()) Decide(runs, &result);
  return result;
}

}  // namespace

absl::string_view Name(GateVerdict verdict) {
  switch (verdict) {
    case GateVerdict::kPassed:
      return "passed";
    case GateVerdict::kFailed:
      return "failed";
    case GateVerdict::kInconclusive:
      break;
  }
  return "inconclusive";
}

absl::string_view UnitOf(const Gate& gate) {
  switch (gate.what) {
    case What::kErrors:
    case What::kUnsent:
    case What::kAchieved:
      return "share";
    case What::kRate:
      return "1/s";
    default:
      return "ns";
  }
}

std::string GateResult::ValueText() const {
  if (value.n() == 0) return "-";
  std::string text = Show(*gate, value.value);
  if (value.n() > 1 && range) {
    absl::StrAppend(&text, " [", Show(*gate, range->low), ", ", Show(*gate, range->high), "]");
  }
  return text;
}

std::vector<GateResult> JudgeGates(const CampaignAnalysis& analysis) {
  std::vector<GateResult> results;
  for (const CellInfo& cell : analysis.campaign->cells) {
    for (const Gate& gate : analysis.campaign->gates) {
      std::optional<GateResult> result = JudgeOne(analysis, cell, gate);
      if (result) results.push_back(*std::move(result));
    }
  }
  return results;
}

int CountOf(const std::vector<GateResult>& results, GateVerdict verdict) {
  return static_cast<int>(
      std::count_if(results.begin(), results.end(),
                    [verdict](const GateResult& result) { return result.verdict == verdict; }));
}

std::string GatesLine(const std::vector<GateResult>& results) {
  if (results.empty()) return "";
  return absl::StrFormat(
      "gates: %d passed, %d failed, %d inconclusive", CountOf(results, GateVerdict::kPassed),
      CountOf(results, GateVerdict::kFailed), CountOf(results, GateVerdict::kInconclusive));
}

}  // namespace kbench::analysis
