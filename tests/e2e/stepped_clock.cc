#include "tests/e2e/stepped_clock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/fd.h"

namespace kbench::e2e {

SteppedClock::SteppedClock(const TempDir& dir)
    : path_(dir.Write("clock-step", std::string(sizeof(int64_t), '\0'))) {}

SteppedClock::Shown::Shown(const SteppedClock& clock) {
  setenv("LD_PRELOAD", KBENCH_STEPPED_CLOCK_LIBRARY, 1);
  setenv("KBENCH_STEPPED_CLOCK", clock.path_.c_str(), 1);
  // A program with the address sanitizer in it would rather not start behind another library.
  setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
}

SteppedClock::Shown::~Shown() {
  unsetenv("LD_PRELOAD");
  unsetenv("KBENCH_STEPPED_CLOCK");
}

void SteppedClock::Step(Nanos away) const {
  const Fd file(open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  const int64_t step = away.count();
  EXPECT_EQ(pwrite(file.get(), &step, sizeof(step), 0), static_cast<ssize_t>(sizeof(step)));
}

}  // namespace kbench::e2e
