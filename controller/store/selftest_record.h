// The last self-test of a fleet, kept beside the results: every report says whether the hosts that
// it is about have proved their attribution.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kbench {

struct SelftestRecord {
  std::string fleet;
  bool passed = false;
  std::string ended_utc;
  std::string version;  // of kbench
  int responses = 0;    // that were judged
  int wrong = 0;        // of these
  std::vector<std::string> not_tested;
  std::string details;  // the whole outcome: JSON

  // "passed on 2026-11-26T12:00:00Z: 20 responses of known delays, all right"
  std::string Sentence() const;
};

// Names a fleet by its agents, whatever their order; "local-HOSTNAME" for --local.
std::string FleetKey(std::vector<std::string> agents, bool local);

// Replaces the fleet's record below `results_dir`, whole or not at all.
absl::Status StoreSelftest(const std::string& results_dir, const SelftestRecord& record);
// None where there is none that can be read.
std::optional<SelftestRecord> LoadSelftest(const std::string& results_dir, absl::string_view fleet);

}  // namespace kbench
