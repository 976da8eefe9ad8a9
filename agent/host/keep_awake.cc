#include "agent/host/keep_awake.h"

#include <pthread.h>
#include <sched.h>

namespace kbench {

KeepAwake::KeepAwake() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    spinners_.emplace_back([this, cpu] {
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(cpu, &own);
      const sched_param lowest = {};
      // Without both it would take the CPU from others: rather none.
      if (pthread_setaffinity_np(pthread_self(), sizeof own, &own) != 0 ||
          pthread_setschedparam(pthread_self(), SCHED_IDLE, &lowest) != 0) {
        return;
      }
      while (!stop_.load(std::memory_order_relaxed)) {
      }
    });
  }
}

KeepAwake::~KeepAwake() {
  stop_ = true;
  for (std::thread& spinner : spinners_) spinner.join();
}

}  // namespace kbench
