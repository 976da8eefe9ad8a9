#include "agent/load/key_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

// (e^x - 1) / x and log(1 + x) / x, which are 1 at 0.
double ExpRatio(double x) { return std::fabs(x) > 1e-8 ? std::expm1(x) / x : 1 + x / 2; }
double LogRatio(double x) { return std::fabs(x) > 1e-8 ? std::log1p(x) / x : 1 - x / 2; }

}  // namespace

absl::StatusOr<KeyOrder> ParseKeyOrder(absl::string_view name) {
  // In the order of KeyOrder.
  static constexpr absl::string_view kNames[] = {"uniform", "sequential", "zipf", "latest",
                                                 "hotspot"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<KeyOrder>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no key order; there are uniform, sequential, zipf, latest and hotspot"));
}

ZipfRanks::ZipfRanks(uint64_t n, double theta)
    : n_(static_cast<double>(n)),
      theta_(theta),
      first_(Integral(1.5) - 1),
      last_(Integral(n_ + 0.5)),
      accept_(2 - Inverse(Integral(2.5) - Density(2))) {}

// Of Density(), up to a constant: (x^(1 - theta) - 1) / (1 - theta), log x where theta is 1.
double ZipfRanks::Integral(double x) const {
  const double log_x = std::log(x);
  return ExpRatio((1 - theta_) * log_x) * log_x;
}

double ZipfRanks::Inverse(double x) const {
  const double t = std::max(-1.0, x * (1 - theta_));  // rounding could take it below
  return std::exp(LogRatio(t) * x);
}

double ZipfRanks::Density(double x) const { return std::exp(-theta_ * std::log(x)); }

uint64_t ZipfRanks::Draw(Random* random) const {
  while (true) {
    const double u = last_ + random->Uniform() * (first_ - last_);
    const double x = Inverse(u);
    const double rank = std::clamp(std::floor(x + 0.5), 1.0, n_);
    if (rank - x <= accept_ || u >= Integral(rank + 0.5) - Density(rank)) {
      return static_cast<uint64_t>(rank) - 1;
    }
  }
}

Scramble::Scramble(uint64_t n) : n_(n), step_(1) {
  constexpr double kGolden = 0.6180339887498949;
  step_ = std::max<uint64_t>(1, static_cast<uint64_t>(kGolden * static_cast<double>(n)));
  while (std::gcd(step_, n_) != 1) ++step_;
}

SkewedKeys::SkewedKeys(const Options& options)
    : options_(options),
      hot_(std::clamp<uint64_t>(
          static_cast<uint64_t>(std::llround(options.hot_keys * static_cast<double>(options.keys))),
          1, options.keys)),
      zipf_(options.keys, options.zipf_theta),
      scramble_(options.keys),
      random_(options.seed) {}

uint64_t SkewedKeys::Draw(uint64_t next) {
  switch (options_.order) {
    case KeyOrder::kLatest: {
      const uint64_t back = zipf_.Draw(&random_) + 1;
      return (next + options_.keys - back) % options_.keys;
    }
    case KeyOrder::kHotspot: {
      const bool hot = random_.Uniform() < options_.hot_requests;
      const uint64_t others = options_.keys - hot_;
      if (hot || others == 0) return scramble_(random_.Below(hot_));
      return scramble_(hot_ + random_.Below(others));
    }
    default:
      return scramble_(zipf_.Draw(&random_));
  }
}

}  // namespace kbench
