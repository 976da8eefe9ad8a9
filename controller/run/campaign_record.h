// What a campaign has measured so far: in memory, in the order of the plan, and in its result
// directory, where each run is durable before the next one starts.
//
// When the disk takes no more, what was written whole stays recoverable, and nothing is kept when
// there is none; either is said.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "analysis/evidence/evidence.h"
#include "controller/campaign/campaign.h"
#include "controller/run/progress.h"
#include "controller/store/result_store.h"

namespace kbench {

class CampaignRecord {
 public:
  struct Options {
    std::string results_dir;
    std::string plan_json;
    std::string label;
    std::string resumed_from;  // run id; empty: it begins anew
    size_t runs_planned = 0;
    bool agents_keep_results = false;  // for the sentence that says where else they are
  };

  // `evidence` is what is known before the first run. `progress` outlives the record.
  CampaignRecord(analysis::CampaignEvidence evidence, Progress* progress)
      : evidence_(std::move(evidence)), progress_(progress) {}

  // Makes the directory.
  absl::Status Open(const Campaign& campaign, const Options& options);
  // While it is open:
  const std::string& partial_dir() const { return store_->partial_dir(); }
  std::string log_dir() const { return store_->log_dir(); }

  void AddCaveat(const std::string& code, const std::string& text);
  // Each: OK when it is durable. After a failure the record is closed.
  absl::Status AddBaselines(std::vector<result::NetworkBaseline> baselines);
  absl::Status Add(int ordinal, analysis::RunEvidence&& run,
                   const std::vector<std::string>& spec_sha256);
  absl::Status Adopt(const std::string& from_result, int ordinal, const analysis::RunEvidence& run);

  // Ends the result: `status` is the campaign's own, "complete" or another. Gives the directory;
  // empty when nothing was measured.
  absl::StatusOr<std::string> Finish(const std::string& status, int exit_code,
                                     const std::string& exit_text);

  const analysis::CampaignEvidence& evidence() const { return evidence_; }
  // That was added or adopted.
  const analysis::RunEvidence& run(int ordinal) const;
  analysis::CampaignEvidence Take() { return std::move(evidence_); }

 private:
  void Insert(int ordinal, analysis::RunEvidence run);
  // Says what is left of the result, and closes the record.
  absl::Status Failed(const absl::Status& status);

  analysis::CampaignEvidence evidence_;
  Progress* const progress_;
  std::unique_ptr<ResultStore> store_;  // null: not open
  std::vector<int> ordinals_;           // of evidence_.runs, ascending
  bool agents_keep_results_ = false;
};

}  // namespace kbench
