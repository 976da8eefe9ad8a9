// The search against servers of known capacity that live in a function.
#include "controller/run/rate_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace kbench {
namespace {

using Kind = RateAnswer::Kind;

RateProbe ProbeOf(double rate, bool confirming, bool holds) {
  return {.rate = rate, .confirming = confirming, .holds = holds, .why = holds ? "" : "too slow"};
}

RunProbe CapacityOf(double capacity) {
  return [capacity](double rate, bool confirming) {
    return ProbeOf(rate, confirming, rate <= capacity);
  };
}

TEST(RateSearch, FindsTheCapacityWithinItsResolution) {
  Random random(20261126);
  for (int i = 0; i < 200; ++i) {
    const double capacity = std::exp(random.Uniform() * 10 + 2);
    const double from = std::exp(random.Uniform() * 10 + 2);
    const RateAnswer answer = SearchRate({.from = from, .resolution = 0.02}, CapacityOf(capacity));
    ASSERT_EQ(answer.kind, Kind::kFound) << capacity << " from " << from;
    EXPECT_LE(answer.rate, capacity);
    EXPECT_GT(answer.above, capacity);
    EXPECT_LE(answer.above / answer.rate, 1.0201);
    EXPECT_EQ(answer.stopped_by, "too slow");
    EXPECT_TRUE(answer.probes.back().confirming);
    EXPECT_LE(answer.probes.size(), 50u);
  }
}

TEST(RateSearch, EveryRateIsOneThatACampaignTakes) {
  const RateAnswer answer = SearchRate({.from = 777.77}, CapacityOf(4321.9));
  for (const RateProbe& probe : answer.probes) {
    EXPECT_EQ(RoundedRate(probe.rate), probe.rate);
  }
  EXPECT_EQ(RateText(RoundedRate(4321.987)), "4322/s");
  EXPECT_EQ(RateText(RoundedRate(1234567)), "1235000/s");
  EXPECT_EQ(RateText(RoundedRate(0.123456)), "0.1235/s");
  EXPECT_EQ(RateText(RoundedRate(12.34567)), "12.35/s");
}

// A longer run holds less: the answer steps down until one does.
TEST(RateSearch, StepsDownUntilALongerRunHolds) {
  const RateAnswer answer =
      SearchRate({.from = 1000, .resolution = 0.05}, [](double rate, bool confirming) {
        return ProbeOf(rate, confirming, rate <= (confirming ? 4600 : 5000));
      });
  ASSERT_EQ(answer.kind, Kind::kFound);
  EXPECT_LE(answer.rate, 4600);
  EXPECT_GE(answer.rate, 4600 / 1.06);
  EXPECT_GT(answer.above, 4600);
  EXPECT_LE(answer.above / answer.rate, 1.06);
}

TEST(RateSearch, SaysThatNothingWasConfirmed) {
  const RateAnswer answer = SearchRate({.confirmations = 3}, [](double rate, bool confirming) {
    return ProbeOf(rate, confirming, !confirming && rate <= 5000);
  });
  EXPECT_EQ(answer.kind, Kind::kUnconfirmed);
  EXPECT_EQ(answer.rate, 0);
  int confirming = 0;
  for (const RateProbe& probe : answer.probes) confirming += probe.confirming;
  EXPECT_EQ(confirming, 3);
}

TEST(RateSearch, SaysWhenNothingHolds) {
  const RateAnswer answer = SearchRate({.from = 1000, .least = 100}, CapacityOf(10));
  EXPECT_EQ(answer.kind, Kind::kNothingHolds);
  EXPECT_EQ(answer.probes.back().rate, 100);
}

TEST(RateSearch, EndsAtTheMostThatItMayTry) {
  const RateAnswer answer = SearchRate({.from = 1000, .most = 6000}, CapacityOf(1e9));
  EXPECT_EQ(answer.kind, Kind::kMost);
  EXPECT_EQ(answer.rate, 6000);
  EXPECT_EQ(answer.above, 0);
}

TEST(RateSearch, OneBadMomentIsNotTheAnswer) {
  int runs = 0;
  const RateAnswer answer = SearchRate({.from = 1000}, [&](double rate, bool confirming) {
    return ProbeOf(rate, confirming, ++runs != 2 && rate <= 5000);  // a hiccup at 2000/s
  });
  EXPECT_EQ(answer.kind, Kind::kFound);
  EXPECT_GT(answer.rate, 5000 / 1.051);
}

TEST(RateSearch, DoesNotBlameTheServerForTheClient) {
  const RateAnswer answer = SearchRate({.from = 1000}, [](double rate, bool confirming) {
    RateProbe probe = ProbeOf(rate, confirming, rate <= 5000);
    if (!probe.holds) probe.client = "agent a: the busiest worker used 99 % of a core";
    return probe;
  });
  EXPECT_EQ(answer.kind, Kind::kClient);
  EXPECT_GT(answer.rate, 4700);
  EXPECT_THAT(answer.client, testing::HasSubstr("99 %"));
}

TEST(RateSearch, AStatusEndsItAndKeepsWhatWasFound) {
  int runs = 0;
  const RateAnswer answer =
      SearchRate({.from = 1000}, [&](double rate, bool confirming) -> absl::StatusOr<RateProbe> {
        if (++runs == 3) return absl::UnavailableError("the server is gone");
        return ProbeOf(rate, confirming, true);
      });
  EXPECT_EQ(answer.kind, Kind::kBroken);
  EXPECT_EQ(answer.status.message(), "the server is gone");
  EXPECT_EQ(answer.probes.size(), 2u);
}

}  // namespace
}  // namespace kbench
