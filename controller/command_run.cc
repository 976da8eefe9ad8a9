#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/campaign.h"
#include "controller/campaign_runner.h"
#include "controller/commands.h"
#include "controller/interrupts.h"
#include "controller/local_fleet.h"
#include "controller/plan.h"
#include "controller/progress.h"

namespace kbench {
namespace {

struct RunArguments {
  CampaignArguments campaign;
  CampaignRunOptions options;
  std::string format = "text";
  bool dry_run = false;
  bool quiet = false;
};

ExitCode Run(RunArguments* arguments) {
  const CampaignArguments& given = arguments->campaign;
  const auto campaign = given.Load();
  if (!campaign.ok()) return Fail(campaign.status());
  const size_t agents =
      given.local > 0 ? static_cast<size_t>(given.local) : campaign->agents.size();
  if (arguments->dry_run) {
    std::fputs(DescribePlan(*campaign, MakePlan(*campaign, agents), agents).c_str(), stdout);
    return ExitCode::kDone;
  }
  arguments->options.local_agents = given.local;
  if (const absl::Status complete = arguments->options.credentials.Complete(); !complete.ok()) {
    return Fail(complete);
  }
  if (given.local > 0 && arguments->options.bin_dir.empty()) {
    const auto directory = OwnBinDir();
    if (!directory.ok()) return Fail(directory.status());
    arguments->options.bin_dir = *directory;
  }
  Progress progress(ProgressForStderr(arguments->quiet));
  const CampaignOutcome outcome =
      RunCampaign(*campaign, arguments->options, &CatchInterrupts(), &progress);
  if (!outcome.directory.empty()) {
    std::fputs(RenderReport(outcome.evidence, arguments->format).c_str(), stdout);
    std::fflush(stdout);  // before the progress's stderr, also when both are one file
    progress.Note(absl::StrCat("results: ", outcome.directory, " (", outcome.evidence.status,
                               ")\nreport:  ", outcome.directory, "/report.html"));
  }
  if (!outcome.status.ok()) Fail(outcome.status);
  return outcome.code;
}

}  // namespace

void AddRunCommand(CommandLine* line) {
  CLI::App* command = line->app.add_subcommand("run", "Run a campaign and print its report");
  auto arguments = std::make_shared<RunArguments>();
  arguments->campaign.AddTo(command);
  command->add_option("--results", arguments->options.results_dir, "Directory of all results")
      ->capture_default_str();
  command->add_option("--label", arguments->options.label, "A note that is kept with the result");
  command->add_option("--bin-dir", arguments->options.bin_dir,
                      "Where kbench-agent and kbench-server are (default: beside kbench)");
  command->add_option("--format", arguments->format, "Of the report on stdout")
      ->check(CLI::IsMember(kReportFormats))
      ->capture_default_str();
  command->add_flag("--dry-run", arguments->dry_run, "Print the plan and do nothing");
  command->add_flag("--quiet", arguments->quiet, "No progress; warnings and errors only");
  AddCredentials(command, &arguments->options.credentials);
  command->callback([line, arguments] { line->code = Run(arguments.get()); });
}

}  // namespace kbench
