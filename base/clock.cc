#include "base/clock.h"

namespace kbench {

ClockPair ReadClockPair() {
  ClockPair best;
  for (int i = 0; i < 8; ++i) {
    const MonoTime before = MonoNow();
    const RealTime real = RealNow();
    const MonoTime after = MonoNow();
    const Nanos width = after - before;
    if (i == 0 || width < best.error) {
      best = {.mono = before + width / 2, .real = real, .error = width};
    }
  }
  return best;
}

}  // namespace kbench
