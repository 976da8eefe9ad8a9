// What measuring costs: a cell's runs with probes against its runs without, repetition by
// repetition. And whether they changed what was measured: a client that waits or switches more, or
// less, often per request than without them is another client.
#pragma once

#include <string>
#include <vector>

#include "analysis/evidence/evidence.h"
#include "analysis/evidence/run_summary.h"
#include "analysis/evidence/statistics.h"

namespace kbench::analysis {

struct ProbeCost {
  Pass pass = Pass::kSampled;
  Ratio rate;             // requests per second, with probes / without
  Ratio response;         // mean response time
  Ratio cpu;              // of the client's workers, per request
  Ratio waits;            // per request
  Ratio switches;         // voluntary, per request
  std::string perturbed;  // why the parts of this pass are of another client; empty: they are not

  // "sampled: rate x 0.991 [0.985, 0.997], cpu/op x 1.012 [...]"
  std::string Sentence() const;
};

// What a pass may change before its parts are called perturbed: the 90 % interval of the ratio
// must reach into 1/(1 + x) ... 1 + x. Fewer than three pairs have no usable interval: then the
// ratio itself must stay within a factor of kGrossDrift.
inline constexpr double kDriftOfWaits = 0.05;
inline constexpr double kDriftOfRate = 0.03;
inline constexpr double kGrossDrift = 2;
// A quantity that was there once per so many requests without probes, and with them is below this
// share of that, has vanished.
inline constexpr double kPerRequestAtLeast = 0.1;
inline constexpr double kVanished = 0.05;

// One run of a cell, with the numbers of the op that it is about.
struct PassRun {
  int repetition = 0;
  Pass pass = Pass::kBare;
  const RunSummary* summary = nullptr;
  const OpSummary* op = nullptr;
};

// For each pass but the bare one that has repetitions in common with it; none without bare runs.
std::vector<ProbeCost> CostsOf(const std::vector<PassRun>& runs);

}  // namespace kbench::analysis
