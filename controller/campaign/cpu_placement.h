// Which cpu each worker is pinned to.
//
//   --local, 4 cpus, 2 agents x 2 workers:   cpu 0  agent 0 worker 0, agent 1 worker 1
//                                            cpu 1  agent 0 worker 1
//                                            cpu 2  agent 1 worker 0
//                                            cpu 3  the embedded servers
//
// Sharing is a fact of the machine and a caveat of the run (`shared_cpu`), never an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/campaign/campaign.h"
#include "proto/result.pb.h"

namespace kbench {

// The cpus that agents on one host may use, and the one that an embedded server holds there.
struct HostCpus {
  std::vector<int> usable;  // for workers
  std::optional<int> server;
};

// The cpus of this process. With two or more the embedded server gets the last one and the workers
// the others; with one they share it and nothing is pinned.
HostCpus LocalCpus();
HostCpus SplitCpus(const std::vector<int>& cpus);

struct AgentPlace {
  std::string host;  // agents with the same name share its cpus
  HostCpus cpus;
};

struct Placement {
  std::vector<std::vector<uint32_t>> worker_cpus;  // per agent; empty: not pinned
  std::vector<result::Caveat> caveats;
};

Placement PlaceWorkers(const Settings& settings, const std::vector<AgentPlace>& agents);

}  // namespace kbench
