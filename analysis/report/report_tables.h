// The two tables that every report for people shows, per op: what a request took, and where that
// went. Numbers are medians over repetitions.
#pragma once

#include <string>
#include <vector>

#include "analysis/report/table.h"
#include "analysis/split/campaign_analysis.h"

namespace kbench::analysis {

// Rows of `op`: response-time percentiles, throughput and cost, one row per cell.
Table LatencyTable(const CampaignAnalysis& analysis, const std::string& op);

// Two rows per cell: microseconds, then shares of the mean in %. Where parts are merged, the sum
// stands in the network column, and ">" or "<" in those that it swallowed.
Table PartsTable(const CampaignAnalysis& analysis, const std::string& op);

// A table whose columns so far name a cell of `op`: the axes in which its cells differ, or the
// transport; and what a row has in them.
Table NamedRows(const CampaignAnalysis& analysis, const std::string& op);
std::vector<std::string> NameCells(const CampaignAnalysis& analysis, const CellOp& row);

inline constexpr char kPartsLegend[] =
    "mean us, below it % of mean response; > and < are not separated and counted under network; "
    "residual: mean of all requests minus mean of the sampled ones";

// "get  workload.value_size=4KiB": the op and the levels that all its cells share.
std::string OpTitle(const CampaignAnalysis& analysis, const std::string& op);

// The axes in which the cells of `op` differ, in the campaign's order.
std::vector<std::string> VaryingAxes(const CampaignAnalysis& analysis, const std::string& op);

// The requests of all runs in the statistics, in a line that adds up.
std::string CountsLine(const CampaignAnalysis& analysis);

// How far apart the agents' first requests were, in runs of several agents.
struct StartSkew {
  size_t runs = 0;  // 0: none had several agents
  int64_t p50_ns = 0;
  int64_t p99_ns = 0;          // by nearest rank: of fewer than 100 runs the largest
  int64_t clock_error_ns = 0;  // within which the agents' clocks are known; the worst run
};
StartSkew StartSkewOf(const CampaignAnalysis& analysis);
std::string SkewLine(const StartSkew& skew);  // empty without runs

// "passed on ...", or that there is none.
std::string SelftestText(const CampaignEvidence& campaign);

// "run 0123abcd-0007 (transport=uring, repetition 2) failed: ...", one for each run that is in no
// statistic.
std::vector<std::string> LeftOut(const CampaignAnalysis& analysis);

// What is behind the last dot: "value_size" of "workload.value_size".
std::string ShortAxis(const std::string& axis);

std::string FormatUs(double ns);            // "12.3", four digits at most before they are whole
std::string FormatCount(double n);          // "20500", "3.41"
double CpuPerRequestNs(const CellOp& row);  // all workers, all ops of the cell's runs

}  // namespace kbench::analysis
