#include "agent/service/service_manager.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace kbench {

// Failures are the manager's: it has none, or does not listen.
void NotifyReady() { sd_notify(0, "READY=1"); }
void NotifyStopping() { sd_notify(0, "STOPPING=1"); }
void NotifyAlive() { sd_notify(0, "WATCHDOG=1"); }

Nanos AliveInterval() {
  uint64_t us = 0;
  if (sd_watchdog_enabled(0, &us) <= 0) return Nanos();
  return Micros(static_cast<int64_t>(us)) / 2;
}

}  // namespace kbench
