#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/address.h"
#include "base/units.h"
#include "controller/agent_link.h"
#include "controller/commands.h"
#include "controller/inventory.h"

namespace kbench {
namespace {

constexpr int kPings = 21;

// One line per agent; the first failure gives the code, the others are still pinged.
ExitCode Ping(std::vector<std::string> agents, const std::string& inventory,
              AgentCredentials credentials) {
  if (agents.empty() == inventory.empty()) {
    return Fail(
        absl::InvalidArgumentError("which agents? give --agents HOST:PORT,... or --inventory FILE, "
                                   "whose group 'agents' it is"));
  }
  if (!inventory.empty()) {
    const auto hosts = Inventory::Read(inventory);
    if (!hosts.ok()) return Fail(hosts.status());
    const auto found = hosts->Find("agents", Inventory::Kind::kAgent);
    if (!found.ok()) return Fail(found.status());
    agents = *found;
  }
  if (const absl::Status complete = credentials.Complete(); !complete.ok()) return Fail(complete);
  ExitCode code = ExitCode::kDone;
  absl::PrintF("%-24s %-9s %-9s %12s %18s %s\n", "agent", "protocol", "release", "rtt",
               "clock offset", "state");
  for (const std::string& text : agents) {
    const auto address = ParseHostPort(text);
    if (!address.ok()) return Fail(address.status());
    AgentLink link(address->ToString(), credentials);
    const auto hello = link.Hello(Seconds(5));
    const auto clock = hello.ok() ? link.MeasureClock(kPings, Seconds(5))
                                  : absl::StatusOr<AgentClockMap>(hello.status());
    if (!clock.ok()) {
      const ExitCode failure = Fail(clock.status());
      if (code == ExitCode::kDone) code = failure;
      continue;
    }
    const control::Version& version = hello->agent();
    absl::PrintF("%-24s %-9s %-9s %12s %18s %s\n", link.address(),
                 absl::StrFormat("%d.%d", version.protocol_major(), version.protocol_minor()),
                 version.release(),
                 HumanDuration(static_cast<double>(clock->round_trip_min().count())),
                 absl::StrFormat("%+.6f s", Nanos(clock->offset_ns()).seconds()),
                 hello->active_run().empty()
                     ? std::string("idle")
                     : absl::StrFormat("run %s of %s", hello->active_run(), hello->active_owner()));
  }
  return code;
}

}  // namespace

void AddCredentials(CLI::App* command, AgentCredentials* to) {
  command->add_option("--tls-ca", to->ca,
                      "PEM file of the authorities whose certificates agents must have");
  command->add_option("--tls-certificate", to->certificate,
                      "PEM file of our certificate for agents");
  command->add_option("--tls-key", to->key,
                      absl::StrCat("PEM file of its key (default of all three: ca.pem, "
                                   "certificate.pem and key.pem in ",
                                   kUsualDirectory, ", when they are there)"));
}

void AddAgentCommands(CommandLine* line) {
  CLI::App* agents = line->app.add_subcommand("agents", "Ask agents how they are");
  agents->require_subcommand(1);
  CLI::App* ping = agents->add_subcommand("ping", "Version, round trip and clock offset");
  auto addresses = std::make_shared<std::vector<std::string>>();
  ping->add_option("--agents", *addresses, "HOST:PORT,HOST:PORT,...")->delimiter(',');
  auto inventory = std::make_shared<std::string>();
  ping->add_option("--inventory", *inventory, "Ansible inventory: the hosts of its group 'agents'");
  auto credentials = std::make_shared<AgentCredentials>();
  AddCredentials(ping, credentials.get());
  ping->callback([line, addresses, inventory, credentials] {
    line->code = Ping(*addresses, *inventory, *credentials);
  });
}

}  // namespace kbench
