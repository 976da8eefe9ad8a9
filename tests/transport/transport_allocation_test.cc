// Send() and Poll() allocate nothing once a flow is warm.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kinetic/codec.h"
#include "tests/base/counted_heap.h"
#include "tests/transport/transport_rig.h"

namespace kbench {
namespace {

constexpr uint32_t kFlows = 3, kFrames = 4;

class NoAllocation : public testing::TestWithParam<Stack> {};

// A signed NOOP, so that the null transport has something to answer; the others do not look.
std::string Noop() {
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  kinetic::Command command;
  command.has_header = true;
  command.header.sequence = 1;
  command.header.message_type = kinetic::MessageType::kNoop;
  std::string head;
  kinetic::Encoder().Append(command, kinetic::Signature::Hmac(1, &key), 0, &head);
  return head;
}

// Sends `rounds` batches, each with a short value and one probed frame, and awaits the answers.
void Pump(Transport* transport, const std::string& head, const std::string& value, int rounds) {
  SendStamps stamps[kFlows * kFrames];
  for (int round = 0; round < rounds; ++round) {
    for (uint32_t i = 0; i < kFlows * kFrames; ++i) {
      transport->Send(FlowId(i % kFlows), {.head = AsBytes(head),
                                           .value = AsBytes(value),
                                           .token = i,
                                           .probe = i % kFrames == 0,
                                           .stamps = &stamps[i]});
    }
    uint32_t sent = 0;
    uint64_t received = 0;
    while (sent < kFlows * kFrames || received < kFlows * kFrames) {
      for (const TransportEvent& event : transport->Poll(MonoNow() + Seconds(60))) {
        sent += event.kind == TransportEvent::Kind::kSent;
        received += event.bytes.size();
      }
    }
  }
}

TEST_P(NoAllocation, InSendAndPoll) {
  const std::string head = Noop();
  const std::string value(20'000, 'v');
  auto made = MakeStack(
      GetParam(), {.flows_max = kFlows, .frames_max = kFlows * kFrames, .kernel_stamps = true});
  if (!made.ok()) GTEST_SKIP() << made.status();
  FakePeer peer({.request_bytes = head.size() + value.size(),
                 .reply_bytes = 1,
                 .tls = GetParam().tls ? &PeerTls() : nullptr});
  for (uint32_t i = 0; i < kFlows; ++i) {
    ASSERT_TRUE((*made)->Connect(peer.address(), Seconds(10)).ok());
  }
  Pump(made->get(), head, value, 3);
  const uint64_t before = Heap().allocations;
  Pump(made->get(), head, value, 50);
  EXPECT_EQ(Heap().allocations - before, 0u);
}

TEST(Counting, Counts) {
  const uint64_t before = Heap().allocations;
  const auto p = std::make_unique<int>(1);
  EXPECT_EQ(Heap().allocations - before, 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Stacks, NoAllocation,
    testing::Values(Stack{TransportKind::kSocket}, Stack{TransportKind::kEpoll},
                    Stack{TransportKind::kUring}, Stack{TransportKind::kNull},
                    Stack{TransportKind::kUring, FlushMode::kBatch, PollMode::kBlock, true},
                    Stack{.kind = TransportKind::kSocket, .tls = true},
                    Stack{.kind = TransportKind::kUring, .tls = true}),
    [](const auto& tested) { return NameOf(tested.param); });

}  // namespace
}  // namespace kbench
