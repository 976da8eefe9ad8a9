#include <csignal>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "controller/command/commands.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/progress.h"
#include "controller/run/selftest.h"
#include "controller/store/selftest_record.h"

namespace kbench {
namespace {

constexpr int kWidth = 132;

struct Arguments {
  AgentSelection fleet;
  SelftestOptions options;
  std::vector<std::string> dosed;  // ADDRESS=OP=TIME
  std::string format = "text";
  bool quiet = false;
};

absl::Status TakeDosedServers(Arguments* given) {
  for (const std::string& text : given->dosed) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || !ParseHostPort(text.substr(0, equals)).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--dosed-server ", text, ": give HOST:PORT=TIME of a kbench-server that was ",
          "started with --service-time get=TIME"));
    }
    given->options.dosed_servers.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (given->options.dosed_servers.empty() || given->options.dosed_servers.size() >= 3) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("--dosed-server: three doses or more make a slope");
}

absl::Status Check(const Arguments& given) {
  const SelftestOptions& o = given.options;
  if (o.run.local_agents > 0) return absl::OkStatus();
  if (o.agents.empty()) {
    return absl::InvalidArgumentError(
        "nothing to test: add --agents HOST:PORT,... and --server HOST:PORT, or --local 1");
  }
  if (o.server.empty() && o.dosed_servers.empty()) {
    return absl::InvalidArgumentError("no server: add --server or --dosed-server");
  }
  return absl::OkStatus();
}

SelftestRecord RecordOf(const SelftestOutcome& outcome) {
  SelftestRecord record{.fleet = outcome.fleet,
                        .passed = outcome.passed(),
                        .ended_utc = outcome.ended_utc,
                        .version = std::string(ReleaseVersion()),
                        .responses = static_cast<int>(outcome.responses.size()),
                        .not_tested = outcome.not_done,
                        .details = analysis::ResponsesJson(outcome.responses)};
  for (const analysis::DoseResponse& response : outcome.responses) record.wrong += !response.ok();
  return record;
}

ExitCode Selftest(Arguments* given) {
  SelftestOptions& options = given->options;
  absl::Status status = given->fleet.TakeInventory();
  options.agents = given->fleet.addresses;
  options.run.credentials = given->fleet.credentials;
  if (status.ok()) {
    status = given->fleet.Resolve("--server", Inventory::Kind::kServer, &options.server);
  }
  if (status.ok()) {
    status = given->fleet.Resolve("--observer", Inventory::Kind::kAgent, &options.observer);
  }
  if (status.ok()) status = TakeDosedServers(given);
  if (status.ok()) status = Check(*given);
  if (status.ok()) status = options.run.Complete();
  if (!status.ok()) return Fail(status);
  Interrupts& interrupts = CatchInterrupts();
  Progress progress(ProgressForStderr(given->quiet));
  const SelftestOutcome outcome = RunSelftest(given->options, &interrupts, &progress);
  std::fputs((given->format == "json" ? analysis::ResponsesJson(outcome.responses)
                                      : analysis::ResponsesText(outcome.responses, kWidth))
                 .c_str(),
             stdout);
  std::fflush(stdout);
  for (const std::string& what : outcome.not_done) {
    progress.Note(absl::StrCat("not tested: ", what));
  }
  if (!outcome.status.ok()) {
    const ExitCode code = Fail(outcome.status);
    const bool terminated = code == ExitCode::kInterrupted && interrupts.signal == SIGTERM;
    return terminated ? ExitCode::kTerminated : code;
  }
  const SelftestRecord record = RecordOf(outcome);
  const absl::Status stored = StoreSelftest(given->options.run.results_dir, record);
  progress.Note(absl::StrCat("self-test of ", record.fleet, " ", record.Sentence()));
  if (!stored.ok()) return Fail(stored);
  return record.passed ? ExitCode::kDone : ExitCode::kSuspect;
}

}  // namespace

void AddSelftestCommand(CommandLine* line) {
  CLI::App* command = line->app.add_subcommand(
      "selftest", "Prove the attribution on these hosts with delays of known size");
  auto given = std::make_shared<Arguments>();
  SelftestOptions& o = given->options;
  given->fleet.AddTo(command);
  CLI::Option* server = command->add_option(
      "--server", o.server, "HOST:PORT of a Kinetic server, for the delays in client and network");
  CLI::Option* observer =
      command->add_option("--observer", o.observer, "HOST:PORT of an agent on the server's host");
  CLI::Option* dosed = command->add_option(
      "--dosed-server", given->dosed,
      "HOST:PORT=TIME of a kbench-server that was started with that service time; three or more");
  command->add_option("--local", o.run.local_agents, "Start that many agents, and servers, here")
      ->check(CLI::Range(1, 16))
      ->excludes(command->get_option("--agents"))
      ->excludes(command->get_option("--inventory"))
      ->excludes(server)
      ->excludes(observer)
      ->excludes(dosed);
  command->add_option("--transport", o.transports, "Client stacks to prove it for")
      ->delimiter(',')
      ->check(CLI::IsMember({"socket", "epoll", "uring"}))
      ->capture_default_str();
  command->add_flag("--quick", o.quick, "Three repetitions of each dose instead of six");
  AddRunOptions(command, &o.run, &given->quiet);
  command->add_option("--format", given->format, "Of what goes to stdout")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback([line, given] { line->code = Selftest(given.get()); });
}

}  // namespace kbench
