// Which frame a kernel stamp belongs to, by keys alone.
#include <gtest/gtest.h>

#include "transport/kernel_stamps.h"

namespace kbench {
namespace {

constexpr SendStampKind kScheduled = SendStampKind::kScheduled;
constexpr SendStampKind kSent = SendStampKind::kSent;

TEST(StampMatcher, GivesBothStampsToTheFrameThatEndsAtTheKey) {
  StampMatcher matcher(4);
  SendStamps a, b;
  matcher.Expect(99, &a);
  matcher.Expect(199, &b);
  matcher.Apply(kScheduled, 99, RealTime(10));
  matcher.Apply(kSent, 99, RealTime(11));
  EXPECT_TRUE(matcher.CompleteThrough(99));
  EXPECT_FALSE(matcher.CompleteThrough(199));
  matcher.Apply(kScheduled, 199, RealTime(20));
  EXPECT_FALSE(matcher.CompleteThrough(199)) << "one stamp of two is not complete";
  matcher.Apply(kSent, 199, RealTime(21));
  EXPECT_TRUE(matcher.CompleteThrough(199));
  EXPECT_EQ(a.kernel_scheduled, RealTime(10));
  EXPECT_EQ(a.kernel_sent, RealTime(11));
  EXPECT_EQ(b.kernel_scheduled, RealTime(20));
  EXPECT_EQ(b.kernel_sent, RealTime(21));
  EXPECT_EQ(a.flags | b.flags, 0u);
}

TEST(StampMatcher, MarksFramesThatShareTheStampOfALaterByte) {
  StampMatcher matcher(4);
  SendStamps a, b, c;
  matcher.Expect(99, &a);
  matcher.Expect(199, &b);
  matcher.Expect(299, &c);
  matcher.Apply(kSent, 199, RealTime(7));
  EXPECT_EQ(a.kernel_sent, RealTime(7));
  EXPECT_EQ(a.flags, kMergedSendStamp);
  EXPECT_EQ(b.kernel_sent, RealTime(7));
  EXPECT_EQ(b.flags, 0u);
  EXPECT_FALSE(c.kernel_sent.is_set());
}

TEST(StampMatcher, IgnoresTheStampOfAnEarlierPart) {
  StampMatcher matcher(4);
  SendStamps a;
  matcher.Expect(999, &a);
  matcher.Apply(kSent, 500, RealTime(7));
  EXPECT_FALSE(a.kernel_sent.is_set());
  matcher.Apply(kSent, 999, RealTime(8));
  EXPECT_EQ(a.kernel_sent, RealTime(8));
  EXPECT_EQ(a.flags, 0u);
}

TEST(StampMatcher, KeepsTheFirstOfTwoStampsAndSaysRetransmitted) {
  StampMatcher matcher(4);
  SendStamps a;
  matcher.Expect(99, &a);
  matcher.Apply(kSent, 99, RealTime(7));
  matcher.Apply(kSent, 99, RealTime(9'000));
  EXPECT_EQ(a.kernel_sent, RealTime(7));
  EXPECT_EQ(a.flags, kRetransmitted);
}

TEST(StampMatcher, ALaterFramesStampIsNoRetransmission) {
  StampMatcher matcher(4);
  SendStamps a, b;
  matcher.Expect(99, &a);
  matcher.Expect(199, &b);
  matcher.Apply(kSent, 99, RealTime(7));
  matcher.Apply(kSent, 199, RealTime(8));
  EXPECT_EQ(a.kernel_sent, RealTime(7));
  EXPECT_EQ(a.flags, 0u);
}

TEST(StampMatcher, KeysWrapAtFourGibibytes) {
  StampMatcher matcher(4);
  SendStamps before, after;
  matcher.Expect(0xffff'fff0u, &before);
  matcher.Expect(0x0000'0040u, &after);
  matcher.Apply(kSent, 0xffff'fff0u, RealTime(1));
  EXPECT_EQ(before.kernel_sent, RealTime(1));
  EXPECT_FALSE(after.kernel_sent.is_set()) << "a key before the wrap is not beyond it";
  matcher.Apply(kSent, 0x0000'0040u, RealTime(2));
  EXPECT_EQ(after.kernel_sent, RealTime(2));
  EXPECT_EQ(before.kernel_sent, RealTime(1));
  EXPECT_EQ(before.flags | after.flags, 0u);
  matcher.ForgetThrough(0xffff'fff0u);
  EXPECT_FALSE(matcher.empty());
  matcher.ForgetThrough(0x40u);
  EXPECT_TRUE(matcher.empty());
}

TEST(StampMatcher, AMergedStampReachesBackOverTheWrap) {
  StampMatcher matcher(4);
  SendStamps before;
  matcher.Expect(0xffff'fff0u, &before);
  matcher.Apply(kSent, 0x10u, RealTime(5));
  EXPECT_EQ(before.kernel_sent, RealTime(5));
  EXPECT_EQ(before.flags, kMergedSendStamp);
}

TEST(StampMatcher, WritesNothingIntoAForgottenFrame) {
  StampMatcher matcher(4);
  SendStamps a;
  matcher.Expect(99, &a);
  matcher.ForgetThrough(98);
  EXPECT_FALSE(matcher.empty());
  matcher.ForgetThrough(99);
  matcher.Apply(kSent, 99, RealTime(7));
  EXPECT_FALSE(a.kernel_sent.is_set());
}

TEST(StampMatcher, MissesNothingThatIsStillInTheSocketsBuffer) {
  StampMatcher matcher(4);
  SendStamps a, b, c;
  matcher.Expect(99, &a);
  matcher.Expect(199, &b);
  matcher.Expect(299, &c);
  matcher.Apply(kScheduled, 99, RealTime(1));
  matcher.Apply(kSent, 99, RealTime(2));
  matcher.ForgetThrough(299, 150);  // b has left in part only, c not at all
  EXPECT_TRUE(matcher.empty());
  EXPECT_EQ(matcher.counts().missing, 0u);
  SendStamps d, e;
  matcher.Expect(399, &d);
  matcher.Expect(499, &e);
  matcher.ForgetThrough(499, 100);
  EXPECT_EQ(matcher.counts().missing, 1u) << "d had left whole";
}

TEST(StampMatcher, AbandonsTheOldestWhenFullAndCounts) {
  StampMatcher matcher(2);
  SendStamps a, b, c;
  matcher.Expect(9, &a);
  matcher.Expect(19, &b);
  matcher.Expect(29, &c);
  matcher.Apply(kSent, 29, RealTime(7));
  EXPECT_FALSE(a.kernel_sent.is_set());
  EXPECT_EQ(b.kernel_sent, RealTime(7));
  EXPECT_EQ(c.kernel_sent, RealTime(7));
  EXPECT_EQ(matcher.counts().abandoned, 1u);
  EXPECT_EQ(matcher.counts().asked, 3u);
  EXPECT_EQ(matcher.counts().missing, 0u);
  matcher.ForgetThrough(29);
  EXPECT_EQ(matcher.counts().missing, 2u) << "b and c have one stamp of two";
}

}  // namespace
}  // namespace kbench
