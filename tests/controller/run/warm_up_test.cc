#include "controller/run/warm_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

result::Interval Second(uint64_t completed) {
  result::Interval interval;
  interval.set_completed(completed);
  interval.set_length_ns(1'000'000'000);
  return interval;
}

TEST(WarmUp, EndsAfterSoManyRequestsOfAllAgents) {
  WarmUpWatch watch({.agents = 2, .ops = 1000});
  watch.Take(0, Second(600));
  watch.Take(0, Second(600));
  EXPECT_FALSE(watch.over()) << "the other agent has said nothing: its interval is not known";
  watch.Take(1, Second(300));
  EXPECT_FALSE(watch.over());
  EXPECT_EQ(watch.completed(), 900u);
  watch.Take(1, Second(300));
  EXPECT_TRUE(watch.over());
  EXPECT_EQ(watch.completed(), 1800u);
  EXPECT_EQ(watch.length(), Seconds(2));
}

TEST(WarmUp, IsSteadyWhenTheLastFiveVaryLittle) {
  WarmUpWatch watch({.agents = 1, .steady = 0.05});
  for (const uint64_t rate : {100, 400, 700, 900}) watch.Take(0, Second(rate));
  EXPECT_FALSE(watch.over());
  int more = 0;
  for (; !watch.over() && more < 20; ++more) watch.Take(0, Second(1000));
  EXPECT_EQ(more, 4) << "900 and four of 1000 have a coefficient of 4.6 %";
  EXPECT_THAT(watch.Describe(), testing::HasSubstr("the last 5 intervals"));
}

// By the formula: the sample's deviation of 900, 1000, 1000, 1000, 1000 is 44.72, their mean 980.
TEST(WarmUp, VariationIsDeviationOverMean) {
  WarmUpWatch watch({.agents = 1, .steady = 0.05});
  for (const uint64_t rate : {5, 900, 1000, 1000, 1000, 1000}) watch.Take(0, Second(rate));
  EXPECT_NEAR(watch.variation(), 44.7214 / 980, 1e-6);
  EXPECT_TRUE(watch.over());
}

TEST(WarmUp, AgentsAreSummedBeforeTheyAreJudged) {
  WarmUpWatch watch({.agents = 2, .steady = 0.01});
  for (int i = 0; i < 5; ++i) {  // each swings, their sum does not
    watch.Take(0, Second(i % 2 == 0 ? 100 : 900));
    watch.Take(1, Second(i % 2 == 0 ? 900 : 100));
  }
  EXPECT_TRUE(watch.over());
}

TEST(WarmUp, NothingAnsweredIsNotSteady) {
  WarmUpWatch watch({.agents = 1, .steady = 1});
  for (int i = 0; i < 10; ++i) watch.Take(0, Second(0));
  EXPECT_FALSE(watch.over());
}

}  // namespace
}  // namespace kbench
