// Everything the reports show, computed once: runs summed up and separated, then one row per cell
// and op with medians over its repetitions. Runs that are not complete are shown, counted, and in
// no row.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "analysis/evidence/caveats.h"
#include "analysis/evidence/evidence.h"
#include "analysis/evidence/run_summary.h"
#include "analysis/evidence/statistics.h"
#include "analysis/split/decomposition.h"
#include "analysis/split/probe_cost.h"

namespace kbench::analysis {

struct AnalysedRun {
  const RunEvidence* evidence = nullptr;  // into the campaign
  RunSummary summary;
  bool usable = false;   // complete: counted in its cell
  std::string left_out;  // why not, when not
};

struct CellPart {
  std::string name;
  Estimate mean_ns;
  Estimate share;
  Estimate p50_ns;  // the part's own percentiles
  Estimate p99_ns;
  // Means over the requests near a percentile of response time: who makes it.
  Estimate near_p50_ns;
  Estimate near_p99_ns;
  Estimate near_p99_share;
};

struct CurvePoint {
  double percentile = 0;
  double response_ns = 0;  // median over repetitions
};

// One op in one cell. Estimates are over its usable repetitions, all in the order of
// `repetitions`. A percentile that some repetition has too few requests for has no values.
struct CellOp {
  const CellInfo* cell = nullptr;  // into the campaign
  std::string op;
  std::string transport;
  std::string rest;  // every level but the transport: "value_size=4KiB"
  // The headline: the runs of the barest pass that the cell has, and their numbers.
  Pass headline = Pass::kBare;
  std::vector<int> repetitions;
  std::vector<const AnalysedRun*> runs;
  OpCounts counts;  // over all repetitions
  Estimate answered_per_s;
  Estimate payload_bytes_per_s;  // request and response bytes
  Estimate mean_ns;
  Estimate p50_ns;
  Estimate p99_ns;
  Estimate p999_ns;
  Estimate service_p50_ns;
  std::vector<CurvePoint> curve;  // as far as the number of requests carries
  // Where the time went: from the pass with the best evidence.
  Pass parts_pass = Pass::kSampled;
  std::vector<const AnalysedRun*> parts_runs;
  // Why the full pass, which was to bring packets, was passed over; of its runs.
  std::vector<std::pair<const AnalysedRun*, result::Caveat>> passed_over;
  std::vector<Decomposition> decompositions;  // one per parts_run, with the same cuts
  Boundaries boundaries;
  std::vector<CellPart> parts;
  std::vector<CellPart> causes;  // analysis/split/causes.h; empty when some repetition cannot tell
  std::vector<CellPart> inside;  // Decomposition::inside
  std::vector<ProbeCost> costs;  // of the passes with probes, against the bare one
  Estimate residual_ns;
  Estimate residual_share;
  uint64_t samples_used = 0;
  uint64_t samples_seen = 0;
};

struct CampaignAnalysis {
  const CampaignEvidence* campaign = nullptr;
  std::vector<AnalysedRun> runs;  // in the order of execution
  std::vector<CellOp> rows;       // by op, then by cell
  std::vector<CampaignCaveat> caveats;
  int runs_left_out = 0;

  std::vector<std::string> ops() const;
};

// `campaign` must outlive the result.
CampaignAnalysis Analyse(const CampaignEvidence& campaign);

// The value of the level whose axis is `name` or ends in ".name"; "" without one.
std::string LevelOf(const CellInfo& cell, const std::string& name);
// The value that a field of the campaign had in this cell, whether it was swept or the same in all
// cells; "" without one. `name` as in results: "depth", not "load.depth".
std::string SettingOf(const CampaignEvidence& campaign, const CellInfo& cell,
                      const std::string& name);

}  // namespace kbench::analysis
