#include "controller/run/warm_up.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace kbench {

void WarmUpWatch::Take(size_t agent, const result::Interval& interval) {
  const size_t number = of_agent_[agent]++;
  if (sums_.size() <= number) sums_.resize(number + 1);
  Sum& sum = sums_[number];
  sum.completed += interval.completed();
  sum.length = std::max(sum.length, Nanos(interval.length_ns()));
  if (interval.length_ns() > 0) {
    sum.rate +=
        static_cast<double>(interval.completed()) * 1e9 / static_cast<double>(interval.length_ns());
  }
}

size_t WarmUpWatch::whole() const { return *std::min_element(of_agent_.begin(), of_agent_.end()); }

uint64_t WarmUpWatch::completed() const {
  uint64_t completed = 0;
  for (size_t i = 0; i < whole(); ++i) completed += sums_[i].completed;
  return completed;
}

Nanos WarmUpWatch::length() const {
  Nanos length;
  for (size_t i = 0; i < whole(); ++i) length += sums_[i].length;
  return length;
}

double WarmUpWatch::variation() const {
  const size_t upto = whole();
  if (upto < kIntervals) return std::numeric_limits<double>::infinity();
  double sum = 0, squares = 0;
  for (size_t i = upto - kIntervals; i < upto; ++i) {
    sum += sums_[i].rate;
  }
  const double mean = sum / kIntervals;
  for (size_t i = upto - kIntervals; i < upto; ++i) {
    squares += (sums_[i].rate - mean) * (sums_[i].rate - mean);
  }
  if (mean <= 0) return std::numeric_limits<double>::infinity();
  return std::sqrt(squares / (kIntervals - 1)) / mean;
}

bool WarmUpWatch::over() const {
  if (options_.ops > 0) return completed() >= static_cast<uint64_t>(options_.ops);
  return variation() <= options_.steady;
}

std::string WarmUpWatch::Describe() const {
  std::string text = absl::StrFormat("%.1f s and %d good answers", length().seconds(), completed());
  if (whole() >= kIntervals && std::isfinite(variation())) {
    absl::StrAppendFormat(&text, ", coefficient of variation %.1f %% over the last %d intervals",
                          100 * variation(), kIntervals);
  }
  return text;
}

}  // namespace kbench
