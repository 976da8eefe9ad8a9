// What `kbench search` was asked for, and the plan that this makes of a campaign.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "analysis/evidence/gate.h"
#include "controller/campaign/campaign.h"
#include "controller/command/commands.h"
#include "controller/run/campaign_runner.h"
#include "controller/run/rate_search.h"

namespace kbench {

struct SearchArguments {
  CampaignArguments campaign;
  CampaignRunOptions run;
  std::vector<std::string> limits;
  std::string from, least = "1/s", most = "10M/s", resolution = "5%", confirm_duration;
  std::string format = "text";
  bool quiet = false;
};

// What makes all probes of one search: the campaign at another rate.
struct SearchPlan {
  RateSearchOptions search;
  std::vector<analysis::Gate> gates;
  std::string rate_path;  // load.rate_total or load.rate_per_agent
  int64_t window = 1;     // requests in flight per agent
  std::string name;
  std::string confirm_duration;
  int confirm_repetitions = 3;
};

bool IsLatency(const analysis::Gate& gate);

// Errors name the option, or the campaign's field.
absl::StatusOr<SearchPlan> PlanSearch(const SearchArguments& given, const Campaign& campaign);

}  // namespace kbench
