// An external client from its start to its end: what it says is read, what it uses is looked at,
// and what bounds it is held.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/load/run_control.h"
#include "agent/program/client_outcome.h"
#include "agent/program/contained_program.h"
#include "base/clock.h"

namespace kbench {

struct ClientBounds {
  MonoTime stop_at;             // when it is told to stop
  Nanos patience = Seconds(2);  // from then until it is killed
  uint64_t memory_bytes = 0;    // of all its processes together; 0: no bound
  uint16_t port = 0;            // connections to it are looked at: whose are they?
};

// CPU time of all its processes, at an instant.
struct ClientLook {
  MonoTime at;
  Nanos user;
  Nanos system;
};

struct ClientWatched {
  ClientOutcome outcome;  // without what is of its requests and its figures
  std::string output;     // standard output, as much of it as is read for figures
  MonoTime started;
  MonoTime ended;
  std::vector<ClientLook> looks;
  std::set<uint16_t> foreign_ports;  // local ports of other processes' connections to `port`
};

inline constexpr size_t kClientOutputMax = 16u << 20;
inline constexpr size_t kClientOutputKept = 4096;  // of each stream, in results

// Blocks until everything that it started has ended, or `control` stops the run, in which case it
// is made to. Fails when it cannot be started.
absl::StatusOr<ClientWatched> WatchClient(const ProgramOrder& order, const ClientBounds& bounds,
                                          const RunControl& control);

}  // namespace kbench
