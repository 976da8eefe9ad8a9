// The files of one run in the result directory, made from the run's evidence alone.
//
//   summary.json        counts, latencies per op (histograms merged over the agents), throughput
//   decomposition.json  where the time went: parts, residual, exclusions, caveats
//   health.json         whether the load generator did what it was asked to do
//   intervals.csv       progress of every agent over the window
//   latency.hlog        response time per op in HdrHistogram's log format, for its own tools
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"
#include "analysis/evidence/run_summary.h"

namespace kbench::analysis {

std::string RunSummaryJson(const RunEvidence& run);
std::string DecompositionJson(const RunEvidence& run);
std::string HealthJson(const RunEvidence& run);
// Of the controller, the agents and the sums.
std::vector<result::Caveat> AllCaveats(const RunEvidence& run, const RunSummary& summary);
// Codes of the caveats for which HealthJson's verdict is "suspect", each once; none: it is "ok".
std::vector<std::string> SuspectCodes(const RunEvidence& run);
std::string IntervalsCsv(const RunEvidence& run);
// `started_utc`: "2026-11-23T23:36:00Z"; anything else is written as the epoch.
std::string LatencyHlog(const RunEvidence& run, absl::string_view started_utc);

}  // namespace kbench::analysis
