// What can be said of one cell, in the order in which it has to be asked: may the numbers be used
// at all; which resource was full; why did requests wait; where; and only then, elsewhere, how
// cells compare. Sentences carry their evidence.
#pragma once

#include <string>
#include <vector>

#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

enum class FindingKind { kValidity, kSaturation, kCause, kShares, kBracket, kOwnClock };
absl::string_view Name(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kShares;
  std::string sentence;
};

std::vector<Finding> FindingsOf(const CampaignAnalysis& analysis, const CellOp& row);

}  // namespace kbench::analysis
