// What fields of a campaign have in common: a choice of words, a number, a size, a duration, ...
// each parsed into one member of Settings, and shown again as a person would write it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/campaign_fields.h"
#include "controller/campaign/rate_profile.h"

namespace kbench {

// How the value stands in results, or why it is none.
using Text = absl::StatusOr<std::string>;

// "'TEXT' WHY"
absl::Status Refuse(absl::string_view text, absl::string_view why);
CampaignField Choice(std::string path, std::string axis, const std::vector<std::string>& words,
                     std::string Settings::*member);
CampaignField Count(std::string path, std::string axis, int64_t low, int64_t high,
                    int64_t Settings::*member);
CampaignField Size(std::string path, std::string axis, int64_t low, int64_t high,
                   int64_t Settings::*member);
CampaignField Duration(std::string path, std::string axis, Nanos low, Nanos high,
                       Nanos Settings::*member);
CampaignField Rate(std::string path, std::string axis, RateProfile Settings::*member);
CampaignField FreeText(std::string path, std::string axis, std::string expects,
                       std::string Settings::*member);
// The same field, which may not be swept.
CampaignField Once(CampaignField field);
CampaignField Flag(std::string path, std::string axis, bool Settings::*member);

}  // namespace kbench
