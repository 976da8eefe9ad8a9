// What would go wrong, or make numbers doubtful, before any load is made: `kbench doctor`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/path_probe.h"

namespace kbench {

enum class Finding { kGood, kDoubtful, kBad };

struct Checkup {
  std::string who;   // an agent's address, or an inventory's host
  std::string what;  // "version", "io_uring", "clock", ...
  Finding finding = Finding::kGood;
  std::string text;    // what is there
  std::string remedy;  // when not good
};

// The agent itself: version, idle, clock, limits, what its kernel lets it do. When it does not
// answer there is that one finding, and `status` says why in exit_codes.h's meaning.
// `transports` are those that it will be asked for; without them it is no good.
std::vector<Checkup> ExamineAgent(AgentLink* agent, const std::vector<std::string>& transports,
                                  const std::string& client, absl::Status* status);

// From the agent to a Kinetic server: handshake and NOOPs.
Checkup ExamineTarget(AgentLink* agent, const KineticServer& server, const Interrupts* interrupts,
                      absl::Status* status);

// Every host of the inventory over ssh, as the playbooks would reach it.
std::vector<Checkup> ExamineSsh(const std::string& inventory);

std::string CheckupsText(const std::vector<Checkup>& checkups);
std::string CheckupsJson(const std::vector<Checkup>& checkups);

}  // namespace kbench
