#include <cstdio>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/plan.h"
#include "controller/command/commands.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/campaign_runner.h"
#include "controller/run/progress.h"
#include "controller/store/resume.h"

namespace kbench {
namespace {

struct RunArguments {
  CampaignArguments campaign;
  std::string resume;  // of which result
  CampaignRunOptions options;
  std::string format = "text";
  bool dry_run = false;
  bool quiet = false;
};

absl::StatusOr<Resumption> Resume(const RunArguments& arguments) {
  ASSIGN_OR_RETURN(const auto hosts, arguments.campaign.LoadInventory());
  ASSIGN_OR_RETURN(const std::string directory,
                   FindResult(arguments.options.results_dir, arguments.resume));
  return OpenForResume(directory, hosts ? &*hosts : nullptr);
}

// What to run: a campaign file, or the rest of a result.
absl::StatusOr<Campaign> Load(RunArguments* arguments, std::optional<Resumption>* resumption) {
  if (arguments->resume.empty()) {
    arguments->options.local_agents = arguments->campaign.local;
    return arguments->campaign.Load();
  }
  ASSIGN_OR_RETURN(*resumption, Resume(*arguments));
  arguments->options.resumption = &**resumption;
  arguments->options.local_agents = (*resumption)->local_agents;
  if (arguments->options.label.empty()) {
    arguments->options.label = (*resumption)->stored.manifest.label;
  }
  return (*resumption)->campaign;
}

ExitCode Run(RunArguments* arguments) {
  std::optional<Resumption> resumption;
  const auto campaign = Load(arguments, &resumption);
  if (!campaign.ok()) return Fail(campaign.status());
  CampaignRunOptions& options = arguments->options;
  const size_t agents = options.local_agents > 0 ? static_cast<size_t>(options.local_agents)
                                                 : campaign->agents.size();
  if (arguments->dry_run) {
    std::fputs(DescribePlan(*campaign, MakePlan(*campaign, agents), agents).c_str(), stdout);
    return ExitCode::kDone;
  }
  if (options.local_agents == 0 && !options.allow_clients.empty()) {
    return Fail(absl::InvalidArgumentError(
        "--allow-client is of the agents that --local starts; elsewhere the owner of each agent "
        "allows clients, by kbench-agent --allow-client"));
  }
  if (const absl::Status complete = options.Complete(); !complete.ok()) return Fail(complete);
  Progress progress(ProgressForStderr(arguments->quiet));
  if (resumption) {
    progress.Note(absl::StrCat("resuming ", resumption->stored.directory, ": ",
                               resumption->complete.size(), " of ",
                               resumption->stored.manifest.runs_planned, " runs are there"));
  }
  Interrupts& interrupts = CatchInterrupts();
  const CampaignOutcome outcome = RunCampaign(*campaign, options, &interrupts, &progress);
  if (!outcome.directory.empty()) {
    std::fputs(RenderReport(outcome.evidence, arguments->format).c_str(), stdout);
    std::fflush(stdout);  // before the progress's stderr, also when both are one file
    progress.Note(absl::StrCat("results: ", outcome.directory, " (", outcome.evidence.status,
                               ")\nreport:  ", outcome.directory, "/report.html"));
    if (outcome.evidence.status != "complete") {
      progress.Note(absl::StrCat(
          "the rest:  kbench run --resume ", outcome.directory,
          options.results_dir == "results" ? "" : absl::StrCat(" --results ", options.results_dir),
          arguments->campaign.inventory.empty()
              ? ""
              : absl::StrCat(" --inventory ", arguments->campaign.inventory)));
    }
  }
  if (!outcome.status.ok()) Fail(outcome.status);
  return outcome.code;
}

}  // namespace

void AddRunOptions(CLI::App* command, CampaignRunOptions* options, bool* quiet) {
  command->add_option("--results", options->results_dir, "Directory of all results")
      ->capture_default_str();
  command->add_option("--bin-dir", options->bin_dir,
                      "Where kbench-agent and kbench-server are (default: beside kbench)");
  command->add_flag("--quiet", *quiet, "No progress; warnings and errors only");
}

void AddRunCommand(CommandLine* line) {
  CLI::App* command = line->app.add_subcommand("run", "Run a campaign and print its report");
  auto arguments = std::make_shared<RunArguments>();
  CLI::Option* const file = arguments->campaign.AddTo(command)->required(false);
  CLI::Option* const resume = command->add_option(
      "--resume", arguments->resume,
      "Instead of a campaign file: a result that did not end (directory, run id or its beginning). "
      "Its complete runs are taken over, the others are made");
  for (const char* other : {"--local", "--set"}) resume->excludes(command->get_option(other));
  resume->excludes(file);
  AddRunOptions(command, &arguments->options, &arguments->quiet);
  command->add_option("--label", arguments->options.label, "A note that is kept with the result");
  command->add_option("--format", arguments->format, "Of the report on stdout")
      ->check(CLI::IsMember(kReportFormats))
      ->capture_default_str();
  command->add_option("--allow-client", arguments->options.allow_clients,
                      "With --local: client program, as NAME=/PATH, that the campaign may run "
                      "(client.command; repeatable)");
  command->add_flag("--dry-run", arguments->dry_run, "Print the plan and do nothing");
  AddCredentials(command, &arguments->options.credentials);
  command->callback([line, arguments] {
    if (arguments->campaign.file.empty() && arguments->resume.empty()) {
      throw CLI::RequiredError("campaign, or --resume RESULT");
    }
    line->code = Run(arguments.get());
  });
}

}  // namespace kbench
