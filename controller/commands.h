// The subcommands of kbench. Each adds itself to the command line and, when it is the one that was
// typed, does its work and leaves its exit code. stdout is the result; stderr is everything else.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analysis/evidence.h"
#include "controller/agent_credentials.h"
#include "controller/campaign.h"
#include "controller/exit_codes.h"

namespace kbench {

struct CommandLine {
  CLI::App app;
  ExitCode code = ExitCode::kDone;
};

void AddRunCommand(CommandLine* line);        // run
void AddCampaignCommands(CommandLine* line);  // validate, plan
void AddResultCommands(CommandLine* line);    // list, show, report, compare
void AddAgentCommands(CommandLine* line);     // agents ping
void AddProbeCommand(CommandLine* line);      // probe
void AddSearchCommand(CommandLine* line);     // search
void AddSelftestCommand(CommandLine* line);   // selftest

// What run, validate and plan have in common.
struct CampaignArguments {
  std::string file;
  int local = 0;
  std::vector<std::string> overrides;
  std::string inventory;

  void AddTo(CLI::App* command);
  // Reads the inventory, if there is one, and the campaign.
  absl::StatusOr<Campaign> Load() const;
};

// --tls-ca, --tls-certificate, --tls-key; Complete() them before use.
void AddCredentials(CLI::App* command, AgentCredentials* to);

// Says what went wrong on stderr and gives the code for it.
ExitCode Fail(const absl::Status& status);

// `format` is one of kReportFormats.
inline const std::vector<std::string> kReportFormats = {"text", "html", "csv", "markdown", "json"};
std::string RenderReport(const analysis::CampaignEvidence& evidence, absl::string_view format);

}  // namespace kbench
