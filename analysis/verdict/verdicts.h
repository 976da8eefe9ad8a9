// What the numbers allow to be said, in modest sentences: which part is largest and how much a
// faster client stack could give at most, per cell; and whether two transports differ, with the
// four verdicts of statistics.h. Where a request waited is not why it waited: sentences say where.
#pragma once

#include <string>
#include <vector>

#include "analysis/evidence/statistics.h"
#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

// "server is the largest part: 51.2 % [48.9, 53.6] of mean response (3 repetitions); ..."
std::string PartsSentence(const CellOp& row);

// The most a client stack of zero cost could take off the mean response, merged parts counted
// whole. `wait` is not in it.
struct ClientBound {
  double removable_ns = 0;
  double of_ns = 0;
  std::vector<std::string> merged;  // parts in it that hold more than the client
};
ClientBound BoundOfClientStack(const CellOp& row);

// Two transports in cells that are otherwise equal; pairs are repetitions of the same number, which
// ran next to each other in the plan.
struct TransportComparison {
  std::string pass;  // "in the full pass " when it is not the headline's that was compared
  std::string op;
  std::string rest;  // the other levels
  std::string base;
  std::string candidate;
  Ratio p50;              // candidate / base
  double adjusted_p = 1;  // Holm, over all comparisons of the campaign
  RatioVerdict verdict;

  std::string Sentence() const;
};
std::vector<TransportComparison> CompareTransports(const CampaignAnalysis& analysis);

// "uring against socket: p50 x 1.081 [1.050, 1.113] (90 %), 40 repetitions: different"
std::string RatioText(const Ratio& ratio);
std::string VerdictText(const RatioVerdict& verdict);

}  // namespace kbench::analysis
