// The fleet of `kbench run --local N`: N real agents, and a real server for every service time in
// the campaign, on loopback ports that the kernel picks. The same path as a fleet of hosts; only
// who starts the programs differs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/cpu_placement.h"
#include "controller/fleet/child_process.h"

namespace kbench {

struct LocalFleetOptions {
  int agents = 1;
  std::string bin_dir;                     // where kbench-agent and kbench-server are
  std::string log_dir;                     // exists
  std::vector<std::string> allow_clients;  // NAME=/PATH, of all its agents
  HostCpus cpus;
  Nanos ready_timeout = Seconds(10);
};

// The directory of this program's own file.
absl::StatusOr<std::string> OwnBinDir();

class LocalFleet {
 public:
  // Starts everything, then waits until all are ready. On failure whatever had started has ended.
  static absl::StatusOr<std::unique_ptr<LocalFleet>> Start(const Campaign& campaign,
                                                           const LocalFleetOptions& options);
  ~LocalFleet();

  const std::vector<std::string>& agents() const { return agents_; }  // HOST:PORT
  // HOST:PORT of the server for a cell; empty when the campaign names its server.
  std::string ServerFor(const Settings& settings) const;
  std::vector<pid_t> pids() const;

 private:
  // What makes two cells need two servers.
  using ServerKey = std::vector<std::string>;
  static ServerKey KeyOf(const Settings& settings);

  LocalFleet() = default;
  absl::Status StartAgents(const LocalFleetOptions& options);
  absl::Status StartServers(const Campaign& campaign, const LocalFleetOptions& options);
  absl::Status AwaitReady(const LocalFleetOptions& options);

  std::vector<std::unique_ptr<ChildProcess>> children_;  // agents first
  size_t agent_count_ = 0;
  std::vector<std::string> agents_;
  std::map<ServerKey, size_t> server_index_;
  std::vector<std::string> servers_;
};

}  // namespace kbench
