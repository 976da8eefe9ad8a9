#include "server/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "base/random.h"

namespace kbench::server {
namespace {

using kinetic::Residence;

constexpr size_t kPlenty = 1 << 20;

class OutboxTest : public ::testing::Test {
 protected:
  void Add(absl::string_view head, absl::string_view value = "",
           std::optional<uint64_t> sequence = std::nullopt) {
    outbox_.tail()->append(head.data(), head.size());
    auto owner = std::make_shared<const std::string>(value);
    Payload payload;
    if (!value.empty()) payload = {.owner = owner, .bytes = AsBytes(*owner)};
    outbox_.Seal(payload, sequence);
  }
  std::string Listed(MonoTime now = MonoTime(), size_t max = kPlenty) {
    std::string bytes;
    const int used = outbox_.Gather(now, max, pieces_);
    for (int i = 0; i < used; ++i) {
      bytes.append(static_cast<const char*>(pieces_[i].iov_base), pieces_[i].iov_len);
    }
    return bytes;
  }
  Outbox outbox_;
  ResidenceRing ring_{100};
  std::array<iovec, 16> pieces_;
};

TEST_F(OutboxTest, JoinsNeighbouringHeadsIntoOnePiece) {
  Add("one");
  Add("two");
  Add("three", "VALUE");
  Add("four");
  EXPECT_EQ(outbox_.Gather(MonoTime(), kPlenty, pieces_), 3);
  EXPECT_EQ(Listed(), "onetwothreeVALUEfour");
  EXPECT_EQ(outbox_.unsent(), 20u);
}

TEST_F(OutboxTest, ResumesAfterAShortSendAtAnyByte) {
  const std::string whole = "h1VALUE1h2h3VALUE3";
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    outbox_ = Outbox();
    Add("h1", "VALUE1");
    Add("h2");
    Add("h3", "VALUE3");
    ASSERT_EQ(Listed(), whole);
    outbox_.Sent(cut, RealTime(1), &ring_);
    EXPECT_EQ(Listed(), whole.substr(cut));
    EXPECT_EQ(outbox_.unsent(), whole.size() - cut);
    EXPECT_EQ(outbox_.empty(), cut == whole.size());
  }
}

TEST_F(OutboxTest, RecordsAnAnswerWhenItsFirstByteLeavesAndOnlyThen) {
  Add("first", "", 1);
  outbox_.SetReceived(RealTime(100), Residence::kKernelReceived);
  Add("second", "value", 2);
  outbox_.SetReceived(RealTime(150), Residence::kSharedStamp);
  Add("unrecorded");
  outbox_.Sent(5, RealTime(200), &ring_);
  ASSERT_EQ(ring_.Read(0, 10).size(), 1u);
  outbox_.Sent(1, RealTime(300), &ring_);
  outbox_.Sent(outbox_.unsent(), RealTime(400), &ring_);
  const std::vector<Residence> records = ring_.Read(0, 10);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].sequence, 1u);
  EXPECT_EQ(records[0].duration(), Nanos(100));
  EXPECT_EQ(records[0].flags, Residence::kKernelReceived);
  EXPECT_EQ(records[1].sequence, 2u);
  EXPECT_EQ(records[1].received, ServerTime(150));
  EXPECT_EQ(records[1].sent, ServerTime(300));
}

TEST_F(OutboxTest, AnAnswerThatHasBegunIsHeldNoMore) {
  const std::string whole = "h1VALUE1";
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    outbox_ = Outbox();
    Add("h1", "VALUE1");
    outbox_.HoldUntil(MonoTime(500));
    Add("h2");
    outbox_.HoldUntil(MonoTime(700));
    ASSERT_EQ(Listed(MonoTime(500)), whole);
    outbox_.Sent(cut, RealTime(1), &ring_);
    EXPECT_FALSE(outbox_.next_due().is_set()) << "it waits for the socket, not for an instant";
    EXPECT_EQ(Listed(MonoTime()), whole.substr(cut));
    outbox_.Sent(whole.size() - cut, RealTime(2), &ring_);
    EXPECT_EQ(outbox_.next_due(), MonoTime(700));
    EXPECT_EQ(Listed(MonoTime(699)), "");
  }
}

TEST_F(OutboxTest, AHeldAnswerHoldsThoseBehindIt) {
  Add("a");
  Add("b");
  outbox_.HoldUntil(MonoTime(500));
  Add("c");
  EXPECT_FALSE(outbox_.next_due().is_set());
  EXPECT_EQ(Listed(MonoTime(499)), "a");
  outbox_.Sent(1, RealTime(1), &ring_);
  EXPECT_EQ(outbox_.next_due(), MonoTime(500));
  EXPECT_EQ(Listed(MonoTime(499)), "");
  EXPECT_EQ(Listed(MonoTime(500)), "bc");
}

TEST_F(OutboxTest, AParkedAnswerIsOvertakenUntilItsInstantHasCome) {
  const MonoTime before = MonoNow();
  Add("a", "VALUE", 1);
  outbox_.Park(Millis(5));
  outbox_.SetReceived(RealTime(100), 0);
  Add("b", "", 2);
  outbox_.SetReceived(RealTime(150), 0);
  EXPECT_FALSE(outbox_.next_due().is_set()) << "b may leave at once";
  EXPECT_TRUE(outbox_.holds());
  outbox_.Ripen(before + Millis(4));
  EXPECT_EQ(Listed(), "b");
  outbox_.Sent(1, RealTime(200), &ring_);
  EXPECT_FALSE(outbox_.empty()) << "a is still to come";
  EXPECT_EQ(outbox_.unsent(), 6u);
  EXPECT_EQ(outbox_.unanswered(Outbox::Kind::kOther), 1u);
  EXPECT_GE(outbox_.next_due(), before + Millis(5));
  outbox_.Ripen(outbox_.next_due());
  EXPECT_EQ(Listed(), "aVALUE");
  outbox_.Sent(6, RealTime(300), &ring_);
  EXPECT_TRUE(outbox_.empty());
  const std::vector<Residence> records = ring_.Read(0, 10);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].sequence, 1u) << "by sequence, not in the order of leaving";
  EXPECT_EQ(records[0].duration(), Nanos(200)) << "the time that it was held is the server's";
  EXPECT_EQ(records[1].sequence, 2u);
  EXPECT_EQ(records[1].duration(), Nanos(50));
}

TEST_F(OutboxTest, ParkedAnswersAreLetGoInTheOrderInWhichTheyCame) {
  for (const char* answer : {"1", "2", "3"}) {
    Add(answer);
    outbox_.Park(Seconds(3600));
  }
  Add("r");
  EXPECT_EQ(outbox_.parked(), 3u);
  EXPECT_EQ(Listed(), "r");
  outbox_.ReleaseParked();
  Add("s");
  EXPECT_EQ(outbox_.parked(), 0u);
  EXPECT_EQ(Listed(), "r123s");
  outbox_.Sent(5, RealTime(1), &ring_);
  EXPECT_TRUE(outbox_.empty());
}

TEST_F(OutboxTest, AParkedAnswerWithAServiceTimeIsParkedWhenThatHasPassed) {
  Add("a");
  outbox_.Park(Nanos(10));
  outbox_.HoldUntil(MonoTime(500));
  EXPECT_EQ(outbox_.next_due(), MonoTime(510));
  Add("b");
  EXPECT_EQ(Listed(MonoTime(1)), "b") << "and holds nothing back meanwhile";
}

TEST_F(OutboxTest, KeepsAValueAliveUntilItsLastByteIsSent) {
  auto value = std::make_shared<const std::string>("value");
  const std::weak_ptr<const std::string> watch = value;
  outbox_.Seal({.owner = value, .bytes = AsBytes(*value)}, std::nullopt);
  value.reset();
  outbox_.Sent(4, RealTime(1), &ring_);
  EXPECT_FALSE(watch.expired());
  outbox_.Sent(1, RealTime(1), &ring_);
  EXPECT_TRUE(watch.expired());
}

TEST_F(OutboxTest, ListsNoMoreThanAskedForAndSaysTheRestLater) {
  for (int i = 0; i < 100; ++i) Add("0123456789");
  EXPECT_EQ(Listed(MonoTime(), 25).size(), 30u);
  Outbox many;
  std::swap(outbox_, many);
  for (int i = 0; i < 100; ++i) Add("h", "v");
  EXPECT_EQ(Listed().size(), pieces_.size());
}

TEST_F(OutboxTest, DeliversEveryByteInOrderThroughManyShortSends) {
  Random random(7);
  std::string expected, got;
  size_t added = 0;
  while (got.size() < 2'000'000) {
    while (outbox_.unsent() < 300'000) {
      const std::string head = "<" + std::to_string(added) + ">";
      const std::string value(added % 3 == 0 ? random.Below(3000) : 0, static_cast<char>(added));
      Add(head, value, added++);
      expected += head + value;
    }
    const std::string listed = Listed(MonoTime(), 65'536);
    const size_t n = 1 + random.Below(listed.size());
    got += listed.substr(0, n);
    outbox_.Sent(n, RealTime(1), &ring_);
  }
  EXPECT_TRUE(got == expected.substr(0, got.size()));
}

}  // namespace
}  // namespace kbench::server
