// A server whose inside nobody tells: only network + server is measured, and the server's share of
// it is given as a bracket, never as a point. At most, everything beyond the least that the network
// can have taken; at least, what is beyond the most that it plausibly took.
#pragma once

#include <optional>
#include <string>

#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

struct ServerBracket {
  double most_ns = 0;
  // None: nothing tells what the network takes at most (echoes are idle ones).
  std::optional<double> least_ns;
  std::string sentence;  // with what it rests on, and what stays unseparated
};

// None when the row's server is separated, or when no baseline of the path exists.
std::optional<ServerBracket> BracketOf(const CampaignAnalysis& analysis, const CellOp& row);

}  // namespace kbench::analysis
