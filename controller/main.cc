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
#include "controller/commands.h"
#include "controller/local_fleet.h"

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

// Becomes the kbench-kv that stands beside this program. `argv` begins with "kv". Returns only when
// that fails.
ExitCode RunKv(char** argv) {
  const absl::StatusOr<std::string> directory = OwnBinDir();
  if (!directory.ok()) return Fail(directory.status());
  const std::string program = *directory + "/kbench-kv";
  std::string name = "kbench-kv";
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
  AddAgentCommands(&line);
  AddProbeCommand(&line);
  line.app.add_subcommand("version", "Print the version")->callback([] {
    absl::PrintF("%s\n", Version());
  });
  line.app.add_subcommand("kv", "One request to a Kinetic server (runs kbench-kv; see its --help)")
      ->allow_extras();
  // Its command line is its own, as it stands.
  if (argc > 1 && absl::string_view(argv[1]) == "kv") return static_cast<int>(RunKv(argv + 1));
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
