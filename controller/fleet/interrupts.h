// Ctrl-C, SIGTERM and `kbench cancel` as a count that whoever waits looks at:
//
//   1   stop: agents end the window, partial results are collected and kept, marked aborted
//   2   hard: nobody is waited for; what is finished is kept, marked aborted
//   3   the system's default: death at once. Runs that had finished stay recoverable.
#pragma once

#include <atomic>

namespace kbench {

struct Interrupts {
  std::atomic<int> count{0};
  std::atomic<int> signal{0};  // the first one: SIGINT or SIGTERM; 0: none, it was `kbench cancel`

  // From another terminal (controller/store/live_status.h): 1 or 2. Never takes back.
  void Ask(int wanted) {
    int now = count.load();
    while (now < wanted && !count.compare_exchange_weak(now, wanted)) {
    }
  }

  bool stop() const { return Reached(1); }
  bool hard() const { return Reached(2); }

 private:
  bool Reached(int n) const { return count.load(std::memory_order_relaxed) >= n; }
};

// Takes SIGINT and SIGTERM of this process from now on. The object lives as long as the process.
Interrupts& CatchInterrupts();

}  // namespace kbench
