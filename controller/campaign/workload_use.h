// Which fields of the workload which cells can use: what none of them can is a mistake, and what
// one of them cannot is passed over in that cell.
#pragma once

#include <functional>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/campaign_checks.h"
#include "proto/result.pb.h"

namespace kbench {

// Fields that stand in the campaign and that no cell can use. `is_meant` tells whether a field
// stands in it: one in the file does not count when --set takes away for once what uses it.
void CheckWorkloadUse(const std::vector<Cell>& cells,
                      const std::function<bool(absl::string_view)>& is_meant,
                      std::vector<CampaignComplaint>* complaints);

// Fills Cell::untold. `is_given` tells whether a field stands in the campaign.
void NoteUntold(const std::function<bool(absl::string_view)>& is_given, std::vector<Cell>* cells);

// What a cell of a campaign cannot use of it although another one can, for its runs' results:
// `nothing_verified`, `latest_unmoved`, `client_untold`. (Where somebody keeps values, a run that
// reads none says itself that it verified nothing.)
std::vector<result::Caveat> PassedOver(const Cell& cell);

}  // namespace kbench
