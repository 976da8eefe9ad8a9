// What this agent may and can do on its host, tried out rather than looked up: the answers for
// `kbench doctor`, before any load.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace kbench {

struct Abilities {
  std::map<std::string, std::string> transports;  // name -> why it cannot be used; empty: it can
  std::string packets;                            // why packets cannot be seen; empty: they can
  std::string kernel_stamps;         // why the kernel stamps no packets of a socket; empty: it does
  uint64_t locked_memory_limit = 0;  // bytes; UINT64_MAX: none
  std::string clock_synchronized;    // why CLOCK_REALTIME is not disciplined; empty: it is
};

Abilities TryAbilities();

// Trying costs rings and sockets, beside whatever the host is measuring: whoever asks ten times a
// second hears what was found at most kAbilitiesHold ago. Thread-safe.
inline constexpr Nanos kAbilitiesHold = Seconds(2);

class AbilitiesMemory {
 public:
  Abilities Get();

 private:
  Mutex mutex_;
  std::optional<Abilities> found_ ABSL_GUARDED_BY(mutex_);
  MonoTime at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kbench
