#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <thread>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/inventory.h"
#include "controller/command/commands.h"
#include "controller/fleet/agent_link.h"
#include "controller/store/live_status.h"
#include "controller/store/result_store.h"

namespace kbench {
namespace {

constexpr int kPings = 21;
constexpr Nanos kPatience = Seconds(5);
constexpr Nanos kFetch = Seconds(300);
constexpr std::chrono::milliseconds kAskEvery(100);

struct AgentArguments {
  AgentSelection selection;
  std::string run;     // of release and collect
  std::string output;  // of collect
};

using Links = std::vector<std::unique_ptr<AgentLink>>;

// The first failure gives the code, the others are still asked.
ExitCode ForEach(const Links& links, const std::function<absl::Status(AgentLink*)>& ask) {
  ExitCode code = ExitCode::kDone;
  for (const auto& link : links) {
    const absl::Status status = ask(link.get());
    if (status.ok()) continue;
    const ExitCode failure = Fail(status);
    if (code == ExitCode::kDone) code = failure;
  }
  return code;
}

ExitCode List(const AgentArguments& /*arguments*/, const Links& links) {
  for (const auto& link : links) absl::PrintF("%s\n", link->address());
  return ExitCode::kDone;
}

absl::Status PingOne(AgentLink* link) {
  const auto hello = link->Hello(kPatience);
  const auto clock = hello.ok() ? link->MeasureClock(kPings, kPatience)
                                : absl::StatusOr<AgentClockMap>(hello.status());
  if (!clock.ok()) return clock.status();
  const control::Version& version = hello->agent();
  absl::PrintF("%-24s %-9s %-9s %12s %18s %s\n", link->address(),
               absl::StrFormat("%d.%d", version.protocol_major(), version.protocol_minor()),
               version.release(),
               HumanDuration(static_cast<double>(clock->round_trip_min().count())),
               absl::StrFormat("%+.6f s", Nanos(clock->offset_ns()).seconds()),
               hello->active_run().empty()
                   ? std::string("idle")
                   : absl::StrFormat("run %s of %s", hello->active_run(), hello->active_owner()));
  return absl::OkStatus();
}

ExitCode Ping(const AgentArguments& /*arguments*/, const Links& links) {
  absl::PrintF("%-24s %-9s %-9s %12s %18s %s\n", "agent", "protocol", "release", "rtt",
               "clock offset", "state");
  return ForEach(links, PingOne);
}

// Asked to stop, an agent drains first: it is free when it says so.
absl::Status AwaitIdle(AgentLink* link, const std::string& run_id) {
  const MonoTime deadline = MonoNow() + Seconds(30);
  while (MonoNow() < deadline) {
    const auto hello = link->Hello(kPatience);
    if (!hello.ok()) return hello.status();
    if (hello->active_run() != run_id) return absl::OkStatus();
    std::this_thread::sleep_for(kAskEvery);
  }
  return absl::DeadlineExceededError(absl::StrCat("agent ", link->address(), " still has run ",
                                                  run_id, " 30 s after it was told to stop"));
}

ExitCode Release(const AgentArguments& arguments, const Links& links) {
  return ForEach(links, [&](AgentLink* link) -> absl::Status {
    control::ReleaseRequest request;
    request.set_run_id(arguments.run);
    request.set_reason(ThisController());
    const auto reply = link->Release(request, kPatience);
    if (!reply.ok()) return reply.status();
    if (reply->run_id().empty()) {
      absl::PrintF("%s: idle%s\n", link->address(),
                   arguments.run.empty()
                       ? ""
                       : absl::StrCat(", or at work on another run than ", arguments.run));
      return absl::OkStatus();
    }
    const absl::Status idle = AwaitIdle(link, reply->run_id());
    if (!idle.ok()) return idle;
    absl::PrintF("%s: run %s of %s was stopped\n", link->address(), reply->run_id(),
                 reply->owner());
    return absl::OkStatus();
  });
}

ExitCode Results(const AgentArguments& /*arguments*/, const Links& links) {
  absl::PrintF("%-24s %-20s %12s  %s\n", "agent", "run", "bytes", "ended");
  return ForEach(links, [](AgentLink* link) -> absl::Status {
    const auto results = link->Results(kPatience);
    if (!results.ok()) return results.status();
    for (const control::ResultsReply::Kept& kept : results->kept()) {
      const time_t ended = kept.ended_unix_s();
      tm utc = {};
      gmtime_r(&ended, &utc);
      char text[32];
      strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
      absl::PrintF("%-24s %-20s %12d  %s\n", link->address(), kept.run_id(), kept.bytes(), text);
    }
    return absl::OkStatus();
  });
}

// One result of one agent, written before the agent may forget it.
absl::Status CollectOne(AgentLink* link, const std::string& run_id, const std::string& directory) {
  const auto bytes = link->Fetch(run_id, kFetch);
  if (!bytes.ok()) return bytes.status();
  result::RunResult result;
  if (!result.ParseFromString(*bytes)) {
    return absl::DataLossError(absl::StrCat("agent ", link->address(), " keeps bytes as run ",
                                            run_id, " that are no result; they stay there"));
  }
  const std::string path =
      absl::StrCat(directory, "/", run_id, "-", PathComponent(link->address()), ".pb");
  // What an earlier collection wrote, and could not acknowledge, is as good.
  const auto before = ReadFile(path);
  if (!before.ok() || *before != *bytes) {
    RETURN_IF_ERROR(WriteDurably(path, *bytes));
    RETURN_IF_ERROR(SyncDirectory(directory));
  }
  uint64_t answered = 0;
  for (const result::OpResult& op : result.ops()) answered += op.answered_in_window();
  absl::PrintF("%s: %d answered in %s%s\n", path, answered,
               HumanDuration(static_cast<double>(result.measured_ns())),
               result.aborted() ? absl::StrCat(", aborted: ", result.abort_reason()) : "");
  return link->Acknowledge({run_id}, kPatience);
}

ExitCode Collect(const AgentArguments& arguments, const Links& links) {
  absl::Status made = MakeDirectories(arguments.output);
  if (made.ok()) made = SyncDirectory(absl::StrCat(arguments.output, "/.."));
  if (!made.ok()) return Fail(made);
  size_t found = 0;
  const ExitCode code = ForEach(links, [&](AgentLink* link) -> absl::Status {
    const auto results = link->Results(kPatience);
    if (!results.ok()) return results.status();
    absl::Status first;
    for (const control::ResultsReply::Kept& kept : results->kept()) {
      const bool wanted = kept.run_id() == arguments.run ||
                          absl::StartsWith(kept.run_id(), absl::StrCat(arguments.run, "-"));
      if (!wanted) continue;
      ++found;
      const absl::Status collected = CollectOne(link, kept.run_id(), arguments.output);
      if (first.ok()) first = collected;
    }
    return first;
  });
  if (code == ExitCode::kDone && found == 0) {
    return Fail(absl::NotFoundError(absl::StrCat("no agent keeps a result of run ", arguments.run,
                                                 "; see 'kbench agents results'")));
  }
  return code;
}

using Action = ExitCode (*)(const AgentArguments&, const Links&);

CLI::App* AddAction(CLI::App* agents, CommandLine* line, const char* name, const char* text,
                    const std::shared_ptr<AgentArguments>& arguments, Action action) {
  CLI::App* const command = agents->add_subcommand(name, text);
  arguments->selection.AddTo(command);
  command->callback([line, arguments, action] {
    const absl::Status complete = arguments->selection.Complete();
    line->code = complete.ok() ? action(*arguments, arguments->selection.Links()) : Fail(complete);
  });
  return command;
}

}  // namespace

void AgentSelection::AddTo(CLI::App* command) {
  CLI::Option* const named =
      command->add_option("--agents", addresses, "HOST:PORT,HOST:PORT,...")->delimiter(',');
  CLI::Option* const file =
      command->add_option("--inventory", inventory, "Ansible inventory of the fleet");
  file->excludes(named);
  command->add_option("--group", group, "Group or host of the inventory")
      ->capture_default_str()
      ->needs(file);
  AddCredentials(command, &credentials);
}

absl::Status AgentSelection::TakeInventory() {
  if (inventory.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(hosts, Inventory::Read(inventory));
  ASSIGN_OR_RETURN(addresses, hosts->Find(group, Inventory::Kind::kAgent));
  return absl::OkStatus();
}

absl::Status AgentSelection::Resolve(absl::string_view option, Inventory::Kind kind,
                                     std::string* address) const {
  absl::string_view name = *address;
  if (!absl::ConsumePrefix(&name, "@")) return absl::OkStatus();
  if (!hosts) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", *address, ": add --inventory FILE, to look it up in"));
  }
  const auto found = hosts->Find(name, kind);
  if (!found.ok()) return Annotate(found.status(), option);
  if (found->size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, " ", *address, " is ", found->size(), " hosts; name one"));
  }
  *address = found->front();
  return absl::OkStatus();
}

absl::Status AgentSelection::Complete() {
  if (addresses.empty() && inventory.empty()) {
    return absl::InvalidArgumentError(
        "which agents? give --agents HOST:PORT,... or --inventory FILE, whose group 'agents' it "
        "is");
  }
  RETURN_IF_ERROR(TakeInventory());
  std::vector<std::string> seen;
  for (std::string& text : addresses) {
    const absl::StatusOr<HostPort> address = ParseHostPort(text);
    if (!address.ok()) return Annotate(address.status(), "--agents");
    text = address->ToString();
    if (absl::c_linear_search(seen, text)) {
      return absl::InvalidArgumentError(absl::StrCat("--agents: ", text, " is listed twice"));
    }
    seen.push_back(text);
  }
  return credentials.Complete();
}

std::vector<std::unique_ptr<AgentLink>> AgentSelection::Links() const {
  std::vector<std::unique_ptr<AgentLink>> links;
  for (const std::string& address : addresses) {
    links.push_back(std::make_unique<AgentLink>(address, credentials));
  }
  return links;
}

void AddCredentials(CLI::App* command, AgentCredentials* to) {
  command->add_option("--tls-ca", to->ca,
                      "PEM file of the authorities whose certificates agents must have");
  command->add_option("--tls-certificate", to->certificate,
                      "PEM file of our certificate for agents");
  command->add_option("--tls-key", to->key,
                      absl::StrCat("PEM file of its key (default of all three: ca.pem, "
                                   "certificate.pem and key.pem in ",
                                   kUsualDirectory, ", when they are there)"));
  command->add_option("--tls-crl-directory", to->crl_directory,
                      absl::StrCat("Directory of lists of revoked agents, as by openssl rehash "
                                   "(default, with the three: crl in ",
                                   kUsualDirectory, ")"));
}

void AddAgentCommands(CommandLine* line) {
  CLI::App* agents = line->app.add_subcommand("agents", "Ask agents how they are");
  agents->require_subcommand(1);
  const auto arguments = [] { return std::make_shared<AgentArguments>(); };
  AddAction(agents, line, "list", "Addresses of a fleet; nobody is asked", arguments(), List);
  AddAction(agents, line, "ping", "Version, round trip and clock offset", arguments(), Ping);

  auto released = arguments();
  CLI::App* command = AddAction(agents, line, "release",
                                "End the run of another controller, which keeps what it measured",
                                released, Release);
  command->add_option("--run", released->run,
                      "Only if it is this run that the agent is at work on");

  AddAction(agents, line, "results", "Results that wait for a controller", arguments(), Results);

  auto collected = arguments();
  command =
      AddAction(agents, line, "collect", "Fetch results that wait, and let the agents forget them",
                collected, Collect);
  command->add_option("run", collected->run, "Id of a run, or of a campaign: all its runs")
      ->required();
  command->add_option("--output", collected->output, "Directory for RUN-AGENT.pb files")
      ->required();
}

}  // namespace kbench
