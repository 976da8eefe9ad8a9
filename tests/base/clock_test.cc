#include "base/clock.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace kbench {
namespace {

template <typename A, typename B>
concept Subtracts = requires(A a, B b) {
  a - b;
};

// The house rule as a compile-time fact: stamps of two clocks do not subtract.
static_assert(Subtracts<MonoTime, MonoTime>);
static_assert(!Subtracts<MonoTime, RealTime>);
static_assert(!Subtracts<MonoTime, ServerTime>);
static_assert(!Subtracts<RealTime, ServerTime>);
static_assert(!std::is_convertible_v<RealTime, MonoTime>);

TEST(ClockPair, TurnsARealtimeStampIntoAgentTime) {
  const ClockPair pair{.mono = MonoTime(1'000), .real = RealTime(9'000'000), .error = Nanos(50)};
  EXPECT_EQ(pair.ToMono(RealTime(9'000'700)), MonoTime(1'700));
  EXPECT_EQ(pair.ToMono(RealTime(8'999'900)), MonoTime(900));
}

TEST(ClockPair, IsReadWithinAMicrosecondOrSaysSo) {
  const ClockPair pair = ReadClockPair();
  EXPECT_GE(pair.error, Nanos(0));
  EXPECT_LE(pair.mono, MonoNow());
}

TEST(Nanos, KeepsIntegerArithmeticExact) {
  EXPECT_EQ(Micros(3) - Nanos(1), Nanos(2'999));
  EXPECT_EQ(Seconds(1) / 3, Nanos(333'333'333));
  EXPECT_LT(Millis(1), Seconds(1));
}

}  // namespace
}  // namespace kbench
