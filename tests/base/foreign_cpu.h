// How much of this machine others use: all busy CPU time less that of this process and what it
// started. Interrupt time has no owner and is left out; stolen time counts as another's.
//
// The one reason for which a measurement may be repeated or left out is that this was too much,
// judged before anybody looks at what was measured.
#pragma once

#include <chrono>

namespace kbench {

// Above this many CPUs a measurement was disturbed.
inline constexpr double kForeignMost = 0.35;

class ForeignCpu {
 public:
  ForeignCpu() { Restart(); }
  void Restart();
  // CPUs that others used on average since the last Restart(); one tick of the kernel's clock
  // (10 ms of CPU) is its grain, so look at times of a second or more.
  double Cpus() const;

 private:
  struct Reading {
    std::chrono::steady_clock::time_point at;
    double all_s = 0;
    double own_s = 0;
  };
  static Reading Read();

  Reading begin_;
};

}  // namespace kbench
