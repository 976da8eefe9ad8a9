// What an agent tells systemd (sd_notify, Type=notify): that it is ready, that it stops, and that
// it lives (WatchdogSec=). Without a service manager, nothing.
#pragma once

#include "base/clock.h"

namespace kbench {

void NotifyReady();
void NotifyStopping();
void NotifyAlive();

// How often the service manager wants to hear that we live: half of WatchdogSec. Zero: never.
Nanos AliveInterval();

}  // namespace kbench
