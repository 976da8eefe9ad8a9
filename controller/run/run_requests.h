// From a planned run to what the dispatcher is asked for: specs with the campaign's secrets for the
// agents that are present, and who watches the server.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/cpu_placement.h"
#include "controller/campaign/plan.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/path_probe.h"
#include "controller/run/dispatcher.h"

namespace kbench {

class RunRequests {
 public:
  // Reads the files of keys and authorities that the campaign names. Both outlive the object.
  static absl::StatusOr<RunRequests> Of(const Campaign& campaign, const Plan& plan);

  // `campaign_id` is the evidence's run id.
  RunRequest For(const std::string& campaign_id, const PlannedRun& run, const Placement& placement,
                 const Fleet& fleet) const;

  // Every server of the campaign that is connected to, each once.
  std::vector<KineticServer> Servers(const Fleet& fleet) const;

 private:
  RunRequests(const Campaign& campaign, const Plan& plan) : campaign_(&campaign), plan_(&plan) {}

  const Campaign* campaign_;
  const Plan* plan_;
  std::map<std::string, std::string> keys_;         // key file -> HMAC key
  std::map<std::string, std::string> authorities_;  // file -> PEM
};

}  // namespace kbench
