// The subcommands of kbench. Each adds itself to the command line and, when it is the one that was
// typed, does its work and leaves its exit code. stdout is the result; stderr is everything else.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/inventory.h"
#include "controller/fleet/agent_credentials.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/exit_codes.h"
#include "controller/run/campaign_runner.h"

namespace kbench {

struct CommandLine {
  CLI::App app;
  ExitCode code = ExitCode::kDone;
};

void AddRunCommand(CommandLine* line);        // run
void AddCampaignCommands(CommandLine* line);  // validate, plan
void AddResultCommands(CommandLine* line);    // list, show, report, compare
void AddAgentCommands(CommandLine* line);     // agents list, ping, release, results, collect
void AddLiveCommands(CommandLine* line);      // status, watch, cancel
void AddDoctorCommand(CommandLine* line);     // doctor
void AddProbeCommand(CommandLine* line);      // probe
void AddSearchCommand(CommandLine* line);     // search
void AddSelftestCommand(CommandLine* line);   // selftest

// What run, validate and plan have in common.
struct CampaignArguments {
  std::string file;
  int local = 0;
  std::vector<std::string> overrides;
  std::string inventory;

  // The option that takes the file, which is required unless somebody says otherwise.
  CLI::Option* AddTo(CLI::App* command);
  // None without --inventory.
  absl::StatusOr<std::optional<Inventory>> LoadInventory() const;
  bool takes_unused_probes = false;  // CampaignOptions
  // Reads the inventory, if there is one, and the campaign.
  absl::StatusOr<Campaign> Load() const;
};

// Which agents a command is about: --agents, or the hosts of an inventory's group.
struct AgentSelection {
  std::vector<std::string> addresses;
  std::string inventory;
  std::string group = "agents";  // of the inventory
  AgentCredentials credentials;

  std::optional<Inventory> hosts;  // of `inventory`, after TakeInventory()

  // Adds --agents, --inventory, --group and the credentials' options.
  void AddTo(CLI::App* command);
  // Fills `addresses` in from the inventory, if there is one.
  absl::Status TakeInventory();
  // TakeInventory(), and the credentials; each address has a port and stands once.
  absl::Status Complete();
  // '@NAME' is one host of the inventory; anything else stays as it is.
  absl::Status Resolve(absl::string_view option, Inventory::Kind kind, std::string* address) const;
  // After Complete().
  std::vector<std::unique_ptr<AgentLink>> Links() const;
};

// What every command has that runs campaigns: --results, --bin-dir, --quiet.
void AddRunOptions(CLI::App* command, CampaignRunOptions* options, bool* quiet);

// --tls-ca, --tls-certificate, --tls-key; Complete() them before use.
void AddCredentials(CLI::App* command, AgentCredentials* to);

// Says what went wrong on stderr and gives the code for it.
ExitCode Fail(const absl::Status& status);

// `format` is one of kReportFormats.
inline const std::vector<std::string> kReportFormats = {"text", "html", "csv", "markdown", "json"};
std::string RenderReport(const analysis::CampaignEvidence& evidence, absl::string_view format);

}  // namespace kbench
