// kbench: the one command a person types.

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/version.h"
#include "controller/command/commands.h"
#include "controller/fleet/local_fleet.h"

namespace kbench {
namespace {

std::string Version() {
  return absl::StrCat("kbench ", ReleaseVersion(), " (", BuildId(), "), control protocol ",
                      kControlProtocolMajor, ".", kControlProtocolMinor);
}

std::string ExitCodesFooter() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeMeaning& one : kExitCodes) {
    absl::StrAppendFormat(&text, "  %3d  %s\n", static_cast<int>(one.code), one.meaning);
  }
  return text;
}

// Subcommands that are programs of their own, beside this one, with command lines of their own.
struct Neighbour {
  const char* command;
  const char* help;
};
constexpr Neighbour kNeighbours[] = {
    {"conform", "A server held against known dialects (runs kbench-conform; see its --help)"},
    {"kv", "One request to a Kinetic server (runs kbench-kv; see its --help)"},
    {"observe", "Times of requests from packets (runs kbench-observe; see its --help)"},
};

// Becomes the program kbench-COMMAND. `argv` begins with the command. Returns only when that fails.
ExitCode RunNeighbour(char** argv) {
  const absl::StatusOr<std::string> directory = OwnBinDir();
  if (!directory.ok()) return Fail(directory.status());
  std::string name = absl::StrCat("kbench-", argv[0]);
  const std::string program = absl::StrCat(*directory, "/", name);
  argv[0] = name.data();
  std::signal(SIGPIPE, SIG_DFL);  // an ignored signal would stay so
  execv(program.c_str(), argv);
  return Fail(absl::InternalError(
      absl::StrCat("cannot run ", program, ": ", std::strerror(errno), "; is it installed?")));
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CommandLine line;
  line.app.name("kbench");
  line.app.description("Benchmark of Kinetic key-value servers, from campaign to report");
  line.app.footer(ExitCodesFooter());
  line.app.set_version_flag("--version", Version());
  line.app.require_subcommand(1);
  AddRunCommand(&line);
  AddCampaignCommands(&line);
  AddResultCommands(&line);
  AddLiveCommands(&line);
  AddDoctorCommand(&line);
  AddAgentCommands(&line);
  AddProbeCommand(&line);
  AddSearchCommand(&line);
  AddSelftestCommand(&line);
  line.app.add_subcommand("version", "Print the version")->callback([] {
    absl::PrintF("%s\n", Version());
  });
  for (const Neighbour& one : kNeighbours) {
    line.app.add_subcommand(one.command, one.help)->allow_extras();
    if (argc > 1 && absl::string_view(argv[1]) == one.command) {
      return static_cast<int>(RunNeighbour(argv + 1));
    }
  }
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return line.app.exit(e) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  if (std::fflush(stdout) != 0) {
    std::fputs("kbench: stdout cannot be written\n", stderr);
    return static_cast<int>(ExitCode::kInternal);
  }
  return static_cast<int>(line.code);
}

}  // namespace

ExitCode Fail(const absl::Status& status) {
  if (!status.ok()) absl::FPrintF(stderr, "kbench: %s\n", status.message());
  return ExitCodeOf(status);
}

}  // namespace kbench

int main(int argc, char** argv) { return kbench::Main(argc, argv); }
