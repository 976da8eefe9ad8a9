// A host's clock that a test can step, as programs see it that are started while it is shown.
// Linux has no namespace for CLOCK_REALTIME, and the machine's own clock is not the test's.
#pragma once

#include <string>

#include "base/clock.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {

class SteppedClock {
 public:
  explicit SteppedClock(const TempDir& dir);

  // Programs that are started meanwhile have this clock, to their end.
  class Shown {
   public:
    explicit Shown(const SteppedClock& clock);
    ~Shown();
    Shown(const Shown&) = delete;
    Shown& operator=(const Shown&) = delete;
  };

  // From the machine's clock, at once.
  void Step(Nanos away) const;

 private:
  const std::string path_;
};

}  // namespace kbench::e2e
