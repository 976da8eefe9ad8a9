// How frames are cut into send calls.
#include "transport/send_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kbench {
namespace {

struct Frame {
  std::string head, value;
  SendStamps stamps;
};

class SendQueueTest : public testing::Test {
 protected:
  void Push(Frame* frame, uint32_t token, bool probe = false) {
    queue_.Push(&line_, {.head = AsBytes(frame->head),
                         .value = AsBytes(frame->value),
                         .token = token,
                         .probe = probe,
                         .stamps = &frame->stamps});
  }

  std::string Gather(FlushMode flush, size_t bytes_max = 0) {
    call_ = queue_.Gather(line_, flush, bytes_max, parts_);
    std::string text;
    for (size_t i = 0; i < call_.parts; ++i) {
      text.append(static_cast<const char*>(parts_[i].iov_base), parts_[i].iov_len);
    }
    EXPECT_EQ(text.size(), call_.bytes);
    return text;
  }

  std::vector<uint32_t> Accept(size_t bytes, int64_t at) {
    std::vector<uint32_t> sent;
    queue_.Accept(&line_, bytes, MonoTime(at), MonoTime(at + 1),
                  [&](uint32_t token) { sent.push_back(token); });
    return sent;
  }

  SendQueue queue_{3};
  SendQueue::Line line_;
  SendQueue::Call call_;
  std::vector<iovec> parts_ = std::vector<iovec>(6);
  Frame a_{"aa", "AAAA", {}}, b_{"bb", "", {}}, c_{"cc", "C", {}};
};

TEST_F(SendQueueTest, ABatchIsAllFramesAndAnOpIsOne) {
  Push(&a_, 1);
  Push(&b_, 2);
  Push(&c_, 3);
  EXPECT_EQ(Gather(FlushMode::kBatch), "aaAAAAbbccC");
  EXPECT_TRUE(call_.takes_line);
  EXPECT_EQ(Gather(FlushMode::kOp), "aaAAAA");
  EXPECT_FALSE(call_.takes_line);
}

TEST_F(SendQueueTest, ResumesExactlyBehindWhatTheKernelTook) {
  Push(&a_, 1);
  Push(&b_, 2);
  const std::string all = "aaAAAAbb";
  for (size_t taken = 0; taken < all.size(); ++taken) {
    EXPECT_EQ(Gather(FlushMode::kBatch), all.substr(taken));
    const std::vector<uint32_t> sent = Accept(1, 100 + static_cast<int64_t>(taken));
    const std::vector<uint32_t> wanted = taken == 5   ? std::vector<uint32_t>{1}
                                         : taken == 7 ? std::vector<uint32_t>{2}
                                                      : std::vector<uint32_t>{};
    EXPECT_EQ(sent, wanted) << "after byte " << taken;
  }
  EXPECT_TRUE(line_.empty());
  EXPECT_EQ(a_.stamps.submitted, MonoTime(100)) << "the call of the first byte";
  EXPECT_EQ(a_.stamps.send_returned, MonoTime(106)) << "the call of the last byte";
  EXPECT_EQ(b_.stamps.submitted, MonoTime(106));
  EXPECT_EQ(a_.stamps.flags, kShortSend);
}

TEST_F(SendQueueTest, ChargesAFullSocketToTheFramesThatWaitedForTheirFirstByte) {
  Push(&a_, 1);
  Push(&b_, 2);
  Accept(3, 100);  // of 6
  SendQueue::NoRoom(&line_, MonoTime(101));
  Accept(1, 120);
  SendQueue::NoRoom(&line_, MonoTime(121));
  Push(&c_, 3);
  Accept(2, 150);  // the rest of a
  SendQueue::Room(&line_, MonoTime(150));
  Accept(2, 160);
  SendQueue::Room(&line_, MonoTime(160));
  Frame d{"d", "", {}};
  Push(&d, 4);
  Accept(3, 170);
  Accept(1, 180);
  EXPECT_FALSE(a_.stamps.full_from.is_set()) << "its first byte found room";
  for (const Frame* waited : {&b_, &c_}) {
    EXPECT_EQ(waited->stamps.full_from, MonoTime(101));
    EXPECT_EQ(waited->stamps.full_until, MonoTime(150));
  }
  EXPECT_FALSE(d.stamps.full_from.is_set()) << "there was room again when it came";
}

TEST_F(SendQueueTest, ASocketIsFullUntilTheCallThatTakesTheFirstByte) {
  Push(&a_, 1);
  SendQueue::NoRoom(&line_, MonoTime(101));
  Push(&b_, 2);
  Accept(8, 150);
  EXPECT_EQ(b_.stamps.full_from, MonoTime(101));
  EXPECT_EQ(b_.stamps.full_until, MonoTime(150));
}

TEST_F(SendQueueTest, LimitsACall) {
  Push(&a_, 1);
  Push(&b_, 2);
  EXPECT_EQ(Gather(FlushMode::kBatch, 7), "aaAAAAb");
  EXPECT_FALSE(call_.takes_line);
  EXPECT_EQ(Accept(7, 5), std::vector<uint32_t>{1});
  EXPECT_EQ(Gather(FlushMode::kOp, 7), "b");
  EXPECT_TRUE(call_.takes_line);
  EXPECT_EQ(a_.stamps.flags, 0u);
  EXPECT_EQ(b_.stamps.flags, kShortSend);
}

TEST_F(SendQueueTest, StopsWhereTheCallHasNoRoomForAnotherFrame) {
  parts_.resize(3);
  Push(&a_, 1);
  Push(&c_, 2);
  EXPECT_EQ(Gather(FlushMode::kBatch), "aaAAAA");
  EXPECT_FALSE(call_.takes_line);
}

TEST_F(SendQueueTest, ACallIsProbedWhenAFrameInItIs) {
  Push(&a_, 1);
  Push(&b_, 2, /*probe=*/true);
  Gather(FlushMode::kOp);
  EXPECT_FALSE(call_.probed);
  Gather(FlushMode::kBatch);
  EXPECT_TRUE(call_.probed);
}

TEST_F(SendQueueTest, MarksARequestThatLeavesInSegments) {
  a_.value.assign(65'000 - 2, 'x');
  Push(&a_, 1);
  EXPECT_EQ(a_.stamps.flags, 0u);
  b_.value.assign(65'000 - 1, 'x');
  Push(&b_, 2);
  EXPECT_EQ(b_.stamps.flags, kMultiSegmentRequest);
}

TEST_F(SendQueueTest, UsesItsSlotsAgain) {
  for (uint32_t round = 0; round < 10; ++round) {
    Push(&a_, round);
    Push(&b_, round);
    Push(&c_, round);
    if (round % 2 == 0) {
      Accept(11, 1);
    } else {
      queue_.Clear(&line_);
    }
    EXPECT_TRUE(line_.empty());
    line_.accepted = line_.queued;
  }
}

TEST_F(SendQueueTest, OneFrameTooManyIsABug) {
  Push(&a_, 1);
  Push(&b_, 2);
  Push(&c_, 3);
  Frame d{"d", "", {}};
  EXPECT_DEATH(Push(&d, 4), "more than frames_max = 3");
}

}  // namespace
}  // namespace kbench
