// A step that blocks, with an end: it runs on a thread of its own, and when its time is up or the
// person stops the program, it is cancelled.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "controller/fleet/interrupts.h"

namespace kbench {

// What `step` gives; DeadlineExceeded, naming `what`, when it took longer than `timeout`; Cancelled
// after an interrupt. `cancel`, called from the caller's thread, must make the step return.
absl::Status RunBounded(absl::string_view what, Nanos timeout, const Interrupts* interrupts,
                        const std::function<absl::Status()>& step,
                        const std::function<void()>& cancel);

}  // namespace kbench
