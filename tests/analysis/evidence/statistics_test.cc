// Statistics against closed forms, printed tables, and simulation with stated bounds.
#include "analysis/evidence/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/random.h"

namespace kbench::analysis {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Median, IsTheMiddleOrTheMeanOfTheTwoMiddleValues) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({7}), 7);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({4, 1, 3, 100}), 3.5);
}

TEST(MedianOverRepetitions, HasNoIntervalBelowThreeRepetitions) {
  EXPECT_FALSE(MedianOverRepetitions({}).interval.has_value());
  EXPECT_FALSE(MedianOverRepetitions({1}).interval.has_value());
  EXPECT_FALSE(MedianOverRepetitions({1, 2}).interval.has_value());
  EXPECT_TRUE(MedianOverRepetitions({1, 2, 3}).interval.has_value());
}

TEST(MedianOverRepetitions, KeepsTheOrderOfItsRepetitions) {
  const Estimate e = MedianOverRepetitions({30, 10, 20});
  EXPECT_EQ(e.value, 20);
  EXPECT_EQ(e.n(), 3);
  EXPECT_THAT(e.values, ElementsAre(30, 10, 20));
}

// With 3 (5) values the chance that a resample's median is the smallest is 7/27 (5.8 %): more than
// the 2.5 % in each tail, so the interval reaches from the smallest to the largest.
TEST(MedianOverRepetitions, OfFewValuesSpansThemAll) {
  for (const std::vector<double>& values :
       {std::vector<double>{3, 1, 2}, std::vector<double>{50, 10, 40, 20, 30}}) {
    const Estimate e = MedianOverRepetitions(values);
    EXPECT_EQ(e.interval->low, *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(e.interval->high, *std::max_element(values.begin(), values.end()));
  }
}

TEST(MedianOverRepetitions, OfManyValuesIsNarrowerThanTheirRange) {
  std::vector<double> values(41);
  for (int i = 0; i < 41; ++i) values[i] = i;
  const Estimate e = MedianOverRepetitions(values);
  // The order statistics 14 and 28 of 41 hold the median with at least 95 % (binomial); the
  // bootstrap's are near them.
  EXPECT_THAT(e.interval->low, DoubleNear(13, 2));
  EXPECT_THAT(e.interval->high, DoubleNear(27, 2));
}

TEST(MedianOverRepetitions, IsReproducibleAndUsesItsSeed) {
  Random random(3);
  std::vector<double> values(100);
  for (double& v : values) v = random.Uniform();
  const auto low = [&](uint64_t seed) { return MedianOverRepetitions(values, seed).interval->low; };
  EXPECT_EQ(low(1), low(1));
  bool differs = false;
  for (uint64_t seed = 2; seed < 10; ++seed) differs |= low(seed) != low(1);
  EXPECT_TRUE(differs);
}

TEST(MedianOverRepetitions, OfEqualValuesIsAPoint) {
  const Estimate e = MedianOverRepetitions({4, 4, 4, 4});
  EXPECT_EQ(e.interval->low, 4);
  EXPECT_EQ(e.interval->high, 4);
}

double SimulatedCoverage(int n, int trials, uint64_t seed) {
  Random random(seed);
  const double truth = std::numbers::ln2;  // the median of an exponential with mean 1
  int held = 0;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> values(n);
    for (double& v : values) v = random.Exponential(1);
    const Interval ci = *MedianOverRepetitions(values).interval;
    held += ci.low <= truth && truth <= ci.high;
  }
  return static_cast<double>(held) / trials;
}

TEST(MedianOverRepetitions, CoversAsOftenAsTheCaveatAboutItSays) {
  constexpr int kTrials = 600;
  for (int n : {3, 5}) {  // the interval is the range: its coverage is known exactly
    const double exact = BestMedianCoverage(n);
    EXPECT_NEAR(SimulatedCoverage(n, kTrials, 11), exact,
                4 * std::sqrt(exact * (1 - exact) / kTrials))  // four deviations
        << n;
  }
  // From about ten on it is what it is called, a little less for its being a bootstrap.
  EXPECT_NEAR(SimulatedCoverage(15, kTrials, 12), 0.95, 4 * std::sqrt(0.95 * 0.05 / kTrials));
}

TEST(BestMedianCoverage, IsOneMinusTheChanceThatAllLieOnOneSide) {
  EXPECT_EQ(BestMedianCoverage(0), 0);
  EXPECT_EQ(BestMedianCoverage(1), 0);
  EXPECT_EQ(BestMedianCoverage(3), 0.75);
  EXPECT_EQ(BestMedianCoverage(5), 0.9375);
}

TEST(Student, CdfHasItsClosedFormsForOneAndTwoDegrees) {
  for (double t : {-40.0, -2.0, -0.3, 0.0, 0.7, 5.0, 300.0}) {
    EXPECT_NEAR(StudentCdf(t, 1), 0.5 + std::atan(t) / std::numbers::pi, 1e-12) << t;
    EXPECT_NEAR(StudentCdf(t, 2), 0.5 + t / (2 * std::sqrt(2 + t * t)), 1e-12) << t;
  }
}

TEST(Student, QuantilesAreThoseOfTheTables) {
  EXPECT_NEAR(StudentQuantile(0.95, 2), 2.919986, 1e-6);
  EXPECT_NEAR(StudentQuantile(0.95, 4), 2.131847, 1e-6);
  EXPECT_NEAR(StudentQuantile(0.975, 10), 2.228139, 1e-6);
  EXPECT_NEAR(StudentQuantile(0.975, 1), 12.706205, 1e-6);
  EXPECT_NEAR(StudentQuantile(0.95, 1e6), 1.644855, 1e-5);  // the normal's
  EXPECT_NEAR(StudentQuantile(0.05, 4), -2.131847, 1e-6);
}

TEST(PairedRatio, IsTheGeometricMeanOfTheRatiosWithStudentsInterval) {
  const Ratio r =
      PairedRatio({1, 10, 100}, {std::exp(0.1), 10 * std::exp(0.2), 100 * std::exp(0.3)});
  EXPECT_EQ(r.n, 3);
  EXPECT_NEAR(r.ratio, std::exp(0.2), 1e-12);
  EXPECT_NEAR(r.log_sd, 0.1, 1e-12);
  const double reach = 2.919986 * 0.1 / std::sqrt(3);
  EXPECT_NEAR(r.interval->low, std::exp(0.2 - reach), 1e-6);
  EXPECT_NEAR(r.interval->high, std::exp(0.2 + reach), 1e-6);
  EXPECT_NEAR(r.p, 0.0741799, 1e-6);  // two-sided, t = 2 sqrt(3), 2 degrees
}

TEST(PairedRatio, TakesOutWhatBlocksShare) {
  // Blocks differ tenfold, the ratio within each is 1.10: paired sees it, unpaired cannot.
  const std::vector<double> base = {100, 1000, 300, 30, 3000};
  std::vector<double> candidate = base;
  for (double& v : candidate) v *= 1.1;
  EXPECT_LT(PairedRatio(base, candidate).p, 1e-6);
  EXPECT_GT(WelchRatio(base, candidate).p, 0.5);
}

TEST(PairedRatio, LeavesOutPairsWithoutALogarithmAndCountsThemNowhere) {
  const Ratio r = PairedRatio({1, 0, 1, -2}, {2, 2, 2, 2});
  EXPECT_EQ(r.n, 2);
  EXPECT_NEAR(r.ratio, 2, 1e-12);
  EXPECT_EQ(PairedRatio({}, {}).n, 0);
  EXPECT_FALSE(PairedRatio({1}, {2}).interval.has_value());
}

TEST(WelchRatio, AllowsForUnequalSpreads) {
  const Ratio r = WelchRatio({1, std::exp(0.2)}, {std::exp(0.3), std::exp(0.5), std::exp(0.7)});
  EXPECT_EQ(r.n, 2);
  EXPECT_NEAR(r.ratio, std::exp(0.4), 1e-12);
  const double va = 0.02 / 2, vb = 0.04 / 3, error = std::sqrt(va + vb);
  const double df = (va + vb) * (va + vb) / (va * va / 1 + vb * vb / 2);
  const double reach = StudentQuantile(0.95, df) * error;
  EXPECT_NEAR(df, 2.8824, 1e-4);
  EXPECT_NEAR(r.interval->low, std::exp(0.4 - reach), 1e-9);
  EXPECT_NEAR(r.interval->high, std::exp(0.4 + reach), 1e-9);
  EXPECT_NEAR(r.p, 2 * StudentCdf(-0.4 / error, df), 1e-12);
}

TEST(HolmAdjusted, MultipliesStepByStepAndNeverDecreases) {
  EXPECT_THAT(HolmAdjusted({0.01, 0.04, 0.03, 0.005}),
              ElementsAre(DoubleNear(0.03, 1e-12), DoubleNear(0.06, 1e-12), DoubleNear(0.06, 1e-12),
                          DoubleNear(0.02, 1e-12)));
  EXPECT_THAT(HolmAdjusted({0.9, 0.8}), ElementsAre(1, 1));
  EXPECT_TRUE(HolmAdjusted({}).empty());
}

Ratio RatioOf(double low, double high, int n, double log_sd = 0.01) {
  Ratio r;
  r.ratio = std::sqrt(low * high);
  r.interval = Interval{low, high};
  r.n = n;
  r.log_sd = log_sd;
  return r;
}

TEST(Judge, GivesTheFourVerdictsByTheIntervalAndTheMargin) {
  EXPECT_EQ(Judge(RatioOf(0.98, 1.02, 5), 0.9).verdict, Verdict::kEquivalent);
  EXPECT_EQ(Judge(RatioOf(1.01, 1.03, 5), 0.01).verdict, Verdict::kSmallDifference);
  EXPECT_EQ(Judge(RatioOf(1.06, 1.12, 5), 0.01).verdict, Verdict::kDifferent);
  EXPECT_EQ(Judge(RatioOf(0.85, 0.93, 5), 0.01).verdict, Verdict::kDifferent);
  EXPECT_EQ(Judge(RatioOf(0.93, 1.12, 5), 0.5).verdict, Verdict::kInconclusive);
}

TEST(Judge, TheMarginIsARatioInBothDirections) {
  EXPECT_EQ(Judge(RatioOf(1 / 1.0499, 1.0499, 5), 0.9).verdict, Verdict::kEquivalent);
  EXPECT_EQ(Judge(RatioOf(0.951, 1.01, 5), 0.9).verdict, Verdict::kInconclusive);  // below 1/1.05
  EXPECT_EQ(Judge(RatioOf(0.99, 1.0501, 5), 0.9).verdict, Verdict::kInconclusive);
}

TEST(Judge, NeedsThreeRepetitionsForADifferenceAndFiveForEquivalence) {
  EXPECT_THAT(Judge(RatioOf(1.2, 1.3, 2), 0.001).reason, HasSubstr("2 repetitions"));
  EXPECT_EQ(Judge(RatioOf(1.2, 1.3, 3), 0.001).verdict, Verdict::kDifferent);
  const RatioVerdict four = Judge(RatioOf(0.99, 1.01, 4), 0.9);
  EXPECT_EQ(four.verdict, Verdict::kInconclusive);
  EXPECT_THAT(four.reason, HasSubstr("not enough to call equivalence"));
  EXPECT_GE(four.repetitions_needed, 5);
  EXPECT_EQ(Judge(Ratio{}, 1).verdict, Verdict::kInconclusive);
}

TEST(Judge, ADifferenceMustSurviveTheNumberOfComparisons) {
  EXPECT_EQ(Judge(RatioOf(1.06, 1.20, 5), 0.049).verdict, Verdict::kDifferent);
  const RatioVerdict v = Judge(RatioOf(1.06, 1.20, 5), 0.051);
  EXPECT_EQ(v.verdict, Verdict::kInconclusive);
  EXPECT_THAT(v.reason, HasSubstr("number of comparisons"));
}

TEST(Judge, AsksForMoreRepetitionsTheMoreTheyScatter) {
  const int calm = Judge(RatioOf(0.94, 1.06, 5, 0.05), 0.9).repetitions_needed;
  const int wild = Judge(RatioOf(0.80, 1.20, 5, 0.20), 0.9).repetitions_needed;
  EXPECT_EQ(calm, 14);   // (3.605 * 0.05 / ln 1.05)^2 = 13.6
  EXPECT_EQ(wild, 219);  // sixteen times that, 218.3
}

}  // namespace
}  // namespace kbench::analysis
