// The estimators of the acceptance table, against answers that are known.

#include "tests/e2e/theil_sen.h"

#include <gtest/gtest.h>

#include <random>

namespace kbench::e2e {
namespace {

TEST(TheilSen, FindsALineExactly) {
  std::vector<Point> points;
  for (int x = 0; x < 6; ++x) {
    for (int i = 0; i < 6; ++i) points.push_back({x * 25.0, 40 + 0.75 * x * 25.0});
  }
  const Measured slope = TheilSen(points);
  EXPECT_DOUBLE_EQ(slope.value, 0.75);
  EXPECT_DOUBLE_EQ(slope.low, 0.75);
  EXPECT_DOUBLE_EQ(slope.high, 0.75);
}

TEST(TheilSen, IsNotDecidedByAFewDisturbedRuns) {
  std::vector<Point> points;
  for (int x = 0; x < 6; ++x) {
    for (int i = 0; i < 6; ++i) points.push_back({x * 1.0, x * 1.0 + 0.01 * i});
  }
  for (int i = 0; i < 6; ++i) points[static_cast<size_t>(30 + i)].y += i < 4 ? 1000 : 0;
  const Measured slope = TheilSen(points);
  EXPECT_NEAR(slope.value, 1, 0.02);
  EXPECT_GE(slope.high, slope.value);
  EXPECT_LE(slope.low, slope.value);
}

TEST(TheilSen, HasNoSlopeWithoutTwoDoses) {
  const Measured slope = TheilSen({{1, 2}, {1, 3}});
  EXPECT_EQ(slope.value, 0);
  EXPECT_EQ(slope.high, 0);
}

TEST(TheilSen, IntervalsCoverTheTruthAsOftenAsTheySay) {
  std::mt19937_64 random(20261126);
  std::normal_distribution<double> noise(0, 5);
  int covered = 0;
  constexpr int kTrials = 1000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<Point> points;
    for (int dose = 0; dose < 6; ++dose) {
      for (int i = 0; i < 6; ++i) points.push_back({dose * 40.0, dose * 40.0 + noise(random)});
    }
    const Measured slope = TheilSen(points);
    covered += slope.low <= 1 && 1 <= slope.high;
  }
  // Four deviations of a share of 0.95 in 1000 trials are 0.028.
  EXPECT_NEAR(covered / static_cast<double>(kTrials), 0.95, 0.028);
}

TEST(MedianOf, TakesTheTightestPairOfRanksThatCovers) {
  // By the binomial: 12 values cover by ranks 3 and 10 (96.1 %), 6 by their ends (96.9 %).
  const Measured twelve = MedianOf({12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6});
  EXPECT_DOUBLE_EQ(twelve.value, 6.5);
  EXPECT_DOUBLE_EQ(twelve.low, 3);
  EXPECT_DOUBLE_EQ(twelve.high, 10);
  const Measured six = MedianOf({1, 2, 3, 4, 5, 6});
  EXPECT_DOUBLE_EQ(six.low, 1);
  EXPECT_DOUBLE_EQ(six.high, 6);
  EXPECT_DOUBLE_EQ(MedianOf({3}).low, 3);
}

}  // namespace
}  // namespace kbench::e2e
