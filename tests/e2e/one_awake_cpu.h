// One CPU, always awake, for this process and what it starts, for as long as it lives.
//
// Awake: a thread of the lowest class (SCHED_IDLE), which every other task preempts at once, keeps
// the CPU out of its idle states. A CPU that sleeps between requests wakes tens of microseconds
// late, the later the longer it slept, and on a virtual machine the hypervisor's share comes on
// top; with a delay injected it sleeps longer, so that parts that the delay does not touch grow.
// One: whether a wake-up crosses CPUs is else the scheduler's choice, which an injected delay
// changes, and crossing cost 30 us where this was written. Both are true effects of a host, and
// neither is what is under test.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace kbench::e2e {

class OneAwakeCpu {
 public:
  OneAwakeCpu() {
    if (sched_getaffinity(0, sizeof(before_), &before_) != 0) return;
    int last = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) last = cpu;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0) return;
    spinner_ = std::thread([this] {
      const sched_param lowest = {};
      if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &lowest) != 0) return;
      while (!stop_.load(std::memory_order_relaxed)) {
      }
    });
  }
  ~OneAwakeCpu() {
    stop_ = true;
    if (spinner_.joinable()) spinner_.join();
    sched_setaffinity(0, sizeof(before_), &before_);
  }
  OneAwakeCpu(const OneAwakeCpu&) = delete;
  OneAwakeCpu& operator=(const OneAwakeCpu&) = delete;

 private:
  cpu_set_t before_ = {};
  std::atomic<bool> stop_{false};
  std::thread spinner_;
};

}  // namespace kbench::e2e
