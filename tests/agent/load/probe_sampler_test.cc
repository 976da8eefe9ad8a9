#include "agent/load/probe_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace kbench {
namespace {

TEST(ProbeSampler, TakesEveryRequestOrNone) {
  ProbeSampler all(1, 7), none(0, 7);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(all.Next());
    EXPECT_FALSE(none.Next());
  }
}

TEST(ProbeSampler, TakesOneInNOnAverageAtAnyDistanceUpToTwiceThat) {
  constexpr int kEvery = 8, kRequests = 400'000;
  ProbeSampler sampler(kEvery, 11);
  std::set<int> distances;
  int taken = 0, last = -1;
  for (int i = 0; i < kRequests; ++i) {
    if (!sampler.Next()) continue;
    distances.insert(i - last);
    last = i;
    ++taken;
  }
  // Distances are uniform over 1..15: mean 8, variance 56 / 3. Four deviations of a renewal count.
  const double expected = static_cast<double>(kRequests) / kEvery;
  EXPECT_NEAR(taken, expected, 4 * std::sqrt(expected * 56.0 / 3 / (kEvery * kEvery)));
  EXPECT_EQ(distances.size(), 2u * kEvery - 1);
  EXPECT_EQ(*distances.begin(), 1);
  EXPECT_EQ(*distances.rbegin(), 2 * kEvery - 1);
}

TEST(ProbeSampler, IsTheSameForTheSameSeed) {
  ProbeSampler one(5, 3), same(5, 3), other(5, 4);
  int differ = 0;
  for (int i = 0; i < 1000; ++i) {
    const bool probed = one.Next();
    EXPECT_EQ(probed, same.Next());
    differ += probed != other.Next();
  }
  EXPECT_GT(differ, 0);
}

}  // namespace
}  // namespace kbench
