#include "controller/store/resume.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "controller/campaign/plan.h"

namespace kbench {
namespace {

// --set of the first start.
absl::StatusOr<std::vector<std::string>> OverridesIn(const std::string& plan_json) {
  try {
    return nlohmann::json::parse(plan_json).at("overrides").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& error) {
    return absl::InternalError(absl::StrCat("plan.json is damaged: ", error.what()));
  }
}

}  // namespace

absl::StatusOr<Resumption> OpenForResume(const std::string& directory, const Inventory* inventory) {
  Resumption resumption;
  resumption.lock = TryLockDirectory(directory);
  if (!resumption.lock.valid()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory,
                     " belongs to a campaign that still runs; see 'kbench status', or end it with "
                     "'kbench cancel'"));
  }
  StoredCampaign& stored = resumption.stored;
  ASSIGN_OR_RETURN(stored, ReadResult(directory));
  const analysis::CampaignEvidence& evidence = stored.evidence;
  for (size_t i = 0; i < evidence.runs.size(); ++i) {
    if (evidence.runs[i].status != analysis::RunStatus::kComplete) continue;
    resumption.complete[stored.ordinals[i]] = i;
  }
  if (resumption.complete.size() == stored.manifest.runs_planned) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, " is complete: all its ", stored.manifest.runs_planned,
                     " runs are there; 'kbench report ", directory, "' prints them"));
  }

  size_t agents = 0;
  const auto count = evidence.constants.find("agents");
  const auto fleet = evidence.constants.find("fleet");
  if (count == evidence.constants.end() || fleet == evidence.constants.end() ||
      !absl::SimpleAtoi(count->second, &agents)) {
    return absl::InternalError(absl::StrCat(directory, " does not say which agents it had"));
  }
  if (fleet->second == "local") resumption.local_agents = static_cast<int>(agents);
  ASSIGN_OR_RETURN(const std::string source, ReadFile(directory + "/campaign.yaml"));
  ASSIGN_OR_RETURN(const std::string plan_json, ReadFile(directory + "/plan.json"));
  ASSIGN_OR_RETURN(std::vector<std::string> overrides, OverridesIn(plan_json));
  ASSIGN_OR_RETURN(resumption.campaign, ParseCampaign(directory + "/campaign.yaml", source,
                                                      {.local_agents = resumption.local_agents,
                                                       .overrides = std::move(overrides),
                                                       .inventory = inventory,
                                                       .takes_unused_probes = true,
                                                       .takes_unused_workload = true}));
  const Campaign& campaign = resumption.campaign;
  if (resumption.local_agents == 0) {
    agents = campaign.agents.size();
    const auto before = evidence.constants.find("agent_addresses");
    const std::string now = absl::StrJoin(campaign.agents, ",");
    if (before != evidence.constants.end() && before->second != now) {
      return absl::InvalidArgumentError(
          absl::StrCat(directory, " cannot be resumed with other agents: it had ", before->second,
                       ", the inventory has ", now, "; run ", directory, "/campaign.yaml anew"));
    }
  }
  if (PlanJson(campaign, MakePlan(campaign, agents), agents) != plan_json) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory,
        " cannot be resumed: this release, or this inventory, makes another plan of its "
        "campaign than plan.json; run ",
        directory, "/campaign.yaml anew"));
  }
  return resumption;
}

}  // namespace kbench
