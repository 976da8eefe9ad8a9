// A client program of another make that a run starts instead of making load itself, as a campaign
// orders it and this host's owner allows it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace kbench {

// What the program's standard output is read as (agent/program/own_figures.h).
enum class FigureFormat { kAuto, kCsv, kFio, kNone };

struct ProgramUser {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct ExternalClient {
  std::string name;                    // by which the owner allowed it
  std::vector<std::string> arguments;  // with {placeholders} (agent/program/client_words.h)
  Nanos grace = Seconds(10);           // beyond warm-up and window, until it is told to stop
  uint64_t memory_bytes = uint64_t{2} << 30;
  FigureFormat format = FigureFormat::kAuto;

  // Not on the wire, by this agent's owner.
  std::string path;                 // absolute, without links
  std::optional<ProgramUser> user;  // none: the agent's own
};

}  // namespace kbench
