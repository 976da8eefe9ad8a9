// What the analysis works from: the runs of one campaign, as they came from the agents. The
// controller fills it, live or from a result directory; everything in a report is computed from
// it, so that `kbench report` reproduces every number from the directory alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analysis/evidence/gate.h"
#include "proto/result.pb.h"

namespace kbench::analysis {

// One factor's setting in one cell: {"transport", "uring"}.
struct Level {
  std::string axis;
  std::string value;
};

// One combination of levels. A campaign without a sweep has one cell without levels.
struct CellInfo {
  int index = 0;
  std::vector<Level> levels;

  // "transport=uring,value_size=4KiB"; "all" without levels.
  std::string Label() const;
};

// A cell is run in up to three passes, so that what measuring costs is measured, too: without any
// probe, whose numbers are the headline; with kernel stamps on some requests; and with everything.
enum class Pass { kBare, kSampled, kFull };
inline constexpr Pass kPasses[] = {Pass::kBare, Pass::kSampled, Pass::kFull};
absl::string_view Name(Pass pass);  // "bare", "sampled", "full"

// Degraded: complete, with fewer agents than the campaign has.
enum class RunStatus { kComplete, kDegraded, kAborted, kFailed };
absl::string_view Name(RunStatus status);  // "complete", "degraded", "aborted", "failed"

// One execution of one cell: one RunResult per agent that delivered one.
struct RunEvidence {
  int cell = 0;        // CellInfo::index
  int repetition = 0;  // from 0
  std::string run_id;
  RunStatus status = RunStatus::kComplete;
  std::string status_text;  // why, when not complete; who was absent, when degraded
  // Spread of the agents' first sends, after mapping each agent's clock to the controller's; and
  // the bound of that mapping's error (half of the smallest round trip, worst agent).
  int64_t first_send_skew_ns = 0;
  int64_t clock_error_bound_ns = 0;
  Pass pass = Pass::kSampled;
  std::vector<result::RunResult> agents;
  // Of the observer on the server's host; none: there was none.
  std::optional<result::WireTrace> server_wire;
  std::vector<result::Caveat> caveats;  // the controller's own
};

// The last self-test of the fleet that ran the campaign.
struct SelftestSummary {
  bool passed = false;
  std::string sentence;  // "passed on ..."
};

struct CampaignEvidence {
  std::string name;
  std::string run_id;
  std::string started_utc;  // "2026-11-23T23:36:00Z"
  std::string status;       // "complete", "degraded" (an agent was lost), "aborted", "failed"
  std::string version;      // of the controller
  std::string server;       // address, or "embedded"
  uint64_t seed = 0;
  int repetitions = 0;
  std::vector<std::string> axes;                 // swept fields, in the campaign's order
  std::map<std::string, std::string> constants;  // every other field, resolved
  std::vector<CellInfo> cells;
  std::vector<Gate> gates;                         // that every cell is to hold
  std::vector<RunEvidence> runs;                   // in the order of execution
  std::optional<SelftestSummary> selftest;         // none: never made here
  std::vector<result::NetworkBaseline> baselines;  // before the first run
  std::vector<result::Caveat> caveats;
};

}  // namespace kbench::analysis
