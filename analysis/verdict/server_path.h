// The measured paths (baselines) that say something of the way between agents and a cell's server:
// those that end at its address, or at an agent on its host. What was measured between other hosts
// is no evidence of this way.
#pragma once

#include <string>
#include <vector>

#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

struct ServerPath {
  bool measured = false;  // a bulk transfer to the server's host
  double sent_per_s = 0;  // the best bulk rates in payload bytes per second; 0: none
  double received_per_s = 0;
  double floor_ns = 0;     // the least round trip of TCP; 0: none
  double echo_p99_ns = 0;  // the largest p99 of idle echoes; 0: none
};

// How long `bytes` of payload take at `bytes_per_s`, headers included as they were when that was
// measured; 0 when it was not.
double SerialisationNs(double bytes, double bytes_per_s);

ServerPath ServerPathOf(const CampaignAnalysis& analysis, const CellOp& row);

}  // namespace kbench::analysis
