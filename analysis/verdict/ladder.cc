#include "analysis/verdict/ladder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

constexpr std::array<absl::string_view, 7> kRungs = {"noop", "version", "get_miss", "get",
                                                     "put",  "delete",  "flush"};

bool IsOpAxis(const std::string& axis) { return axis == "op"; }

// Every level but the operation.
std::string RestOf(const CellInfo& cell) {
  std::vector<std::string> levels;
  for (const Level& level : cell.levels) {
    if (!IsOpAxis(level.axis)) levels.push_back(absl::StrCat(level.axis, "=", level.value));
  }
  return absl::StrJoin(levels, ",");
}

double BytesPerRequest(const CellOp& row) {
  for (const AnalysedRun* run : row.runs) {
    for (const OpSummary& op : run->summary.ops) {
      if (op.op != row.op || op.counts.sent == 0) continue;
      return static_cast<double>(op.request_bytes + op.response_bytes) /
             static_cast<double>(op.counts.sent);
    }
  }
  return 0;
}

LadderStep Step(const CellOp& lower, const CellOp& upper) {
  LadderStep step{.lower = lower.op, .upper = upper.op, .rest = RestOf(*upper.cell)};
  step.lower_bytes = BytesPerRequest(lower);
  step.upper_bytes = BytesPerRequest(upper);
  std::vector<double> differences;
  for (size_t i = 0; i < lower.repetitions.size(); ++i) {
    const auto at =
        std::find(upper.repetitions.begin(), upper.repetitions.end(), lower.repetitions[i]);
    if (at == upper.repetitions.end()) continue;
    differences.push_back(upper.p50_ns.values[at - upper.repetitions.begin()] -
                          lower.p50_ns.values[i]);
  }
  const Estimate estimate = MedianOverRepetitions(std::move(differences));
  step.difference_ns = estimate.value;
  step.interval = estimate.interval;
  step.repetitions = estimate.n();
  return step;
}

const CellOp* Rung(const CampaignAnalysis& analysis, absl::string_view op,
                   const std::string& rest) {
  for (const CellOp& row : analysis.rows) {
    if (row.op == op && RestOf(*row.cell) == rest && row.p50_ns.n() > 0) return &row;
  }
  return nullptr;
}

std::string Signed(double ns) {
  return absl::StrCat(ns < 0 ? "-" : "", HumanDuration(std::fabs(ns)));
}

}  // namespace

std::string LadderStep::Sentence() const {
  std::string text =
      absl::StrCat(upper, " - ", lower, rest.empty() ? "" : " ", rest, ": ", Signed(difference_ns));
  if (interval) {
    absl::StrAppend(&text, " [", Signed(interval->low), ", ", Signed(interval->high), "]");
  }
  absl::StrAppend(&text, " of p50, ", repetitions,
                  repetitions == 1 ? " repetition" : " repetitions");
  if (upper_bytes > 2 * lower_bytes + 256) {
    absl::StrAppendFormat(&text, "; it moves %.0f bytes more, whose time on the wire is in it",
                          upper_bytes - lower_bytes);
  }
  return text;
}

std::vector<LadderStep> LadderOf(const CampaignAnalysis& analysis) {
  std::vector<LadderStep> steps;
  for (const CellOp& row : analysis.rows) {
    if (row.op != kRungs.front() || row.p50_ns.n() == 0) continue;
    const std::string rest = RestOf(*row.cell);
    const CellOp* lower = &row;
    for (size_t i = 1; i < kRungs.size(); ++i) {
      const CellOp* upper = Rung(analysis, kRungs[i], rest);
      if (upper == nullptr) continue;
      steps.push_back(Step(*lower, *upper));
      lower = upper;
    }
  }
  return steps;
}

}  // namespace kbench::analysis
