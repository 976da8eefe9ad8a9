// What a campaign promises of its cells: "p99(get) < 2ms". The words are read in
// controller/campaign/gate_syntax; whether it holds is said in analysis/verdict/gates.
#pragma once

#include <string>

namespace kbench::analysis {

struct Gate {
  enum class What {
    kPercentile,         // of response time, ns
    kServicePercentile,  // of service time, ns
    kMean,               // of response time, ns
    kMax,                // of response time, ns
    kErrors,             // (failed + lost) / sent
    kUnsent,             // unsent / due
    kAchieved,           // good answers decoded in the window / requests due in it
    kRate,               // good answers per second
  };

  std::string text;  // canonical: "p99(get) < 2ms"
  What what = What::kPercentile;
  double percentile = 0;
  std::string op;      // "all": of all operations together
  bool below = true;   // the value is to be below the bound, else above it
  bool strict = true;  // and not to be the bound itself
  double bound = 0;    // ns, share or 1/s

  bool Holds(double value) const {
    if (value == bound) return !strict;
    return below ? value < bound : value > bound;
  }
};

}  // namespace kbench::analysis
