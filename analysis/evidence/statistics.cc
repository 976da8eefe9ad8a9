#include "analysis/evidence/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/random.h"

namespace kbench::analysis {
namespace {

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Variance(const std::vector<double>& values) {
  const double mean = Mean(values);
  double sum = 0;
  for (double v : values) sum += (v - mean) * (v - mean);
  return sum / static_cast<double>(values.size() - 1);
}

std::vector<double> Logs(const std::vector<double>& values) {
  std::vector<double> logs;
  for (double v : values) {
    if (v > 0) logs.push_back(std::log(v));
  }
  return logs;
}

// Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
double BetaFraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  double c = 1;
  double d = 1 / std::max(kTiny, 1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m < 500; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1;
    for (double step : {even, odd}) {
      d = 1 + step * d;
      c = 1 + step / c;
      if (std::fabs(d) < kTiny) d = kTiny;
      if (std::fabs(c) < kTiny) c = kTiny;
      d = 1 / d;
      factor = c * d;
      result *= factor;
    }
    if (std::fabs(factor - 1) < 1e-15) break;
  }
  return result;
}

double IncompleteBeta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side only; the function is symmetric.
  if (x > (a + 1) / (a + b + 2)) return 1 - IncompleteBeta(1 - x, b, a);
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  return front * BetaFraction(x, a, b) / a;
}

// Estimate, interval and p of a log difference `delta` with standard error `error`.
void Fill(double delta, double error, double df, Ratio* out) {
  out->ratio = std::exp(delta);
  const double reach = error == 0 ? 0 : StudentQuantile(0.95, df) * error;
  out->interval = Interval{std::exp(delta - reach), std::exp(delta + reach)};
  if (error == 0) {
    out->p = delta == 0 ? 1 : 0;
  } else {
    out->p = 2 * StudentCdf(-std::fabs(delta) / error, df);
  }
}

}  // namespace

bool CarriesPercentile(uint64_t n, double p) {
  // 1000 requests have one beyond p99.9, though 1 - 0.999 is a little less than 0.001.
  return static_cast<double>(n) * (1 - p / 100) >= 1 - 1e-6;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

Estimate MedianOverRepetitions(std::vector<double> values, uint64_t seed) {
  Estimate estimate;
  estimate.value = Median(values);
  estimate.values = std::move(values);
  const size_t n = estimate.values.size();
  if (estimate.n() < kRepetitionsForInterval) return estimate;
  Random random(seed);
  std::vector<double> medians(kBootstrapResamples);
  std::vector<double> resample(n);
  for (double& median : medians) {
    for (double& v : resample) v = estimate.values[random.Below(n)];
    median = Median(resample);
  }
  std::sort(medians.begin(), medians.end());
  const int tail = kBootstrapResamples / 40;  // 2.5 %
  estimate.interval = Interval{medians[tail], medians[kBootstrapResamples - 1 - tail]};
  return estimate;
}

double BestMedianCoverage(int n) { return n < 1 ? 0 : 1 - std::pow(2.0, 1 - n); }

double StudentCdf(double t, double df) {
  const double tail = 0.5 * IncompleteBeta(df / (df + t * t), df / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

double StudentQuantile(double p, double df) {
  double low = -1, high = 1;
  while (StudentCdf(low, df) > p) low *= 2;
  while (StudentCdf(high, df) < p) high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (StudentCdf(middle, df) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

Ratio PairedRatio(const std::vector<double>& base, const std::vector<double>& candidate) {
  std::vector<double> deltas;
  for (size_t i = 0; i < std::min(base.size(), candidate.size()); ++i) {
    if (base[i] > 0 && candidate[i] > 0) deltas.push_back(std::log(candidate[i] / base[i]));
  }
  Ratio out;
  out.n = static_cast<int>(deltas.size());
  if (deltas.empty()) return out;
  out.ratio = std::exp(Mean(deltas));
  if (out.n < 2) return out;
  out.log_sd = std::sqrt(Variance(deltas));
  Fill(Mean(deltas), out.log_sd / std::sqrt(out.n), out.n - 1, &out);
  return out;
}

Ratio WelchRatio(const std::vector<double>& base, const std::vector<double>& candidate) {
  const std::vector<double> a = Logs(base);
  const std::vector<double> b = Logs(candidate);
  Ratio out;
  out.n = static_cast<int>(std::min(a.size(), b.size()));
  if (out.n == 0) return out;
  const double delta = Mean(b) - Mean(a);
  out.ratio = std::exp(delta);
  if (out.n < 2) return out;
  const double na = static_cast<double>(a.size());
  const double nb = static_cast<double>(b.size());
  const double va = Variance(a) / na;
  const double vb = Variance(b) / nb;
  out.log_sd = std::sqrt(Variance(a) + Variance(b));
  // Welch-Satterthwaite.
  const double df = va + vb == 0
                        ? na + nb - 2
                        : (va + vb) * (va + vb) / (va * va / (na - 1) + vb * vb / (nb - 1));
  Fill(delta, std::sqrt(va + vb), df, &out);
  return out;
}

std::vector<double> HolmAdjusted(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double floor = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    floor = std::max(floor, std::min(1.0, p[order[i]] * static_cast<double>(p.size() - i)));
    adjusted[order[i]] = floor;
  }
  return adjusted;
}

absl::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kEquivalent:
      return "equivalent";
    case Verdict::kSmallDifference:
      return "different but small";
    case Verdict::kDifferent:
      return "different";
    case Verdict::kInconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

RatioVerdict Judge(const Ratio& ratio, double adjusted_p) {
  RatioVerdict out;
  if (!ratio.interval || ratio.n < kRepetitionsForDifference) {
    out.reason = absl::StrCat(ratio.n, ratio.n == 1 ? " repetition" : " repetitions",
                              ": not enough for a verdict");
    out.repetitions_needed = kRepetitionsForEquivalence;
    return out;
  }
  const Interval& ci = *ratio.interval;
  const bool inside = ci.low > 1 / (1 + kMargin) && ci.high < 1 + kMargin;
  const bool excludes_one = ci.low > 1 || ci.high < 1;
  if (inside && ratio.n >= kRepetitionsForEquivalence) {
    const bool differs = excludes_one && adjusted_p < kAlpha;
    out.verdict = differs ? Verdict::kSmallDifference : Verdict::kEquivalent;
    return out;
  }
  if (!inside && excludes_one && adjusted_p < kAlpha) {
    out.verdict = Verdict::kDifferent;
    return out;
  }
  if (inside) {
    out.reason = absl::StrCat("inside the margin, but ", ratio.n,
                              " repetitions: not enough to call equivalence");
  } else if (excludes_one) {
    out.reason = "a difference, but not after allowing for the number of comparisons";
  } else {
    out.reason = "the interval holds both 1 and ratios outside the margin";
  }
  // For 95 % power when the true ratio is 1: 2.5 % may be missed on either side
  // (docs/measurement.md, "Verdicts").
  const double reach = (1.645 + 1.960) * ratio.log_sd / std::log1p(kMargin);
  out.repetitions_needed = std::max({kRepetitionsForEquivalence, ratio.n + 1,
                                     static_cast<int>(std::ceil(std::min(1e6, reach * reach)))});
  return out;
}

}  // namespace kbench::analysis
