// What a thread has used of its machine, from the kernel's own books.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace kbench {

struct ThreadUse {
  Nanos user;
  Nanos system;
  Nanos run_queue_wait;  // runnable but not running; zero where the kernel keeps no schedstat
  uint64_t voluntary_switches = 0;
  uint64_t involuntary_switches = 0;

  Nanos cpu() const { return user + system; }
  void Add(const ThreadUse& other);
  ThreadUse Since(const ThreadUse& earlier) const;
};

// Of the calling thread, over its life. A few system calls; allocates nothing. User and system
// time are getrusage's split of the thread's exact CPU clock.
ThreadUse ReadThreadUse();

}  // namespace kbench
