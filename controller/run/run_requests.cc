#include "controller/run/run_requests.h"

#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_format.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "controller/campaign/run_spec.h"

namespace kbench {
namespace {

// A full run is watched on the server's host, where there is somebody to do it. The server of
// --local is on this host, as its agents are.
std::optional<ServerObserver> ObserverFor(const PlannedRun& run, const Settings& settings,
                                          const std::string& server, const Fleet& fleet) {
  AgentLink* const link = settings.EmbeddedServer() ? fleet.agent(0) : fleet.observer();
  const bool packets = settings.transport != "null";
  if (run.pass != analysis::Pass::kFull || link == nullptr || !packets) return std::nullopt;
  ServerObserver observer{.link = link, .port = static_cast<uint16_t>(settings.observer_port)};
  if (observer.port == 0) observer.port = ParseHostPort(server)->port;
  if (settings.tls) {
    observer.unreadable = "the server speaks TLS: its packets do not show where requests end";
  }
  return observer;
}

}  // namespace

absl::StatusOr<RunRequests> RunRequests::Of(const Campaign& campaign, const Plan& plan) {
  RunRequests requests(campaign, plan);
  for (const Cell& cell : campaign.cells) {
    const std::string& key_file = cell.settings.key_file;
    const std::string& ca_file = cell.settings.ca_file;
    if (!requests.keys_.contains(key_file)) {
      ASSIGN_OR_RETURN(requests.keys_[key_file], ReadHmacKey(key_file));
    }
    if (!requests.authorities_.contains(ca_file)) {
      ASSIGN_OR_RETURN(requests.authorities_[ca_file], ReadAuthorities(ca_file));
    }
  }
  return requests;
}

RunRequest RunRequests::For(const std::string& campaign_id, const PlannedRun& run,
                            const Placement& placement, const Fleet& fleet) const {
  const Settings& settings = campaign_->cells[static_cast<size_t>(run.cell)].settings;
  RunRequest request{.run_id = absl::StrFormat("%s-%04d", campaign_id, run.ordinal),
                     .cell = run.cell,
                     .repetition = run.repetition,
                     .pass = run.pass};
  const std::string server = fleet.ServerFor(settings);
  request.observer = ObserverFor(run, settings, server, fleet);
  for (size_t i : fleet.present()) {
    request.agents.push_back(fleet.agent(i));
    request.specs.push_back(
        MakeRunSpec(settings, {.run_id = request.run_id,
                               .pass = run.pass,
                               .agent_index = static_cast<uint32_t>(i),
                               .agent_count = static_cast<uint32_t>(fleet.size()),
                               .server = server,
                               .hmac_key = keys_.at(settings.key_file),
                               .tls_ca = authorities_.at(settings.ca_file),
                               .worker_cpus = placement.worker_cpus[i],
                               .seed = run.seed,
                               .key_seed = plan_->key_seeds[static_cast<size_t>(run.cell)]}));
  }
  return request;
}

std::vector<KineticServer> RunRequests::Servers(const Fleet& fleet) const {
  std::vector<KineticServer> servers;
  for (const Cell& cell : campaign_->cells) {
    const Settings& s = cell.settings;
    if (s.transport == "null") continue;
    KineticServer server{.address = fleet.ServerFor(s),
                         .identity = s.identity,
                         .hmac_key = keys_.at(s.key_file),
                         .tls = s.tls,
                         .tls_ca = s.tls ? authorities_.at(s.ca_file) : ""};
    if (!absl::c_linear_search(servers, server)) servers.push_back(std::move(server));
  }
  return servers;
}

}  // namespace kbench
