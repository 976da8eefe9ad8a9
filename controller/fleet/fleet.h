// The agents of one campaign: who they are, who of them is there now, and the one on the server's
// host. At the beginning all have to be there. One that is lost later is asked again before each
// run, as long as the campaign goes on without it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/cpu_placement.h"
#include "controller/fleet/agent_credentials.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/local_fleet.h"
#include "controller/fleet/phase_limits.h"

namespace kbench {

struct FleetOptions {
  int local_agents = 0;  // above 0: they and their servers are started here
  std::string bin_dir;   // of kbench-agent and kbench-server, for local_agents
  std::string log_dir;
  std::vector<std::string> allow_clients;  // NAME=/PATH, of local_agents
  HostCpus local_cpus;
  AgentCredentials credentials;
  PhaseLimits limits;
};

class Fleet {
 public:
  // Starts what is to be started and meets everybody. The first failure names the agent.
  static absl::StatusOr<std::unique_ptr<Fleet>> Meet(const Campaign& campaign,
                                                     const FleetOptions& options);

  size_t size() const { return links_.size(); }
  AgentLink* agent(size_t index) const { return links_[index].get(); }
  std::vector<AgentLink*> agents() const;
  const std::vector<AgentPlace>& places() const { return places_; }
  AgentLink* observer() const { return observer_; }  // that server.observer names; null: none
  // HOST:PORT of the server of a cell.
  std::string ServerFor(const Settings& settings) const;

  // Indices of those that were there when last asked.
  const std::vector<size_t>& present() const { return present_; }
  std::vector<std::string> absent() const;  // addresses
  // Asks everybody again. An agent at work for somebody else is absent, as is one that came back
  // without a transport of the campaign or with another version; one that is still at work for run
  // `our_run` is told to stop.
  // Why each of the absent is.
  std::vector<std::string> AskAgain(const std::string& our_run);

  // Agents whose program is another than ours; "" when none is.
  std::string OtherVersions() const;

  // The agents with these indices may forget their results of this run: they are stored. One that
  // does not hear it is told again with the next, and by AcknowledgeRest().
  void Acknowledge(const std::string& run_id, const std::vector<size_t>& whose);
  void AcknowledgeRest();

 private:
  // What is known of one agent beside its place, as of the last Hello.
  struct Member {
    bool keeps_results = false;
    std::string version;
    std::vector<std::string> to_acknowledge;  // ids of runs
  };

  explicit Fleet(const FleetOptions& options) : options_(options) {}
  absl::Status MeetAgents();
  // The agent is there, idle, and answered this.
  absl::Status Take(size_t index, const control::HelloReply& reply);
  absl::Status MeetObserver(const std::string& address);
  AgentPlace PlaceOf(const std::string& address, const control::HelloReply& reply) const;

  const FleetOptions options_;
  std::set<std::string> transports_;  // that the campaign's cells ask for
  std::string client_;                // likewise; empty: none
  std::unique_ptr<LocalFleet> local_;
  std::vector<std::unique_ptr<AgentLink>> links_;
  std::vector<AgentPlace> places_;
  std::vector<Member> members_;
  std::vector<size_t> present_;
  std::unique_ptr<AgentLink> observer_link_;  // when it is none of links_
  AgentLink* observer_ = nullptr;
};

}  // namespace kbench
