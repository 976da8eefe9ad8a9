// What a campaign that was run to its end means for the command's exit code: its gates, and whether
// it may be believed.
#pragma once

#include <string>

#include "analysis/evidence/evidence.h"
#include "controller/campaign/campaign.h"
#include "controller/fleet/exit_codes.h"

namespace kbench {

struct CampaignVerdict {
  ExitCode code = ExitCode::kDone;
  std::string text;  // one line; why the code is not kDone, or how many gates passed
};

CampaignVerdict JudgeCampaign(const Campaign& campaign, const analysis::CampaignEvidence& evidence);

}  // namespace kbench
