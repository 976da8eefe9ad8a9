// What an agent does at most, whatever a controller asks for: an agent is no weapon for whoever
// holds a controller's certificate. Set by the host's owner on the agent's command line.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/load/run_spec.h"
#include "agent/program/allowed_clients.h"
#include "base/address.h"
#include "base/clock.h"

namespace kbench {

struct Caps {
  // Requests per second that a run offers, every put of a batch being one; 0: any. A closed loop
  // has no rate and is refused; keys are written before a run at this rate at most.
  double rate = 0;
  Nanos duration;                // warm-up and measured window of a run, and its load; zero: any
  uint32_t connections = 0;      // of a run; 0: any
  std::vector<Network> targets;  // that may be loaded or probed; empty: any
  AllowedClients clients;        // programs that controllers may run
};

// PermissionDenied, naming the cap, when the run asks for more. The load is paced and bounded by
// what it writes into the spec. Where targets are limited, the server's name becomes the address
// that was checked, so that it cannot become another one later.
absl::Status Hold(const Caps& caps, RunSpec* spec);
// The same for a probe's target.
absl::Status HoldTarget(const Caps& caps, HostPort* target);

}  // namespace kbench
