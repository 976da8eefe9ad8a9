#include "agent/load/arrival.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
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

OpenLoop Bursts() { return {.arrival = ArrivalKind::kBursts, .rate = 300, .burst = 7}; }
OpenLoop Ramp() {
  return {.arrival = ArrivalKind::kRamp, .rate = 525, .stretches = {{50, 1000, Seconds(4)}}};
}
OpenLoop Steps() {
  return {.arrival = ArrivalKind::kSteps,
          .rate = 300,
          .stretches = {{100, 100, Seconds(1)}, {400, 400, Seconds(2)}, {200, 200, Seconds(1)}}};
}

// Of all flows of all agents, in order.
std::vector<MonoTime> OfTheRun(const OpenLoop& open, uint32_t flows, uint32_t agents, Nanos warmup,
                               MonoTime end) {
  std::vector<MonoTime> all;
  for (uint32_t agent = 0; agent < agents; ++agent) {
    for (uint32_t flow = 0; flow < flows; ++flow) {
      const auto some = Instants(
          Arrival::StreamOf(open, {.flow = flow, .flows = flows, .agent = agent, .agents = agents},
                            1, kStart, warmup),
          end);
      all.insert(all.end(), some.begin(), some.end());
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

OpenLoop Scaled(OpenLoop open, double by) {
  open.rate *= by;
  for (RateStretch& stretch : open.stretches) stretch.from *= by, stretch.to *= by;
  return open;
}

TEST(Arrival, AgentsAndFlowsInterleaveAsIfTheyWereOne) {
  for (const OpenLoop& open : {Bursts(), Ramp(), Steps(), OpenLoop{.rate = 300}}) {
    const MonoTime end =
        kStart + Seconds(6) - Micros(10);  // on no instant, which rounding may move
    const auto one = OfTheRun(Scaled(open, 6), 1, 1, Seconds(1), end);
    const auto many = OfTheRun(open, 4, 6, Seconds(1), end);
    ASSERT_EQ(one.size(), many.size()) << Name(open.arrival);
    for (size_t i = 0; i < one.size(); ++i) {
      EXPECT_LE(std::abs((one[i] - many[i]).count()), 2) << Name(open.arrival) << " " << i;
    }
  }
}

TEST(Arrival, BurstsAreAtOneInstantAndEvenlyApart) {
  const auto all = OfTheRun(Bursts(), 3, 1, Nanos(), kStart + Seconds(7));
  ASSERT_EQ(all.size(), 2100u);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto burst = static_cast<int64_t>(i / 7);
    EXPECT_NEAR(static_cast<double>((all[i] - kStart).count()), burst * 7e9 / 300, 1);
  }
}

// The number due until t is the integral of the rate, to within the one that is next.
TEST(Arrival, ARampIsTheIntegralOfItsRate) {
  const auto all = OfTheRun(Ramp(), 2, 1, Seconds(1), kStart + Seconds(5));
  EXPECT_EQ(all.size(), 50u + 2100u);
  for (size_t i = 50; i < all.size(); ++i) {
    const double t = (all[i] - kStart).seconds() - 1;
    EXPECT_NEAR(50 + 50 * t + (1000 - 50) / 4.0 * t * t / 2, static_cast<double>(i), 1e-4);
  }
}

TEST(Arrival, RampsGoDownAndOverManyOrders) {
  for (const auto& [from, to] :
       {std::pair(1e6, 1.0), std::pair(1.0, 1e6), std::pair(1e3, 1.0001e3)}) {
    const OpenLoop open = {.arrival = ArrivalKind::kRamp,
                           .rate = (from + to) / 2,
                           .stretches = {{from, to, Millis(100)}}};
    const auto all = OfTheRun(open, 1, 1, Nanos(), kStart + Millis(100));
    EXPECT_NEAR(static_cast<double>(all.size()), (from + to) / 2 * 0.1, 1);
    EXPECT_EQ(all.front(), kStart);
  }
}

TEST(Arrival, StepsHaveTheirRatesToTheRequest) {
  const auto all = OfTheRun(Steps(), 2, 2, Nanos(), kStart + Seconds(5));
  const auto until = [&](int s) {
    return std::lower_bound(all.begin(), all.end(), kStart + Seconds(s)) - all.begin();
  };
  EXPECT_EQ(until(1), 200);  // two agents of 100/s
  EXPECT_EQ(until(3), 200 + 1600);
  EXPECT_EQ(until(4), 200 + 1600 + 400);
  EXPECT_EQ(until(5), 200 + 1600 + 800) << "behind the window the last rate holds";
}

TEST(Arrival, TheFirstRateHoldsInTheWarmUp) {
  const auto all = OfTheRun(Ramp(), 1, 1, Seconds(2), kStart + Seconds(2));
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(all[1] - all[0], Millis(20));
}

TEST(Arrival, KnowsItsPeak) {
  EXPECT_EQ(Ramp().peak(), 1000);
  EXPECT_EQ(Steps().peak(), 400);
  EXPECT_EQ(OpenLoop{.rate = 300}.peak(), 300);
}

}  // namespace
}  // namespace kbench
