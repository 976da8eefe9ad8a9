// manifest.json and run.json: what the controller knows of a campaign and of one run, beside the
// agents' own results. Their schema is docs/formats.md; `schema_version` changes when a reader of
// the old one would be misled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"

namespace kbench {

inline constexpr int kResultSchemaVersion = 1;

// One line of the manifest's list of runs.
struct ManifestRun {
  int ordinal = 0;
  int cell = 0;
  int repetition = 0;
  analysis::Pass pass = analysis::Pass::kSampled;  // also of results from before there were passes
  std::string run_id;
  std::string status;
  std::string directory;  // within the result directory
};

struct Manifest {
  // Everything of it but `runs`, which are in their run.json. While the campaign runs its status
  // is "running".
  analysis::CampaignEvidence campaign;
  std::string label;         // --label
  std::string resumed_from;  // run id of the result whose runs it begins with; empty: none
  std::string ended_utc;     // empty while it runs
  int exit_code = 0;
  std::string exit_text;         // why, when not 0
  std::string campaign_sha256;   // of campaign.yaml
  std::string plan_sha256;       // of plan.json
  std::string baselines_sha256;  // of baselines.pb; empty: there is none
  size_t runs_planned = 0;
  std::vector<ManifestRun> runs;
};

struct EvidenceFile {
  std::string name;    // within the run's directory: "agents/0-127.0.0.1_7100.pb"
  std::string sha256;  // of its bytes
};

struct RunRecord {
  int ordinal = 0;
  analysis::RunEvidence evidence;        // but `agents` and `server_wire`: they are the files
  std::vector<std::string> spec_sha256;  // what each agent was told, in its order
  std::vector<EvidenceFile> agent_files;
  std::optional<EvidenceFile> server_wire_file;
};

std::string ManifestJson(const Manifest& manifest);
absl::StatusOr<Manifest> ParseManifest(absl::string_view json);

std::string RunRecordJson(const RunRecord& record);
absl::StatusOr<RunRecord> ParseRunRecord(absl::string_view json);

}  // namespace kbench
