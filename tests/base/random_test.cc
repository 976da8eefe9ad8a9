#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kbench {
namespace {

TEST(Random, GivesTheSameStreamForTheSameSeed) {
  Random a(42), b(42), other(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t x = a.Next();
    EXPECT_EQ(x, b.Next());
    differs |= x != other.Next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, IsUniformWithinFourDeviations) {
  constexpr int kCells = 16, kDraws = 160'000;
  int seen[kCells] = {};
  Random random(1);
  for (int i = 0; i < kDraws; ++i) ++seen[random.Below(kCells)];
  const double expected = 1.0 * kDraws / kCells;
  for (int n : seen) EXPECT_NEAR(n, expected, 4 * std::sqrt(expected));
}

TEST(Random, ExponentialHasItsMeanWithinFourDeviations) {
  constexpr int kDraws = 100'000;
  Random random(2);
  double sum = 0;
  for (int i = 0; i < kDraws; ++i) sum += random.Exponential(5.0);
  EXPECT_NEAR(sum / kDraws, 5.0, 4 * 5.0 / std::sqrt(kDraws));
}

}  // namespace
}  // namespace kbench
