// The lease between controller and agent. Each end of a control connection asks the other for a
// sign of life after kLeaseQuestion of silence, and takes it for gone when there is none for
// kLeaseAnswer: an agent whose controller is frozen or cut off stops its load, a controller stops
// waiting for such an agent. A link that is cut for 10 s during a run ends nothing.
#pragma once

#include "base/clock.h"

namespace kbench {

inline constexpr Nanos kLeaseQuestion = Seconds(5);
inline constexpr Nanos kLeaseAnswer = Seconds(15);

}  // namespace kbench
