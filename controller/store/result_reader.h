// A result directory, back in memory: the same evidence that was written, so that every number of
// a report can be computed again from the directory alone. Files whose bytes are not what the
// manifest names are refused.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"
#include "controller/store/manifest.h"

namespace kbench {

struct StoredCampaign {
  std::string directory;
  Manifest manifest;
  analysis::CampaignEvidence evidence;  // with its runs
  std::vector<int> ordinals;            // of these runs, in the plan
  bool recovered = false;               // from a .partial directory: its controller died
};

absl::StatusOr<StoredCampaign> ReadResult(const std::string& directory);

struct ResultListing {
  std::string directory;
  absl::StatusOr<Manifest> manifest;
  bool partial = false;
  bool in_progress = false;  // its writer lives
  std::string resumed_as;    // run id of the result that took it up; empty: none did
};

// Every result below `results_dir`, oldest first. A missing directory holds none.
std::vector<ResultListing> ListResults(const std::string& results_dir);

// A directory as it is; anything else is a run id, or the beginning of exactly one.
absl::StatusOr<std::string> FindResult(const std::string& results_dir, const std::string& name);

}  // namespace kbench
