// Statistics whose unit is the run. A request is never the unit: requests of one run share its
// connections, its scheduling and its luck, and tests that treat them as independent find
// "significant" differences between identical configurations most of the time.
//
//   Estimate   median over repetitions, with a 95 % percentile-bootstrap interval from 3 on
//   Ratio      of two configurations, on the log scale, with a 90 % Student interval: paired by
//              block within a campaign, Welch's between campaigns
//   Verdict    of a ratio against a margin: two one-sided tests (Schuirmann 1987) at 5 %, that is
//              the 90 % interval inside the margin; differences after Holm's correction (1979)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kbench::analysis {

struct Interval {
  double low = 0;
  double high = 0;
};

// True when at least one of `n` values lies beyond percentile `p` (0 <= p < 100): with fewer, the
// percentile is the maximum under another name, and reports show none. At least one value for p 0.
bool CarriesPercentile(uint64_t n, double p);

// Zero for no values; the mean of the two middle ones for an even number.
double Median(std::vector<double> values);

inline constexpr int kRepetitionsForInterval = 3;
inline constexpr int kBootstrapResamples = 2000;
inline constexpr uint64_t kBootstrapSeed = 20261123;

struct Estimate {
  double value = 0;                  // the median
  std::optional<Interval> interval;  // absent below kRepetitionsForInterval repetitions
  std::vector<double> values;        // one per repetition, in the order of the repetitions

  int n() const { return static_cast<int>(values.size()); }
};

// The same values and seed give the same interval on every machine.
Estimate MedianOverRepetitions(std::vector<double> values, uint64_t seed = kBootstrapSeed);

// The most that any interval between order statistics can cover of a median: 1 - 2^(1-n).
double BestMedianCoverage(int n);

// Student's t with `df` > 0 degrees of freedom, which need not be whole.
double StudentCdf(double t, double df);
double StudentQuantile(double p, double df);

// candidate / base, with its 90 % interval and the two-sided p value of "the ratio is 1".
struct Ratio {
  double ratio = 1;
  std::optional<Interval> interval;  // absent below two pairs, or two values on either side
  double p = 1;
  double log_sd = 0;  // of one log ratio (paired), or of the pooled logs times sqrt(2)
  int n = 0;          // pairs; between campaigns the smaller number of repetitions
};

// Values that are not positive have no logarithm: a pair or value with one is left out, and counts
// neither in n nor in the estimate.
Ratio PairedRatio(const std::vector<double>& base, const std::vector<double>& candidate);
Ratio WelchRatio(const std::vector<double>& base, const std::vector<double>& candidate);

// Holm's step-down adjusted p values, in the order given.
std::vector<double> HolmAdjusted(const std::vector<double>& p);

enum class Verdict { kEquivalent, kSmallDifference, kDifferent, kInconclusive };
absl::string_view Name(Verdict verdict);

inline constexpr double kMargin = 0.05;  // ratios from 1/1.05 to 1.05 are "the same for us"
inline constexpr double kAlpha = 0.05;
// A claim of equivalence from fewer runs would rest on a spread that was estimated from next to
// nothing.
inline constexpr int kRepetitionsForEquivalence = 5;
inline constexpr int kRepetitionsForDifference = 3;

struct RatioVerdict {
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;          // of an inconclusive verdict
  int repetitions_needed = 0;  // of an inconclusive one: about this many in all; 0: not known
};

RatioVerdict Judge(const Ratio& ratio, double adjusted_p);

}  // namespace kbench::analysis
