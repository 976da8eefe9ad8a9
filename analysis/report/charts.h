// The plots of the HTML report, as inline SVG. A group is one op at one setting of everything but
// the transport: what a reader compares.
#pragma once

#include <string>
#include <vector>

#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

struct ChartGroup {
  std::string title;  // "get, value_size=4KiB"
  std::vector<const CellOp*> rows;
};

// By op, then by the other levels, in the order of the cells.
std::vector<ChartGroup> ChartGroups(const CampaignAnalysis& analysis);

// Transports in the order of their first appearance: the index is the colour.
std::vector<std::string> Transports(const CampaignAnalysis& analysis);

enum class BarScale { kAbsolute, kShares };

// One stacked bar per row; an axis of its own for the group. Merged parts are hatched.
std::string PartsChart(const ChartGroup& group, BarScale scale);

// Percentiles of response time on an axis of log(1 / (1 - p)), one line per transport.
std::string PercentileChart(const ChartGroup& group, const std::vector<std::string>& transports);

// Answered requests per second: median bar, interval whisker, one dot per repetition.
std::string ThroughputChart(const ChartGroup& group, const std::vector<std::string>& transports);

// The hatches of merged parts, which the charts refer to; once per page.
std::string ChartDefinitions();
// Names beside their colours.
std::string PartsLegend(const CampaignAnalysis& analysis);
std::string TransportLegend(const std::vector<std::string>& transports);

}  // namespace kbench::analysis
