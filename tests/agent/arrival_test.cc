#include "agent/arrival.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace kbench {
namespace {

constexpr MonoTime kStart(1'000'000);

std::vector<MonoTime> Instants(const Arrival::Options& options, MonoTime end) {
  Arrival arrival(options);
  std::vector<MonoTime> all;
  for (; arrival.next() < end; arrival.Advance()) all.push_back(arrival.next());
  return all;
}

TEST(Arrival, ConstantNeverDrifts) {
  Arrival arrival({.rate = 3e6, .start = kStart});  // a period of 333.3 ns
  for (int i = 0; i < 3'000'000; ++i) arrival.Advance();
  EXPECT_EQ(arrival.next(), kStart + Seconds(1));
}

TEST(Arrival, PhasesInterleaveTheStreamsOfAnAgent) {
  // Four streams of 250/s make one of 1000/s.
  for (int i = 0; i < 4; ++i) {
    Arrival arrival({.rate = 250, .phase = i / 4.0, .start = kStart});
    EXPECT_EQ(arrival.next(), kStart + Millis(i));
    arrival.Advance();
    EXPECT_EQ(arrival.next(), kStart + Millis(4 + i));
  }
}

TEST(Arrival, PoissonHasItsRateAndItsSpreadWithinFourDeviations) {
  const auto all =
      Instants({.kind = ArrivalKind::kPoisson, .rate = 1000, .seed = 4, .start = kStart},
               kStart + Seconds(100));
  const double n = 100'000;
  EXPECT_NEAR(static_cast<double>(all.size()), n, 4 * std::sqrt(n));
  double sum = 0, squares = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    const double gap = (all[i] - all[i - 1]).seconds();
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / static_cast<double>(all.size() - 1);
  const double variance = squares / static_cast<double>(all.size() - 1) - mean * mean;
  // An exponential's deviation is its mean; the estimate's own is about sqrt(2/n) of it.
  EXPECT_NEAR(std::sqrt(variance) / mean, 1.0, 4 * std::sqrt(2 / n));
}

TEST(Arrival, PoissonIsAFunctionOfItsSeed) {
  const Arrival::Options options = {
      .kind = ArrivalKind::kPoisson, .rate = 1000, .seed = 4, .start = kStart};
  Arrival::Options other = options;
  other.seed = 5;
  EXPECT_EQ(Instants(options, kStart + Seconds(1)), Instants(options, kStart + Seconds(1)));
  EXPECT_NE(Instants(options, kStart + Seconds(1)), Instants(other, kStart + Seconds(1)));
}

}  // namespace
}  // namespace kbench
