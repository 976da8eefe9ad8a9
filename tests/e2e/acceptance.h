// One line of the table of acceptance (docs/measurement.md, "Ground truth"): what was injected,
// what was measured, how far off it may be. A line is printed, fails its test when it is outside,
// and is added as Markdown to the file that KBENCH_TABLE names: `make table` keeps it.
#pragma once

#include <string>

#include "tests/e2e/theil_sen.h"

namespace kbench::e2e {

struct Acceptance {
  std::string row;        // "1"
  std::string injection;  // "server busy 0 to 200 us, uring"
  std::string quantity;   // "slope of server"
  Measured measured;
  // Where the value has to be.
  double least = 0;
  double most = 0;
  std::string unit;         // "us", or empty
  double foreign_cpus = 0;  // that others used meanwhile
};

// Whether it is inside; a test failure when it is not. A line that was measured while others used
// more than kForeignMost CPUs is shown and, when it is outside, not judged (tests/base/judge.h):
// its campaign had three attempts to be quiet. In the table no such line passes.
bool Accept(const Acceptance& line);

}  // namespace kbench::e2e
