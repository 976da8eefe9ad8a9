// Whose a connection is: the local ports of this host's connections to a port, those of some
// processes apart from those of all others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <vector>

namespace kbench {

struct ConnectionOwners {
  std::set<uint16_t> own;     // of the processes
  std::set<uint16_t> others;  // of anybody else on this host
};

// Established connections to `port`. Where the processes' descriptors cannot be read, nobody's are
// known to be others'; without processes everybody's are.
ConnectionOwners FindOwners(const std::vector<pid_t>& processes, uint16_t port);

}  // namespace kbench
