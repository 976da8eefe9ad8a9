// Two campaigns, cell by cell: what differs in how they were run, then what differs in what they
// measured, with intervals over repetitions. "No difference" is a claim like any other: it needs
// its interval inside the margin (docs/measurement.md, "Verdicts").
#pragma once

#include <string>

#include "analysis/evidence/evidence.h"

namespace kbench::analysis {

struct Comparison {
  std::string text;
  std::string json;
  // Some cell is slower by more than the margin, and the difference survives the correction for
  // the number of comparisons.
  bool significant_regression = false;
  // No such cell, but the evidence does not settle at least one cell, or nothing could be compared.
  bool inconclusive = false;
};

Comparison Compare(const CampaignEvidence& base, const CampaignEvidence& candidate);

}  // namespace kbench::analysis
