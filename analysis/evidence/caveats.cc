#include "analysis/evidence/caveats.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace kbench::analysis {
namespace {

constexpr std::array<absl::string_view, 25> kSuspect = {
    "counts_do_not_add_up", "histogram_unreadable", "generator_late",      "client_saturated",
    "clock_step",           "kernel_stamps_void",   "probe_perturbed",     "samples_dropped",
    "histogram_overflow",   "cores_oversubscribed", "campaign_incomplete", "requests_lost",
    "requests_failed",      "long_drain",           "window_overflow",     "cpu_contended",
    "littles_law",          "pass_perturbed",       "selftest_failed",     "stamps_undrained",
    "negative_part",        "client_failed",        "client_killed",       "client_no_requests",
    "client_unseen"};

// What makes the client's own part of a response longer than its stack is.
constexpr std::array<absl::string_view, 3> kClientContended = {"client_saturated", "cpu_contended",
                                                               "cores_oversubscribed"};

constexpr size_t kCellsNamed = 4;

std::string LabelOf(int cell, const CampaignEvidence& campaign) {
  for (const CellInfo& info : campaign.cells) {
    if (info.index == cell) return info.Label();
  }
  return absl::StrCat("cell ", cell);
}

}  // namespace

CampaignCaveat& CaveatCollector::Entry(const result::Caveat& caveat) {
  for (CampaignCaveat& entry : entries_) {
    if (entry.code != caveat.code()) continue;
    entry.texts_differ |= entry.text != caveat.text();
    return entry;
  }
  entries_.push_back({.code = caveat.code(), .text = caveat.text()});
  last_run_.push_back(nullptr);
  return entries_.back();
}

void CaveatCollector::AddForCampaign(const result::Caveat& caveat) { Entry(caveat); }

void CaveatCollector::AddForRun(const RunEvidence& run, const result::Caveat& caveat) {
  CampaignCaveat& entry = Entry(caveat);
  const RunEvidence*& last = last_run_[&entry - entries_.data()];
  if (last == &run) return;
  last = &run;
  ++entry.runs;
  const auto at = std::lower_bound(entry.cells.begin(), entry.cells.end(), run.cell);
  if (at == entry.cells.end() || *at != run.cell) entry.cells.insert(at, run.cell);
}

std::vector<CampaignCaveat> CaveatCollector::Take() && {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const CampaignCaveat& a, const CampaignCaveat& b) {
                     return MakesSuspect(a.code) > MakesSuspect(b.code);
                   });
  return std::move(entries_);
}

bool MakesSuspect(absl::string_view code) {
  return std::find(kSuspect.begin(), kSuspect.end(), code) != kSuspect.end();
}

std::string ClientContention(const RunEvidence& run) {
  for (const result::RunResult& agent : run.agents) {
    for (const result::Caveat& caveat : agent.caveats()) {
      if (std::find(kClientContended.begin(), kClientContended.end(), caveat.code()) !=
          kClientContended.end()) {
        return caveat.code();
      }
    }
  }
  return "";
}

std::string Where(const CampaignCaveat& caveat, const CampaignEvidence& campaign) {
  if (caveat.runs == 0) return "";
  std::string where = absl::StrCat("in ", caveat.runs, " of ", campaign.runs.size(), " runs");
  if (campaign.cells.size() < 2) return where;
  if (caveat.cells.size() == campaign.cells.size()) return absl::StrCat(where, " (all cells)");
  absl::StrAppend(&where, " (", caveat.cells.size(), " of ", campaign.cells.size(), " cells: ");
  for (size_t i = 0; i < std::min(kCellsNamed, caveat.cells.size()); ++i) {
    absl::StrAppend(&where, i == 0 ? "" : "; ", LabelOf(caveat.cells[i], campaign));
  }
  if (caveat.cells.size() > kCellsNamed) {
    absl::StrAppend(&where, "; and ", caveat.cells.size() - kCellsNamed, " more");
  }
  return absl::StrCat(where, ")");
}

std::string Sentence(const CampaignCaveat& caveat, const CampaignEvidence& campaign) {
  const std::string where = Where(caveat, campaign);
  if (where.empty()) return caveat.text;
  return absl::StrCat(where, caveat.texts_differ ? ", for example: " : ": ", caveat.text);
}

}  // namespace kbench::analysis
