#include "controller/fleet/agent_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/random.h"

namespace kbench {
namespace {

TEST(AgentClock, ASymmetricPathGivesTheOffsetExactly) {
  AgentClockMap map;
  // Ours 1000 -> 1200, the agent's clock 5000 ahead, stamped half-way.
  map.AddPing(MonoTime(1000), AgentTime(6100), MonoTime(1200));
  EXPECT_EQ(map.offset_ns(), 5000);
  EXPECT_EQ(map.round_trip_min(), Nanos(200));
  EXPECT_EQ(map.error_bound(), Nanos(100));
  EXPECT_EQ(map.ToAgent(MonoTime(10)), AgentTime(5010));
  EXPECT_EQ(map.ToController(AgentTime(5010)), MonoTime(10));
}

TEST(AgentClock, KeepsTheFastestPingInWhateverOrderTheyCome) {
  AgentClockMap slow_first, fast_first;
  slow_first.AddPing(MonoTime(0), AgentTime(900), MonoTime(1000));  // an asymmetric one
  slow_first.AddPing(MonoTime(2000), AgentTime(2005), MonoTime(2010));
  fast_first.AddPing(MonoTime(2000), AgentTime(2005), MonoTime(2010));
  fast_first.AddPing(MonoTime(3000), AgentTime(3900), MonoTime(4000));
  for (const AgentClockMap& map : {slow_first, fast_first}) {
    EXPECT_EQ(map.offset_ns(), 0);
    EXPECT_EQ(map.error_bound(), Nanos(5));
    EXPECT_EQ(map.pings(), 2);
  }
}

TEST(AgentClock, RoundsItsBoundUp) {
  AgentClockMap map;
  map.AddPing(MonoTime(0), AgentTime(3), MonoTime(3));
  EXPECT_EQ(map.error_bound(), Nanos(2)) << "half of 3 ns, and never less than the truth";
}

TEST(AgentClock, AnInstantPingIsExact) {
  AgentClockMap map;
  map.AddPing(MonoTime(77), AgentTime(-23), MonoTime(77));
  EXPECT_EQ(map.offset_ns(), -100);
  EXPECT_EQ(map.error_bound(), Nanos(0));
}

// Paths of any delay and asymmetry, clocks days apart: the truth is always within the bound, and
// the bound is always half of the fastest round trip.
TEST(AgentClock, TheTruthIsWithinTheBound) {
  const uint64_t kSeed = 20261123;
  Random random(kSeed);
  int wrong_by_most_of_it = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    const int64_t truth =
        static_cast<int64_t>(random.Below(uint64_t{1} << 48)) - (int64_t{1} << 47);
    AgentClockMap map;
    int64_t fastest = INT64_MAX;
    MonoTime now(1'000'000'000);
    for (int ping = 0; ping < 21; ++ping) {
      const Nanos there(static_cast<int64_t>(random.Below(200'000)));
      const Nanos back(static_cast<int64_t>(random.Below(ping % 3 == 0 ? 200'000 : 20'000)));
      const MonoTime stamped = now + there;
      const MonoTime answered = stamped + back;
      map.AddPing(now, AgentTime(stamped.ns() + truth), answered);
      fastest = std::min(fastest, (there + back).count());
      now = answered + Micros(10);
    }
    const int64_t error = std::abs(map.offset_ns() - truth);
    EXPECT_LE(error, map.error_bound().count()) << "trial " << trial << " seed " << kSeed;
    EXPECT_EQ(map.error_bound().count(), (fastest + 1) / 2);
    wrong_by_most_of_it += error * 10 > map.error_bound().count() * 9;
  }
  // A bound that nothing comes near would be no bound but a guess.
  EXPECT_GT(wrong_by_most_of_it, 0);
}

}  // namespace
}  // namespace kbench
