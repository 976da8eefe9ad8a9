// What contradicts itself although every field is right alone. Each complaint names the field at
// which it is best cured, so that the parser can point at its line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/campaign/campaign.h"

namespace kbench {

struct CampaignComplaint {
  std::string path;  // a field's path, "agents", or "" for the file as a whole
  std::string text;
};

struct CampaignAgents {
  int local_agents = 0;
  size_t agents = 0;  // that the campaign lists
};

void CheckWhole(const CampaignAgents& agents, std::vector<CampaignComplaint>* complaints);

// What no cell can tell alone: something that is of use to none of them. `is_meant` tells whether
// a field stands in the campaign: one in the file does not count when --set takes away for once
// what uses it.
void CheckCells(const std::vector<Cell>& cells,
                const std::function<bool(absl::string_view)>& is_meant,
                std::vector<CampaignComplaint>* complaints);

// An observer, and fields of probes, that no pass of any cell can use. `is_chosen` tells whether a
// field stands where the passes stand: one in the campaign is no mistake when --set takes its pass
// away for once.
void CheckProbes(const std::vector<Cell>& cells,
                 const std::function<bool(absl::string_view)>& is_given,
                 const std::function<bool(absl::string_view)>& is_chosen,
                 std::vector<CampaignComplaint>* complaints);

// Why a gate holds in no cell whatever comes of it; empty when it is of use.
std::string WhyUseless(const analysis::Gate& gate, const std::vector<Cell>& cells);

// `is_given` tells whether a field stands in the campaign rather than having its default.
void CheckCell(const Settings& settings, bool local,
               const std::function<bool(absl::string_view)>& is_given,
               std::vector<CampaignComplaint>* complaints);

}  // namespace kbench
