#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/report/compare.h"
#include "analysis/report/report.h"
#include "base/durable_files.h"
#include "controller/command/commands.h"
#include "controller/fleet/path_table.h"
#include "controller/store/agent_result_file.h"
#include "controller/store/result_reader.h"

namespace kbench {
namespace {

constexpr int kPathsWidth = 160;

struct ResultArguments {
  std::string results_dir = "results";
  std::string name;
  std::string other;
  std::string format = "text";
  std::string output;
};

absl::StatusOr<StoredCampaign> Open(const std::string& results_dir, const std::string& name) {
  const auto directory = FindResult(results_dir, name);
  if (!directory.ok()) return directory.status();
  return ReadResult(*directory);
}

ExitCode List(const ResultArguments& arguments) {
  absl::PrintF("%-8s  %-20s  %-11s  %9s  %s\n", "id", "started", "status", "runs", "directory");
  for (const ResultListing& listing : ListResults(arguments.results_dir)) {
    if (!listing.manifest.ok()) {
      absl::FPrintF(stderr, "kbench: %s\n", listing.manifest.status().message());
      continue;
    }
    const Manifest& m = *listing.manifest;
    const std::string status = listing.in_progress           ? "running"
                               : !listing.resumed_as.empty() ? "resumed"
                               : listing.partial             ? "recoverable"
                                                             : m.campaign.status;
    absl::PrintF(
        "%-8s  %-20s  %-11s  %4s/%-4d  %s%s%s\n", m.campaign.run_id, m.campaign.started_utc, status,
        listing.partial ? "?" : absl::StrCat(m.runs.size()), m.runs_planned, listing.directory,
        listing.resumed_as.empty() ? "" : absl::StrCat("  -> ", listing.resumed_as),
        m.label.empty() ? "" : absl::StrCat("  # ", m.label));
    if (status == "recoverable") {
      absl::FPrintF(stderr,
                    "kbench: the controller of %s died; 'kbench report %s' reads the runs that "
                    "had finished, 'kbench run --resume %s' makes the others\n",
                    m.campaign.run_id, listing.directory, m.campaign.run_id);
    }
  }
  return ExitCode::kDone;
}

ExitCode ShowAgentResult(const ResultArguments& arguments) {
  const auto result = ReadAgentResult(arguments.name);
  if (!result.ok()) return Fail(result.status());
  const bool json = arguments.format == "json";
  std::fputs((json ? AgentResultJson(*result) : AgentResultText(*result)).c_str(), stdout);
  return ExitCode::kDone;
}

ExitCode Show(const ResultArguments& arguments) {
  if (std::error_code error; std::filesystem::is_regular_file(arguments.name, error)) {
    return ShowAgentResult(arguments);
  }
  const auto stored = Open(arguments.results_dir, arguments.name);
  if (!stored.ok()) return Fail(stored.status());
  const Manifest& m = stored->manifest;
  const analysis::CampaignEvidence& c = stored->evidence;
  if (arguments.format == "json") {
    std::fputs(ManifestJson(m).c_str(), stdout);
    return ExitCode::kDone;
  }
  absl::PrintF("campaign    %s\nrun id      %s\n", c.name, c.run_id);
  if (!m.label.empty()) absl::PrintF("label       %s\n", m.label);
  if (!m.resumed_from.empty()) absl::PrintF("resumed     from %s\n", m.resumed_from);
  absl::PrintF("status      %s\n", stored->recovered ? "recoverable" : c.status);
  if (!m.exit_text.empty()) absl::PrintF("ended with  exit %d: %s\n", m.exit_code, m.exit_text);
  absl::PrintF("started     %s\nended       %s\n", c.started_utc,
               m.ended_utc.empty() ? "-" : m.ended_utc);
  absl::PrintF("controller  %s\nserver      %s\nseed        %d\nspec        %s (campaign.yaml)\n",
               c.version, c.server, c.seed, m.campaign_sha256);
  absl::PrintF("runs        %d of %d in %d cells\ndirectory   %s\n\nruns\n", c.runs.size(),
               m.runs_planned, c.cells.size(), stored->directory);
  for (const analysis::RunEvidence& run : c.runs) {
    absl::PrintF("  %-14s %-9s %s rep %d %s%s\n", run.run_id, analysis::Name(run.status),
                 c.cells[static_cast<size_t>(run.cell)].Label(), run.repetition,
                 analysis::Name(run.pass),
                 run.status_text.empty() ? "" : absl::StrCat(": ", run.status_text));
  }
  if (!c.baselines.empty()) {
    absl::PrintF("\nnetwork before the first run\n%s", PathsText(c.baselines, kPathsWidth));
  }
  absl::PrintF("\nconstants\n");
  for (const auto& [name, value] : c.constants) absl::PrintF("  %-18s %s\n", name, value);
  return ExitCode::kDone;
}

ExitCode Emit(const std::string& text, const std::string& output) {
  if (output.empty()) {
    std::fputs(text.c_str(), stdout);
    return ExitCode::kDone;
  }
  return Fail(ReplaceDurably(output, text));
}

ExitCode Report(const ResultArguments& arguments) {
  const auto stored = Open(arguments.results_dir, arguments.name);
  if (!stored.ok()) return Fail(stored.status());
  return Emit(RenderReport(stored->evidence, arguments.format), arguments.output);
}

ExitCode CompareTwo(const ResultArguments& arguments) {
  const auto base = Open(arguments.results_dir, arguments.name);
  if (!base.ok()) return Fail(base.status());
  const auto candidate = Open(arguments.results_dir, arguments.other);
  if (!candidate.ok()) return Fail(candidate.status());
  const analysis::Comparison comparison = analysis::Compare(base->evidence, candidate->evidence);
  std::fputs((arguments.format == "json" ? comparison.json : comparison.text).c_str(), stdout);
  if (comparison.significant_regression) return ExitCode::kRegression;
  return comparison.inconclusive ? ExitCode::kInconclusive : ExitCode::kDone;
}

using Action = ExitCode (*)(const ResultArguments&);

CLI::App* AddCommand(CommandLine* line, const char* name, const char* text,
                     const std::shared_ptr<ResultArguments>& arguments, Action action) {
  CLI::App* command = line->app.add_subcommand(name, text);
  command->add_option("--results", arguments->results_dir, "Directory of all results")
      ->capture_default_str();
  command->callback([line, arguments, action] { line->code = action(*arguments); });
  return command;
}

void AddFormat(CLI::App* command, ResultArguments* arguments, std::vector<std::string> formats) {
  command->add_option("--format", arguments->format, "Of what goes to stdout")
      ->check(CLI::IsMember(std::move(formats)))
      ->capture_default_str();
}

}  // namespace

std::string RenderReport(const analysis::CampaignEvidence& evidence, absl::string_view format) {
  if (format == "html") return analysis::HtmlReport(evidence);
  if (format == "csv") return analysis::CsvReport(evidence);
  if (format == "markdown") return analysis::MarkdownReport(evidence);
  if (format == "json") return analysis::SummaryJson(evidence);
  analysis::ReportOptions options;
  winsize size = {};
  if (isatty(STDOUT_FILENO) == 1) {
    const char* no_color = std::getenv("NO_COLOR");
    options.color = no_color == nullptr || *no_color == '\0';
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      options.width = size.ws_col;
    }
  }
  return analysis::TextReport(evidence, options);
}

void AddResultCommands(CommandLine* line) {
  auto list = std::make_shared<ResultArguments>();
  AddCommand(line, "list", "List results", list, List);

  auto show = std::make_shared<ResultArguments>();
  CLI::App* command = AddCommand(line, "show", "Show what a result is", show, Show);
  command
      ->add_option("result", show->name,
                   "Directory, run id or its beginning; or a file of one agent's result")
      ->required();
  AddFormat(command, show.get(), {"text", "json"});

  auto report = std::make_shared<ResultArguments>();
  command = AddCommand(line, "report", "Render a result's report again", report, Report);
  command->add_option("result", report->name, "Directory, run id or its beginning")->required();
  command->add_option("--output", report->output, "File to write instead of stdout");
  AddFormat(command, report.get(), kReportFormats);

  auto compare = std::make_shared<ResultArguments>();
  command = AddCommand(line, "compare", "Compare two results cell by cell", compare, CompareTwo);
  command->add_option("base", compare->name, "Directory, run id or its beginning")->required();
  command->add_option("candidate", compare->other, "Directory, run id or its beginning")
      ->required();
  AddFormat(command, compare.get(), {"text", "json"});
}

}  // namespace kbench
