// The differential ladder, for a server that is closed to us: the same clients, connections and
// link, and operations that each do one thing more than the one before. The difference of two
// neighbours is that thing's time, client totals alone. What changes the server's state between the
// rungs (caches, read-ahead), or is done aside for one of them, is in the difference too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

struct LadderStep {
  std::string lower;         // "noop"
  std::string upper;         // "get"
  std::string rest;          // the other levels
  double difference_ns = 0;  // median over repetitions of the difference of p50
  std::optional<Interval> interval;
  int repetitions = 0;
  double lower_bytes = 0, upper_bytes = 0;  // per request, both directions

  std::string Sentence() const;
};

// The rungs are, in this order: noop, version, get_miss, get, put, delete, flush. Pairs are
// repetitions of the same number. Empty without a noop cell.
std::vector<LadderStep> LadderOf(const CampaignAnalysis& analysis);

}  // namespace kbench::analysis
