// One run over all its agents: counts and bytes added, histograms merged bucket by bucket. A
// percentile of the run is read from the merged histogram; percentiles of agents are never
// averaged. Throughput is the sum over agents of the good answers that each decoded within its own
// window, whenever their requests were due: the answers of a drain are no throughput.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"
#include "base/histogram.h"

namespace kbench::analysis {

struct OpCounts {
  uint64_t due = 0;
  uint64_t sent = 0;
  uint64_t unsent = 0;
  uint64_t answered = 0;
  uint64_t failed = 0;
  uint64_t lost = 0;

  void Add(const result::Counts& counts);
  bool AddUp() const { return due == sent + unsent && sent == answered + failed + lost; }
};

struct OpSummary {
  std::string op;  // "get"; "all" for the sum over ops
  OpCounts counts;
  // The headline. Answered: intended -> decoded; lost: intended -> given up, which is less than the
  // true time. Failed requests are not in it: a fast error is no fast answer.
  Histogram response;
  Histogram answered;  // of the answered requests alone
  Histogram failed;    // intended -> decoded
  Histogram lost;      // intended -> given up
  Histogram service;   // answered: submitted -> decoded
  std::map<std::string, Histogram> phases;
  std::map<std::string, uint64_t> statuses;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  uint64_t answered_in_window = 0;
  double answered_per_s = 0;
  double request_bytes_per_s = 0;
  double response_bytes_per_s = 0;
  std::vector<std::string> first_errors;
};

struct RunSummary {
  std::vector<OpSummary> ops;  // in the order in which the agents name them
  OpSummary all;
  std::string transport;    // of the first agent
  int64_t measured_ns = 0;  // the longest window
  uint32_t workers = 0;
  result::ResourceUse usage;  // added over agents
  // What the sums themselves gave away: counts_do_not_add_up, histogram_unreadable.
  std::vector<result::Caveat> caveats;
};

RunSummary Summarize(const RunEvidence& run);

// A caveat of the analysis itself; codes: docs/measurement.md.
result::Caveat MakeCaveat(absl::string_view code, absl::string_view text);

}  // namespace kbench::analysis
