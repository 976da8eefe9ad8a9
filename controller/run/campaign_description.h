// What a campaign's evidence says before anything has been measured: who, what, where, and which
// result it takes up.
#pragma once

#include <string>

#include "analysis/evidence/evidence.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/cpu_placement.h"
#include "controller/store/resume.h"

namespace kbench {

struct CampaignSetting {
  size_t agents = 0;
  bool local = false;  // they and their servers are started here
  HostCpus local_cpus;
  size_t runs_planned = 0;
  std::string results_dir;                 // where a self-test of these agents would be
  const Resumption* resumption = nullptr;  // null: it begins anew
};

// With a run id of its own, and the time.
analysis::CampaignEvidence DescribeCampaign(const Campaign& campaign,
                                            const CampaignSetting& setting);

// "2026-11-23T23:36:00Z"
std::string UtcNow();

}  // namespace kbench
