// Writes one campaign's result directory, once.
//
//   results/<campaign>/.partial-<UTC>-<run id>/     while it runs: each finished run is on the disk
//           |                                       before the next one starts
//           | Finish(): derived files, manifest, read-only, one rename
//           v
//   results/<campaign>/<UTC>-<run id>/              complete, aborted or failed, never half
//       manifest.json  campaign.yaml  plan.json  baselines.pb  summary.json  report.html report.txt
//       logs/ cells/<NN>-<label>/rep<K>/<pass>/
//           run.json                                what the controller knows of the run
//           agents/<name>.pb  server_wire.pb        the evidence, as it came
//           summary.json intervals.csv latency.hlog decomposition.json health.json
//                                                   computed from it
//
// A crash leaves the .partial directory, which `kbench list` shows and `kbench report` reads. While
// its writer lives the directory is locked. When the disk is full it is removed: a result is whole
// or it is not there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "analysis/evidence/evidence.h"
#include "base/fd.h"
#include "controller/campaign/campaign.h"
#include "controller/store/manifest.h"

namespace kbench {

inline constexpr absl::string_view kPartialPrefix = ".partial-";

// Text as one path component: letters, digits and "._=,+-" stay, everything else becomes "_".
std::string PathComponent(absl::string_view text);

class ResultStore {
 public:
  // `manifest` holds everything that is known before the first run; its status becomes "running".
  static absl::StatusOr<std::unique_ptr<ResultStore>> Create(const std::string& results_dir,
                                                             const Campaign& campaign,
                                                             const std::string& plan_json,
                                                             Manifest manifest);
  // A store that is neither finished nor discarded stays recoverable.
  ~ResultStore() = default;

  // Runs that are there with all their evidence.
  size_t runs_stored() const { return manifest_.runs.size(); }
  const std::string& partial_dir() const { return partial_dir_; }
  const std::string& final_dir() const { return final_dir_; }
  std::string log_dir() const { return partial_dir_ + "/logs"; }

  // Durable when it returns. At most once.
  absl::Status AddBaselines(const std::vector<result::NetworkBaseline>& baselines);

  // Durable when it returns; on failure nothing of the run is left.
  absl::Status AddRun(int ordinal, const analysis::RunEvidence& evidence,
                      const std::vector<std::string>& spec_sha256);

  // `evidence` is the campaign with its runs, in the order of the plan. Gives the final directory.
  absl::StatusOr<std::string> Finish(const analysis::CampaignEvidence& evidence, int exit_code,
                                     const std::string& exit_text, const std::string& ended_utc);

  // Takes over a run of another result: its directory there, byte by byte (as hard links where
  // both are on one file system). Durable when it returns.
  absl::Status AdoptRun(const std::string& from_result, int ordinal,
                        const analysis::RunEvidence& evidence);

  void Discard();

 private:
  void AddToManifest(int ordinal, const analysis::RunEvidence& evidence,
                     const std::string& directory);
  absl::Status WriteRun(int ordinal, const analysis::RunEvidence& evidence,
                        const std::vector<std::string>& spec_sha256);
  ResultStore() = default;
  absl::Status WriteDerived(const analysis::CampaignEvidence& evidence);
  absl::Status FinishSteps(const analysis::CampaignEvidence& evidence);

  std::string partial_dir_;
  std::string final_dir_;
  Manifest manifest_;
  Fd lock_;
};

}  // namespace kbench
