#include "controller/run/campaign_verdict.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analysis/report/run_files.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/gates.h"

namespace kbench {
namespace {

CampaignVerdict JudgeGates(const analysis::CampaignEvidence& evidence) {
  const auto results = analysis::JudgeGates(analysis::Analyse(evidence));
  CampaignVerdict verdict{.text = analysis::GatesLine(results)};
  if (analysis::CountOf(results, analysis::GateVerdict::kFailed) > 0) {
    verdict.code = ExitCode::kGatesFailed;
  } else if (analysis::CountOf(results, analysis::GateVerdict::kInconclusive) > 0) {
    verdict.code = ExitCode::kInconclusive;
  }
  return verdict;
}

// Numbers that should not be believed without reading on are kept in any case.
CampaignVerdict JudgeHealth(const analysis::CampaignEvidence& evidence) {
  size_t suspect_runs = 0;
  std::set<std::string> because;
  for (const analysis::RunEvidence& run : evidence.runs) {
    const std::vector<std::string> codes = analysis::SuspectCodes(run);
    if (!codes.empty()) ++suspect_runs;
    because.insert(codes.begin(), codes.end());
  }
  if (suspect_runs == 0) return {};
  return {.code = ExitCode::kSuspect,
          .text = absl::StrCat(suspect_runs, " of ", evidence.runs.size(),
                               " runs are suspect: ", absl::StrJoin(because, ", "))};
}

}  // namespace

CampaignVerdict JudgeCampaign(const Campaign& campaign,
                              const analysis::CampaignEvidence& evidence) {
  CampaignVerdict verdict;
  if (!campaign.gates.empty()) verdict = JudgeGates(evidence);
  const bool fails = campaign.cells.front().settings.suspect == "fail";
  if (verdict.code == ExitCode::kDone && fails) verdict = JudgeHealth(evidence);
  return verdict;
}

}  // namespace kbench
