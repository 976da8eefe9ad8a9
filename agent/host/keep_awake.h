// Keeps this process' CPUs out of their idle states for as long as it lives: on each, a thread of
// the lowest class (SCHED_IDLE), which every other task preempts at once. A CPU that sleeps between
// requests wakes tens of microseconds late, the later the longer it slept: with it, what a request
// takes depends on how long nothing happened before. That is a true effect of a host, and in the
// way where injected delays are to be found again.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace kbench {

class KeepAwake {
 public:
  KeepAwake();
  ~KeepAwake();
  KeepAwake(const KeepAwake&) = delete;
  KeepAwake& operator=(const KeepAwake&) = delete;

  int cpus() const { return static_cast<int>(spinners_.size()); }

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> spinners_;
};

}  // namespace kbench
