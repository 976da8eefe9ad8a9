#include "agent/load/places.h"

#include <gtest/gtest.h>

#include <vector>

namespace kbench {
namespace {

constexpr MonoTime kStart = MonoTime(1'000'000'000);
constexpr MonoTime kEnd = kStart + Seconds(100);

// What is free now, each with how long after the start it became so.
std::vector<Nanos> TakeAll(Places* places, MonoTime now) {
  std::vector<Nanos> since;
  while (places->Ready(now, kEnd)) since.push_back(places->Take() - kStart);
  return since;
}

TEST(Places, AreAllFreeFromTheStartAndOneMoreWithEachAnswer) {
  Places places(3);
  places.Begin({.depth = 3, .start = kStart});
  EXPECT_FALSE(places.Ready(kStart - Nanos(1), kEnd));
  EXPECT_EQ(TakeAll(&places, kStart), (std::vector<Nanos>{Nanos(0), Nanos(0), Nanos(0)}));
  EXPECT_FALSE(places.Ready(kStart, kEnd));
  places.GiveBack(kStart + Micros(7));
  places.GiveBack(kStart + Micros(9));
  EXPECT_EQ(TakeAll(&places, kStart), (std::vector<Nanos>{Micros(7), Micros(9)}))
      << "the oldest first, and whatever the caller's `now` is";
}

TEST(Places, AreNeverMoreThanTheDepthOfTheirStage) {
  Places places(8);
  places.Begin({.depth = 2, .start = kStart});
  places.GiveBack(kStart + Micros(1));  // an answer to a request of the stage before
  EXPECT_EQ(TakeAll(&places, kStart).size(), 2u);
}

TEST(Places, ThatBecameFreeAtTheEndAreOfNoUse) {
  Places places(1);
  places.Begin({.depth = 1, .start = kStart});
  places.Take();
  places.GiveBack(kEnd);
  EXPECT_FALSE(places.Ready(kEnd, kEnd));
  EXPECT_TRUE(places.Ready(kEnd, kEnd + Nanos(1)));
}

TEST(Places, OfAnOpenLoopAreNone) {
  Places places(4);
  places.Begin({.depth = 0, .start = kStart});
  places.GiveBack(kStart);
  places.Widen(true, kStart, kStart);
  EXPECT_FALSE(places.Ready(kStart, kEnd));
  EXPECT_FALSE(places.BackOff(kStart));
  EXPECT_FALSE(places.pausing());
}

TEST(Places, OfAPaceBecomeFreeOneByOne) {
  Places places(3);
  places.Begin({.depth = 3, .start = kStart, .pace = Millis(10)});
  EXPECT_EQ(TakeAll(&places, kStart), (std::vector<Nanos>{Nanos(0)}));
  EXPECT_EQ(TakeAll(&places, kStart + Millis(25)), (std::vector<Nanos>{Millis(10), Millis(20)}));
  places.GiveBack(kStart + Millis(26));  // due at 30 ms
  places.GiveBack(kStart + Millis(50));  // later than its turn at 40 ms
  EXPECT_EQ(TakeAll(&places, kStart + Millis(50)), (std::vector<Nanos>{Millis(30), Millis(50)}));
}

TEST(Places, PauseForTwiceAsLongWithEachBusyAnswerOnEnd) {
  Places places(2);
  places.Begin({.depth = 2, .start = kStart});
  MonoTime now = kStart;
  for (const int ms : {1, 2, 4, 8, 16, 32, 64, 128, 128}) {
    EXPECT_TRUE(places.BackOff(now));
    EXPECT_FALSE(places.BackOff(now + Micros(1))) << "was on its way when the pause began";
    EXPECT_FALSE(places.PauseIsOver(now + Millis(ms) - Nanos(1)));
    EXPECT_TRUE(places.PauseIsOver(now + Millis(ms)));
    now = now + Millis(ms) + Micros(3);
    EXPECT_EQ(places.EndPause(now), Millis(ms) + Micros(3)) << "as long as it was";
    EXPECT_FALSE(places.pausing());
  }
  places.NotBusy();
  EXPECT_TRUE(places.BackOff(now));
  EXPECT_TRUE(places.PauseIsOver(now + Millis(1)));
}

TEST(Places, AnAnswerWithinAPauseDoesNotMakeTheNextOneShort) {
  Places places(2);
  places.Begin({.depth = 2, .start = kStart});
  places.BackOff(kStart);
  places.NotBusy();
  places.EndPause(kStart + Millis(1));
  places.BackOff(kStart + Millis(1));
  EXPECT_FALSE(places.PauseIsOver(kStart + Millis(3) - Nanos(1)));
}

TEST(Places, AreFreeSinceTheEndOfAPauseAtTheEarliest) {
  Places places(3);
  places.Begin({.depth = 3, .start = kStart});
  places.Take();
  places.Renew(kStart + Millis(5));
  EXPECT_EQ(TakeAll(&places, kStart), (std::vector<Nanos>{Millis(5), Millis(5)}));
}

TEST(Places, ThatWidenBeginWithOneAndFollowTheAnswers) {
  Places places(4);
  places.Begin({.depth = 3, .start = kStart, .widens = true, .quick = Millis(10)});
  const auto answer = [&](bool good, Nanos took) {
    const MonoTime decoded = kStart + took;
    places.GiveBack(decoded);
    places.Widen(good, kStart, decoded);
    return TakeAll(&places, kStart).size();
  };
  EXPECT_EQ(TakeAll(&places, kStart).size(), 1u);
  EXPECT_EQ(answer(true, Millis(10) - Nanos(1)), 2u) << "its own, and one more";
  EXPECT_EQ(answer(true, Millis(1)), 2u);
  EXPECT_EQ(answer(true, Millis(1)), 1u) << "three is the depth";
  EXPECT_EQ(places.widest(), 3u);
  EXPECT_EQ(answer(true, Millis(10)), 0u) << "slow: its place is gone";
  EXPECT_EQ(answer(false, Millis(1)), 0u) << "busy, or failed";
  EXPECT_EQ(answer(false, Millis(1)), 1u) << "one place is always there";
  EXPECT_EQ(places.widest(), 3u);
}

TEST(Places, OfANewStageKnowNothingOfTheLast) {
  Places places(3);
  places.Begin({.depth = 3, .start = kStart, .pace = Millis(10)});
  places.BackOff(kStart);
  places.Begin({.depth = 1, .start = kStart + Seconds(1)});
  EXPECT_FALSE(places.pausing());
  EXPECT_EQ(TakeAll(&places, kStart + Seconds(1)), (std::vector<Nanos>{Seconds(1)}));
  EXPECT_EQ(places.widest(), 1u);
}

}  // namespace
}  // namespace kbench
