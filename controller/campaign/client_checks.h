// Contradictions of a campaign with an external client: what such a program cannot be made to do,
// and cells of it that would be alike.
#pragma once

#include <functional>
#include <vector>

#include "controller/campaign/campaign_checks.h"

namespace kbench {

// Of one cell.
void CheckClient(const Settings& settings,
                 const std::function<bool(absl::string_view path)>& is_given,
                 std::vector<CampaignComplaint>* complaints);
// Of all together.
void CheckClients(const std::vector<Cell>& cells, std::vector<CampaignComplaint>* complaints);

}  // namespace kbench
