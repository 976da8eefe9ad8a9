// What this agent may and can do on its host, tried out rather than looked up: the answers for
// `kbench doctor`, before any load.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace kbench {

struct Abilities {
  std::map<std::string, std::string> transports;  // name -> why it cannot be used; empty: it can
  std::string packets;                            // why packets cannot be seen; empty: they can
  std::string kernel_stamps;         // why the kernel stamps no packets of a socket; empty: it does
  uint64_t locked_memory_limit = 0;  // bytes; UINT64_MAX: none
  std::string clock_synchronized;    // why CLOCK_REALTIME is not disciplined; empty: it is
};

Abilities TryAbilities();

}  // namespace kbench
