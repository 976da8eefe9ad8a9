#include <cstdio>
#include <memory>
#include <set>

#include "absl/algorithm/container.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "controller/campaign/run_spec.h"
#include "controller/command/commands.h"
#include "controller/run/doctor.h"

namespace kbench {
namespace {

struct DoctorArguments {
  std::string campaign;
  std::string inventory;
  std::vector<std::string> agents;
  std::string server;
  int64_t identity = 1;
  std::string key_file;
  AgentCredentials credentials;
  std::string format = "text";
};

struct Patients {
  std::vector<std::string> agents;  // the observer, too
  std::vector<KineticServer> servers;
  std::vector<std::string> transports;  // that the campaign needs
  std::string client;                   // likewise; empty: none
};

absl::Status AddServers(const Campaign& campaign, Patients* patients) {
  for (const Cell& cell : campaign.cells) {
    const Settings& s = cell.settings;
    if (s.EmbeddedServer() || s.transport == "null") continue;
    KineticServer server{.address = s.server_address, .identity = s.identity, .tls = s.tls};
    ASSIGN_OR_RETURN(server.hmac_key, ReadHmacKey(s.key_file));
    if (s.tls) {
      ASSIGN_OR_RETURN(server.tls_ca, ReadAuthorities(s.ca_file));
    }
    if (!absl::c_linear_search(patients->servers, server)) patients->servers.push_back(server);
  }
  return absl::OkStatus();
}

absl::StatusOr<Patients> PatientsOf(DoctorArguments* given) {
  Patients patients;
  if (!given->campaign.empty()) {
    const CampaignArguments file{.file = given->campaign, .inventory = given->inventory};
    ASSIGN_OR_RETURN(const Campaign campaign, file.Load());
    patients.agents = campaign.agents;
    const std::string& observer = campaign.cells.front().settings.observer;
    if (!observer.empty() && !absl::c_linear_search(patients.agents, observer)) {
      patients.agents.push_back(observer);
    }
    RETURN_IF_ERROR(AddServers(campaign, &patients));
    for (const Cell& cell : campaign.cells) {
      if (cell.settings.IsExternal()) patients.client = cell.settings.client_command.front();
      if (cell.settings.IsExternal()) continue;
      if (absl::c_linear_search(patients.transports, cell.settings.transport)) continue;
      patients.transports.push_back(cell.settings.transport);
    }
    RETURN_IF_ERROR(given->credentials.Complete());
    return patients;
  }
  AgentSelection selection{
      .addresses = given->agents, .inventory = given->inventory, .credentials = given->credentials};
  RETURN_IF_ERROR(selection.Complete());
  given->credentials = selection.credentials;
  patients.agents = selection.addresses;
  if (given->server.empty()) return patients;
  ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(given->server));
  KineticServer server{.address = address.ToString(), .identity = given->identity};
  ASSIGN_OR_RETURN(server.hmac_key, ReadHmacKey(given->key_file));
  patients.servers.push_back(std::move(server));
  return patients;
}

ExitCode Doctor(DoctorArguments* given) {
  const absl::StatusOr<Patients> patients = PatientsOf(given);
  if (!patients.ok()) return Fail(patients.status());
  const Interrupts& interrupts = CatchInterrupts();
  std::vector<Checkup> checkups;
  absl::Status first;
  const auto remember = [&](const absl::Status& status) {
    if (first.ok()) first = status;
  };
  if (!given->inventory.empty()) checkups = ExamineSsh(given->inventory);
  for (const std::string& address : patients->agents) {
    AgentLink agent(address, given->credentials);
    absl::Status status;
    const std::vector<Checkup> found =
        ExamineAgent(&agent, patients->transports, patients->client, &status);
    checkups.insert(checkups.end(), found.begin(), found.end());
    remember(status);
    if (!status.ok()) continue;
    for (const KineticServer& server : patients->servers) {
      checkups.push_back(ExamineTarget(&agent, server, &interrupts, &status));
      remember(status);
    }
  }
  std::fputs((given->format == "json" ? CheckupsJson(checkups) : CheckupsText(checkups)).c_str(),
             stdout);
  const bool bad =
      absl::c_any_of(checkups, [](const Checkup& c) { return c.finding == Finding::kBad; });
  if (!first.ok()) return Fail(first);
  if (bad) return Fail(absl::DataLossError("something is BAD; see above"));
  return ExitCode::kDone;
}

}  // namespace

void AddDoctorCommand(CommandLine* line) {
  CLI::App* command =
      line->app.add_subcommand("doctor", "Look for what would go wrong before any load is made");
  auto given = std::make_shared<DoctorArguments>();
  CLI::Option* campaign =
      command->add_option("campaign", given->campaign, "Campaign file: its agents and servers");
  CLI::Option* inventory = command->add_option(
      "--inventory", given->inventory, "Ansible inventory: ssh to all its hosts is tried, too");
  command->add_option("--agents", given->agents, "HOST:PORT,HOST:PORT,...")
      ->delimiter(',')
      ->excludes(campaign)
      ->excludes(inventory);
  CLI::Option* server =
      command->add_option("--server", given->server, "HOST:PORT to reach")->excludes(campaign);
  command->add_option("--identity", given->identity, "HMAC identity")
      ->capture_default_str()
      ->needs(server);
  command
      ->add_option("--key-file", given->key_file, "File of the HMAC key (default: the factory's)")
      ->needs(server);
  command->add_option("--format", given->format, "Of what goes to stdout")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  AddCredentials(command, &given->credentials);
  command->callback([line, given] { line->code = Doctor(given.get()); });
}

}  // namespace kbench
