// Contradictions of a campaign with an external client: what such a program cannot be made to do,
// and cells of it that would be alike.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/campaign/campaign_checks.h"

namespace kbench {

// Of one cell.
void CheckClient(const Settings& settings,
                 const std::function<bool(absl::string_view path)>& is_given,
                 std::vector<CampaignComplaint>* complaints);
// Of all together. `is_meant` as CheckCells() takes it.
void CheckClients(const std::vector<Cell>& cells,
                  const std::function<bool(absl::string_view path)>& is_meant,
                  std::vector<CampaignComplaint>* complaints);

// By what a program can be told of a field, with its braces; "" when it cannot be told of it.
std::string PlaceholderFor(absl::string_view path);
// Whether the cell's program is told of the field.
bool IsTold(const Settings& settings, absl::string_view path);

}  // namespace kbench
