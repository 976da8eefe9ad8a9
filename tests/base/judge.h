// Claims that only a machine that is left alone can keep: how long something took, how much came
// through, where a share of the time was. (What holds at any load is asserted as usual.)
//
//   const ForeignCpu others;
//   const double rate = Goodput();
//   JudgeWhenQuiet(rate >= 0.97e8, {.what = "goodput of a link of 100 Mbit/s",
//                                   .figure = absl::StrCat(rate), .bound = "at least 0.97e8"},
//                  others.Cpus());
//
// A claim that holds has held. One that does not is a failure where others used at most
// kForeignMost CPUs; where they used more it is one line, never silence:
//
//   not judged: Lab.CarriesItsRate: goodput of a link of 100 Mbit/s: 0.91e8, at least 0.97e8;
//   others used 1.70 CPUs
//
// The line goes to stdout and into the file that KBENCH_NOT_JUDGED names. ctest sets it; its last
// test, `not_judged`, is skipped when there are such lines, and `make check` prints them.
#pragma once

#include <string>

#include "tests/base/foreign_cpu.h"

namespace kbench {

struct Claim {
  std::string what;
  std::string figure;
  std::string bound;
};

// True when it holds.
bool JudgeWhenQuiet(bool holds, const Claim& claim, double foreign_cpus);

// Says that a claim was not judged, and why.
void NotJudged(const Claim& claim, const std::string& why);

// Claims of this process that were not judged so far.
int CountNotJudged();

}  // namespace kbench
