#include "controller/run/campaign_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "controller/run/campaign_description.h"

namespace kbench {

absl::Status CampaignRecord::Open(const Campaign& campaign, const Options& options) {
  agents_keep_results_ = options.agents_keep_results;
  ASSIGN_OR_RETURN(store_, ResultStore::Create(options.results_dir, campaign, options.plan_json,
                                               {.campaign = evidence_,
                                                .label = options.label,
                                                .resumed_from = options.resumed_from,
                                                .runs_planned = options.runs_planned}));
  return absl::OkStatus();
}

void CampaignRecord::AddCaveat(const std::string& code, const std::string& text) {
  result::Caveat& caveat = evidence_.caveats.emplace_back();
  caveat.set_code(code);
  caveat.set_text(text);
}

absl::Status CampaignRecord::AddBaselines(std::vector<result::NetworkBaseline> baselines) {
  evidence_.baselines = std::move(baselines);
  const absl::Status stored = store_->AddBaselines(evidence_.baselines);
  return stored.ok() ? stored : Failed(stored);
}

absl::Status CampaignRecord::Add(int ordinal, analysis::RunEvidence&& run,
                                 const std::vector<std::string>& spec_sha256) {
  const absl::Status stored = store_->AddRun(ordinal, run, spec_sha256);
  if (!stored.ok()) return Failed(stored);
  Insert(ordinal, std::move(run));
  return absl::OkStatus();
}

absl::Status CampaignRecord::Adopt(const std::string& from_result, int ordinal,
                                   const analysis::RunEvidence& run) {
  const absl::Status adopted = store_->AdoptRun(from_result, ordinal, run);
  if (!adopted.ok()) return Failed(adopted);
  Insert(ordinal, run);
  return absl::OkStatus();
}

void CampaignRecord::Insert(int ordinal, analysis::RunEvidence run) {
  const auto place = std::upper_bound(ordinals_.begin(), ordinals_.end(), ordinal);
  evidence_.runs.insert(evidence_.runs.begin() + (place - ordinals_.begin()), std::move(run));
  ordinals_.insert(place, ordinal);
}

const analysis::RunEvidence& CampaignRecord::run(int ordinal) const {
  const auto place = std::lower_bound(ordinals_.begin(), ordinals_.end(), ordinal);
  return evidence_.runs[static_cast<size_t>(place - ordinals_.begin())];
}

absl::StatusOr<std::string> CampaignRecord::Finish(const std::string& status, int exit_code,
                                                   const std::string& exit_text) {
  evidence_.status = status;
  if (store_ == nullptr) return "";
  if (evidence_.runs.empty()) {
    store_->Discard();
    progress_->Note("no results were kept");
    return "";
  }
  absl::StatusOr<std::string> directory = store_->Finish(evidence_, exit_code, exit_text, UtcNow());
  if (!directory.ok()) return Failed(directory.status());
  return directory;
}

absl::Status CampaignRecord::Failed(const absl::Status& status) {
  if (store_->runs_stored() == 0) {
    store_->Discard();
    std::string text = "no results were kept";
    if (agents_keep_results_) {
      absl::StrAppend(&text, "; agents with --results have theirs: kbench agents collect ",
                      evidence_.run_id);
    }
    progress_->Note(text);
  } else {
    progress_->Note(absl::StrCat("the ", store_->runs_stored(), " runs that were written are in ",
                                 store_->partial_dir(), "; 'kbench report ", store_->partial_dir(),
                                 "' reads them"));
  }
  store_.reset();
  return absl::InternalError(status.message());
}

}  // namespace kbench
