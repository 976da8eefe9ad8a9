// Which gates of a campaign hold, cell by cell, by the rules of docs/measurement.md ("Gates").
//
//   passed         the 95 % interval of the median over repetitions lies on the right side
//   failed         it lies on the wrong side
//   inconclusive   the bound is inside it, or there are too few requests, or no complete run
//
// Below three repetitions there is no interval; their smallest and largest value take its place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analysis/evidence/gate.h"
#include "analysis/evidence/statistics.h"
#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

enum class GateVerdict { kPassed, kFailed, kInconclusive };
absl::string_view Name(GateVerdict verdict);  // "passed", "failed", "inconclusive"

struct GateResult {
  const Gate* gate = nullptr;      // into the campaign
  const CellInfo* cell = nullptr;  // into the campaign
  GateVerdict verdict = GateVerdict::kInconclusive;
  Estimate value;                 // in the gate's unit; without values when there is none
  std::optional<Interval> range;  // what was held against the bound
  std::string reason;             // of an inconclusive verdict

  // "1.23 ms [1.10 ms, 1.40 ms]", "-" without a value.
  std::string ValueText() const;
};

// In the order of the cells, then of the gates. A gate of an operation that a cell does not have,
// or of an open loop's rate in a closed loop, has no result there.
std::vector<GateResult> JudgeGates(const CampaignAnalysis& analysis);

// "gates: 3 passed, 1 failed, 0 inconclusive"; empty without gates.
std::string GatesLine(const std::vector<GateResult>& results);

// Of its bound and values: "ns", "share" or "1/s".
absl::string_view UnitOf(const Gate& gate);

int CountOf(const std::vector<GateResult>& results, GateVerdict verdict);

}  // namespace kbench::analysis
