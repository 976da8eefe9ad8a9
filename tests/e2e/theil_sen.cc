#include "tests/e2e/theil_sen.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

namespace kbench::e2e {
namespace {

constexpr double kZ95 = 1.959964;

double Middle(const std::vector<double>& sorted) {
  const size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

// The value at a rank from 1, with the ends for ranks beyond them.
double AtRank(const std::vector<double>& sorted, double rank) {
  const auto last = static_cast<double>(sorted.size());
  return sorted[static_cast<size_t>(std::clamp(rank, 1.0, last)) - 1];
}

}  // namespace

Measured TheilSen(const std::vector<Point>& points) {
  std::vector<double> slopes;
  std::map<double, double> ties;
  for (size_t i = 0; i < points.size(); ++i) {
    ++ties[points[i].x];
    for (size_t j = 0; j < i; ++j) {
      if (points[i].x == points[j].x) continue;
      slopes.push_back((points[i].y - points[j].y) / (points[i].x - points[j].x));
    }
  }
  if (slopes.empty()) return {};
  std::sort(slopes.begin(), slopes.end());
  const auto n = static_cast<double>(points.size());
  double variance = n * (n - 1) * (2 * n + 5);
  for (const auto& [x, t] : ties) variance -= t * (t - 1) * (2 * t + 5);
  const double reach = kZ95 * std::sqrt(variance / 18);
  const auto pairs = static_cast<double>(slopes.size());
  return {.value = Middle(slopes),
          .low = AtRank(slopes, std::floor((pairs - reach) / 2)),
          .high = AtRank(slopes, std::ceil((pairs + reach) / 2) + 1)};
}

Measured MedianOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  // Ranks r and n+1-r cover with 1 - 2 P(Binomial(n, 1/2) < r): the largest r that still does.
  const auto n = static_cast<double>(values.size());
  double below = 0, term = std::pow(0.5, n);
  double rank = 1;
  for (double r = 1; r <= n / 2; ++r) {
    below += term;  // P(X <= r - 1)
    term *= (n - r + 1) / r;
    if (2 * below > 0.05) break;
    rank = r;
  }
  return {
      .value = Middle(values), .low = AtRank(values, rank), .high = AtRank(values, n + 1 - rank)};
}

}  // namespace kbench::e2e
