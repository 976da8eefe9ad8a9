// Which resource was full. Demands come from clocks that nobody has to trust: CPU time of the
// client's workers, bytes against the rate that the path was measured to carry, and the time in
// which the server had a request inside. A resource whose utilisation X times D is near 1 sets the
// rate, whatever the parts say about where requests waited. (operational laws: docs/measurement.md,
// "Saturation")
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

enum class Resource { kClient, kServer, kLinkOut, kLinkIn };
absl::string_view Name(Resource resource);

struct Utilisation {
  Resource resource = Resource::kClient;
  double share = 0;      // of the time, or of the measured rate; median over repetitions
  std::string evidence;  // "workers used 0.31 of their cores"
};

inline constexpr double kFull = 0.9;       // U = X D
inline constexpr double kLinkFull = 0.95;  // of the measured rate, without evidence of a queue
inline constexpr double kBacklogShare =
    0.8;                               // of looks at the egress queue, for "there is a queue"
inline constexpr double kFlat = 0.03;  // growth of the rate by a window at least twice as large
inline constexpr double kBeyondMeasured = 1.05;  // of the rate that a bulk transfer reached

struct Saturation {
  std::vector<Utilisation> known;
  // The full resource with the highest utilisation; none: no known resource is full.
  std::optional<Resource> bottleneck;
  bool server_may_be_parallel = false;  // "always busy" may only mean many requests at once
  std::string sentence;
};

// Requests that may be in flight at once, over all agents.
double WindowOf(const CampaignAnalysis& analysis, const CellOp& row);

Saturation SaturationOf(const CampaignAnalysis& analysis, const CellOp& row);

}  // namespace kbench::analysis
