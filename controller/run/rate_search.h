// The highest rate at which an open loop holds what is asked of it.
//
//   bracket   from the first rate on: doubled while it holds, halved while it does not. A rate
//             that does not hold is tried twice
//   bisect    the geometric middle of the highest rate that held and the lowest that did not,
//             until they are `resolution` apart
//   confirm   a longer run with repetitions at the rate that is left; where that does not hold,
//             one step of the resolution lower, and again
//
// What a probe is, and what it found, is the caller's: here are only rates. Latency need not grow
// with the rate on every machine at every moment, so what is found is a rate that holds next to one
// that did not, and not a proof that nothing above holds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kbench {

struct RateProbe {
  double rate = 0;
  bool confirming = false;
  bool holds = false;
  std::vector<std::string> values;  // one sentence per gate
  std::string why;                  // it does not hold
  // What the agents say of themselves, where they may be the limit; empty: they are well.
  std::string client;
  std::string result;  // its result directory
};

struct RateSearchOptions {
  double from = 1000;        // the first rate, 1/s
  double least = 1;          // nothing below is tried
  double most = 10e6;        // nor above
  double resolution = 0.05;  // between the answer and a rate that did not hold, as a share
  int confirmations = 5;     // at most
};

// A status ends the search: the server is gone, the person pressed Ctrl-C.
using RunProbe = std::function<absl::StatusOr<RateProbe>(double rate, bool confirming)>;

struct RateAnswer {
  enum class Kind {
    kFound,         // `rate` is confirmed and `above` did not hold
    kMost,          // `rate` is confirmed, and is the most that was to be tried
    kClient,        // as kFound, but it was the client that could not do `above`
    kNothingHolds,  // not even the least rate
    kUnconfirmed,   // rates held in short runs and none of them in a longer one
    kBroken,        // `status` ended it
  };
  Kind kind = Kind::kBroken;
  absl::Status status;
  double rate = 0;                // 0: none
  double above = 0;               // the lowest rate above it that did not hold; 0: none
  std::string stopped_by;         // why `above` did not hold
  std::string client;             // what the agents said of themselves at `above`
  std::vector<RateProbe> probes;  // in the order in which they ran
};

// "found", "most", "client", "nothing_holds", "unconfirmed", "broken".
const char* Name(RateAnswer::Kind kind);

// As a campaign takes it, with at most four digits: what is told is what was run.
double RoundedRate(double rate);
std::string RateText(double rate);  // "4125/s"

RateAnswer SearchRate(const RateSearchOptions& options, const RunProbe& run);

}  // namespace kbench
