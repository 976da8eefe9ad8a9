// Watches the host during a run's window, ten times a second, on a thread of its own: never on a
// worker's.
#pragma once

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/host/host_use.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace kbench {

class HostMonitor {
 public:
  static constexpr Nanos kStep = Millis(100);

  struct Options {
    std::optional<SocketAddress> server;  // its link is watched; none: no link
    std::vector<uint32_t> cpus;           // whose idle state is told
    MonoTime from;
    MonoTime until;
  };

  explicit HostMonitor(Options options);
  ~HostMonitor();

  // Ends the watch: now, if the window is not over. What was seen from its first look to its last.
  HostUse Finish();

 private:
  void Watch();
  void Look();
  void Stop();
  // False: told to stop before.
  bool WaitUntil(MonoTime when);

  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // The thread's own until it is joined:
  HostUse use_;
  std::optional<LinkWatch> link_;
  MonoTime first_at_, last_at_;
  CpuTimes first_times_, last_times_;
  Nanos first_own_, last_own_;
  std::optional<Nanos> first_pressure_, last_pressure_;
  std::thread thread_;
};

}  // namespace kbench
