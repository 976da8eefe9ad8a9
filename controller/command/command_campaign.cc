#include <cstdio>
#include <memory>
#include <optional>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/plan.h"
#include "controller/command/commands.h"

namespace kbench {
namespace {

ExitCode Validate(const CampaignArguments& given) {
  const auto campaign = given.Load();
  if (!campaign.ok()) return Fail(campaign.status());
  absl::PrintF("%s: valid, %d cells x %d repetitions x %d passes\n", given.file,
               campaign->cells.size(), campaign->repetitions, campaign->passes.size());
  return ExitCode::kDone;
}

ExitCode PrintPlan(const CampaignArguments& given, const std::string& format) {
  const auto campaign = given.Load();
  if (!campaign.ok()) return Fail(campaign.status());
  const size_t agents =
      given.local > 0 ? static_cast<size_t>(given.local) : campaign->agents.size();
  const Plan plan = MakePlan(*campaign, agents);
  std::fputs(
      (format == "json" ? PlanJson(*campaign, plan, agents) : DescribePlan(*campaign, plan, agents))
          .c_str(),
      stdout);
  return ExitCode::kDone;
}

}  // namespace

CLI::Option* CampaignArguments::AddTo(CLI::App* command) {
  CLI::Option* const option =
      command->add_option("campaign", file, "Campaign file (YAML)")->required();
  command->add_option("--local", local, "Start N agents and a server on this host")
      ->check(CLI::Range(1, 64));
  command->add_option("--set", overrides, "PATH=VALUE instead of the campaign's (repeatable)")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--inventory", inventory,
                      "Ansible inventory of the fleet: '@NAME' in a campaign is a group or a host "
                      "of it, and a campaign without agents takes the group 'agents'");
  return option;
}

absl::StatusOr<std::optional<Inventory>> CampaignArguments::LoadInventory() const {
  if (inventory.empty()) return std::optional<Inventory>();
  ASSIGN_OR_RETURN(Inventory hosts, Inventory::Read(inventory));
  return std::optional<Inventory>(std::move(hosts));
}

absl::StatusOr<Campaign> CampaignArguments::Load() const {
  ASSIGN_OR_RETURN(const std::optional<Inventory> hosts, LoadInventory());
  return LoadCampaign(file, {.local_agents = local,
                             .overrides = overrides,
                             .inventory = hosts ? &*hosts : nullptr,
                             .takes_unused_probes = takes_unused_probes});
}

void AddCampaignCommands(CommandLine* line) {
  CLI::App* validate = line->app.add_subcommand("validate", "Check a campaign, change nothing");
  auto validated = std::make_shared<CampaignArguments>();
  validated->AddTo(validate);
  validate->callback([line, validated] { line->code = Validate(*validated); });

  CLI::App* plan = line->app.add_subcommand("plan", "Print cells, runs, order, time and bytes");
  auto planned = std::make_shared<CampaignArguments>();
  auto format = std::make_shared<std::string>("text");
  planned->AddTo(plan);
  plan->add_option("--format", *format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  plan->callback([line, planned, format] { line->code = PrintPlan(*planned, *format); });
}

}  // namespace kbench
