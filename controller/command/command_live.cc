#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "controller/command/commands.h"
#include "controller/run/progress.h"
#include "controller/store/live_status.h"
#include "controller/store/result_reader.h"

namespace kbench {
namespace {

constexpr std::chrono::milliseconds kLookEvery(200);
constexpr Nanos kQuiet = Seconds(30);  // after which a running campaign's silence is mentioned

struct LiveArguments {
  std::string results_dir = "results";
  std::string name;  // of a running campaign; empty: the only one
  std::string format = "text";
  bool hard = false;
  bool no_wait = false;
};

std::vector<ResultListing> Running(const std::string& results_dir) {
  std::vector<ResultListing> running = ListResults(results_dir);
  running.erase(std::remove_if(running.begin(), running.end(),
                               [](const ResultListing& listing) {
                                 return !listing.in_progress || !listing.manifest.ok();
                               }),
                running.end());
  return running;
}

absl::StatusOr<ResultListing> FindRunning(const LiveArguments& arguments) {
  std::vector<ResultListing> found;
  for (ResultListing& listing : Running(arguments.results_dir)) {
    if (absl::StartsWith(listing.manifest->campaign.run_id, arguments.name)) {
      found.push_back(std::move(listing));
    }
  }
  if (found.size() == 1) return std::move(found[0]);
  const std::string wanted =
      arguments.name.empty() ? "" : absl::StrCat(" whose run id begins with ", arguments.name);
  if (found.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no campaign", wanted, " runs below ", arguments.results_dir));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      found.size(), " campaigns", wanted, " run below ", arguments.results_dir, "; name one of: ",
      absl::StrJoin(found, ", ", [](std::string* out, const ResultListing& listing) {
        absl::StrAppend(out, listing.manifest->campaign.run_id);
      })));
}

std::string Line(const LiveStatus& s) {
  std::string line =
      s.run == 0 ? "before the first run" : absl::StrCat("run ", s.run, "/", s.runs, " ", s.what);
  if (!s.phase.empty()) absl::StrAppend(&line, ", ", s.phase);
  if (s.ops_per_s > 0) absl::StrAppendFormat(&line, ", %.0f ops/s", s.ops_per_s);
  absl::StrAppendFormat(&line, ", at least %.0f s to go", static_cast<double>(s.left_ms) / 1e3);
  if (!s.absent.empty()) absl::StrAppend(&line, ", lost: ", absl::StrJoin(s.absent, ", "));
  const Nanos quiet = Millis(RealNow().ns() / 1'000'000 - s.updated_unix_ms);
  if (quiet > kQuiet) absl::StrAppendFormat(&line, " (silent for %.0f s)", quiet.seconds());
  return line;
}

ExitCode Status(const LiveArguments& arguments) {
  const std::vector<ResultListing> running = Running(arguments.results_dir);
  std::vector<std::string> json;
  for (const ResultListing& listing : running) {
    const absl::StatusOr<LiveStatus> live = ReadLiveStatus(listing.directory);
    if (!live.ok()) continue;  // it has just ended
    json.push_back(LiveStatusJson(*live));
    if (arguments.format == "json") continue;
    absl::PrintF("%s  %s  by %s: %s\n", live->run_id, live->campaign, live->controller,
                 Line(*live));
  }
  if (arguments.format == "json") absl::PrintF("[%s]\n", absl::StrJoin(json, ","));
  if (running.empty() && arguments.format == "text") {
    absl::FPrintF(stderr, "kbench: no campaign runs below %s\n", arguments.results_dir);
  }
  return ExitCode::kDone;
}

bool Contains(const std::vector<ResultListing>& listings, const std::string& run_id) {
  return std::any_of(listings.begin(), listings.end(), [&](const ResultListing& listing) {
    return listing.manifest.ok() && listing.manifest->campaign.run_id == run_id;
  });
}

// How a campaign that ran ended: its own exit code. Nothing while it still runs.
std::optional<ExitCode> HowItEnded(const LiveArguments& arguments, const ResultListing& running) {
  // As long as its writer lives nothing else is read: what follows opens every result there is, and
  // the machine may be measuring.
  if (IsLocked(running.directory)) return std::nullopt;
  const std::string& run_id = running.manifest->campaign.run_id;
  // Twice: the directory may get its final name while it is looked for.
  std::vector<ResultListing> listings = ListResults(arguments.results_dir);
  if (!Contains(listings, run_id)) listings = ListResults(arguments.results_dir);
  for (const ResultListing& listing : listings) {
    if (!listing.manifest.ok() || listing.manifest->campaign.run_id != run_id) continue;
    if (listing.in_progress) return std::nullopt;
    if (listing.partial) {
      absl::FPrintF(stderr,
                    "kbench: the controller of %s died; 'kbench run --resume %s' makes the runs "
                    "that are missing\n",
                    run_id, run_id);
      return ExitCode::kIncomplete;
    }
    absl::PrintF(
        "%s: %s, %d of %d runs, exit code %d%s\n%s\n", run_id, listing.manifest->campaign.status,
        listing.manifest->runs.size(), listing.manifest->runs_planned, listing.manifest->exit_code,
        listing.manifest->exit_text.empty() ? "" : absl::StrCat(": ", listing.manifest->exit_text),
        listing.directory);
    return static_cast<ExitCode>(listing.manifest->exit_code);
  }
  absl::FPrintF(stderr, "kbench: %s ended, and kept no result\n", run_id);
  return ExitCode::kIncomplete;
}

ExitCode Watch(const LiveArguments& arguments) {
  const auto found = FindRunning(arguments);
  if (!found.ok()) return Fail(found.status());
  const bool live_line = isatty(STDERR_FILENO) == 1;
  std::string last;
  for (;;) {
    const absl::StatusOr<LiveStatus> status = ReadLiveStatus(found->directory);
    if (status.ok()) {
      // In a pipe one line per run.
      const std::string now = live_line ? Line(*status) : status->what;
      if (now != last && !now.empty()) {
        std::fputs((live_line ? absl::StrCat("\r", now, "\x1b[K") : Line(*status) + "\n").c_str(),
                   stderr);
        std::fflush(stderr);
      }
      last = now;
    }
    if (const std::optional<ExitCode> ended = HowItEnded(arguments, *found)) {
      if (live_line) std::fputs("\r\x1b[K", stderr);
      return *ended;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

ExitCode Cancel(const LiveArguments& arguments) {
  const auto found = FindRunning(arguments);
  if (!found.ok()) return Fail(found.status());
  const absl::Status asked = AskToCancel(found->directory, arguments.hard);
  // Its directory has gone: it ended by itself meanwhile.
  if (!asked.ok() && !absl::IsNotFound(asked)) return Fail(asked);
  if (arguments.no_wait) return ExitCode::kDone;
  while (!HowItEnded(arguments, *found)) std::this_thread::sleep_for(kLookEvery);
  return ExitCode::kDone;
}

CLI::App* AddLive(CommandLine* line, const char* name, const char* text,
                  const std::shared_ptr<LiveArguments>& arguments,
                  ExitCode (*action)(const LiveArguments&)) {
  CLI::App* command = line->app.add_subcommand(name, text);
  command->add_option("--results", arguments->results_dir, "Directory of all results")
      ->capture_default_str();
  command->callback([line, arguments, action] { line->code = action(*arguments); });
  return command;
}

}  // namespace

void AddLiveCommands(CommandLine* line) {
  constexpr const char* kWhich = "Run id or its beginning; not needed when only one runs";
  auto status = std::make_shared<LiveArguments>();
  CLI::App* command = AddLive(line, "status", "Show the campaigns that run", status, Status);
  command->add_option("--format", status->format, "Of what goes to stdout")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();

  auto watch = std::make_shared<LiveArguments>();
  command =
      AddLive(line, "watch",
              "Follow a campaign to its end, and end with its exit code (6: it kept no result)",
              watch, Watch);
  command->add_option("run", watch->name, kWhich);

  auto cancel = std::make_shared<LiveArguments>();
  command =
      AddLive(line, "cancel", "End a campaign that runs; what it measured is kept", cancel, Cancel);
  command->add_option("run", cancel->name, kWhich);
  command->add_flag("--hard", cancel->hard, "Wait for nobody: only finished runs are kept");
  command->add_flag("--no-wait", cancel->no_wait, "Do not wait until it has ended");
}

}  // namespace kbench
