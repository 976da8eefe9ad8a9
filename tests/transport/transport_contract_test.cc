// What transport/transport.h promises, of every transport that has a kernel below it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/transport/transport_rig.h"

namespace kbench {
namespace {

using ::testing::HasSubstr;

constexpr size_t kHead = 61;

// Accepts one connection and does nothing that it is not told to.
class QuietPeer {
 public:
  QuietPeer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_ = *Resolve({.host = "127.0.0.1", .port = 0});
    const int small = 4096;
    setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    EXPECT_EQ(bind(listener_.get(), address_.get(), address_.length), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    address_ = *Resolve(*LocalAddress(listener_.get()));
  }
  const SocketAddress& address() const { return address_; }
  void Accept() { fd_ = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  void Write(const std::string& bytes) {
    EXPECT_EQ(send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void ReadWhatIsThere() {
    std::string buffer(1 << 20, '\0');
    while (recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) continue;
  }

 private:
  Fd listener_;
  Fd fd_;
  SocketAddress address_;
};

// Whether a thread of this process sleeps in the kernel.
bool IsAsleep(int tid) {
  std::ifstream in(absl::StrCat("/proc/self/task/", tid, "/stat"));
  std::string text;
  std::getline(in, text);
  const size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 3, ") S") == 0;
}

class Contract : public testing::TestWithParam<Stack> {
 protected:
  // Fails or skips the test when there is no rig.
  void Start(const FakePeer::Script& script, const TransportOptions& options) {
    auto made = TransportRig::Make(GetParam(), script, options);
    if (!made.ok()) {
      ASSERT_EQ(GetParam().kind, TransportKind::kUring) << made.status();
      GTEST_SKIP() << made.status();
    }
    rig_ = *std::move(made);
  }

  TransportRig& rig() { return *rig_; }
  Transport& transport() { return rig_->transport(); }

  std::unique_ptr<TransportRig> rig_;
};

#define START(...)    \
  Start(__VA_ARGS__); \
  if (!rig_) return

// Frames of every size, in both directions, on two flows.
void Exchange(TransportRig* rig, const std::vector<size_t>& values) {
  uint64_t bytes = 0;
  uint32_t frames = 0;
  for (size_t value : values) {
    for (uint32_t flow = 0; flow < 2; ++flow) rig->Send(flow, kHead, value);
    bytes += kHead + value;
    ++frames;
  }
  for (uint32_t flow = 0; flow < 2; ++flow) {
    const uint64_t reply = bytes / 1000 * 1000;
    rig->PollUntil(
        [&] { return rig->log(flow).sent.size() == frames && rig->log(flow).received >= reply; });
    EXPECT_EQ(rig->log(flow).wrong, 0u);
    std::vector<uint32_t> tokens;
    for (uint32_t i = 0; i < frames; ++i) tokens.push_back(2 * i + flow);
    EXPECT_EQ(rig->log(flow).sent, tokens) << "each frame once, in order";
    EXPECT_EQ(rig->log(flow).closed, 0);
  }
  // Accept order need not be flow order.
  const std::string a = rig->peer().AwaitReceived(0, bytes);
  const std::string b = rig->peer().AwaitReceived(1, bytes);
  EXPECT_TRUE((a == rig->log(0).queued && b == rig->log(1).queued) ||
              (b == rig->log(0).queued && a == rig->log(1).queued))
      << "other bytes arrived than were sent";
}

TEST_P(Contract, CarriesEverySizeExactlyAndInOrder) {
  START({.request_bytes = 1000, .reply_bytes = 1000}, {.flows_max = 2, .frames_max = 16});
  Exchange(&rig(), {0, 1, 4096, 512 * 1024, 1 << 20, 0, 1});
}

TEST_P(Contract, CarriesEverySizeThroughTinyBuffersAndASlowReader) {
  START(
      {.request_bytes = 1000,
       .reply_bytes = 1000,
       .read_chunk = 977,
       .send_buffer_bytes = 4096,
       .receive_buffer_bytes = 4096},
      {.flows_max = 2, .frames_max = 16, .send_buffer_bytes = 4096, .receive_buffer_bytes = 4096});
  Exchange(&rig(), {0, 1, 4096, 200'000, 1, 70'000, 0});
  EXPECT_GT(transport().counters().short_sends, 0u) << "the buffers were not small enough";
}

TEST_P(Contract, CarriesEverySizeInForcedPieces) {
  Random random(20);
  for (int round = 0; round < 4; ++round) {
    const auto limit = static_cast<uint32_t>(1 + random.Below(round == 0 ? 9 : 20'000));
    SCOPED_TRACE(absl::StrCat("at most ", limit, " bytes a call"));
    START({.request_bytes = 1000, .reply_bytes = 1000},
          {.flows_max = 2, .frames_max = 16, .max_bytes_per_call = limit});
    if (limit < 10) {
      Exchange(&rig(), {0, 1, 1000, 0});
    } else {
      Exchange(&rig(), {0, 1, 4096, 512 * 1024, 1 << 20, 5});
    }
    // The third and the fourth size, each on two flows: 1000 bytes, 512 KiB.
    const uint32_t large = limit < 10 ? 4 : 6;
    EXPECT_NE(rig().frame(large).stamps.flags & kShortSend, 0u) << "one call took it all";
  }
}

TEST_P(Contract, StampsEveryFrameRoundItsCalls) {
  START({.request_bytes = 100, .reply_bytes = 10}, {});
  const MonoTime before = MonoNow();
  rig().RoundTrip(0, 100, 10);
  const SendStamps& stamps = rig().frame(0).stamps;
  EXPECT_GE(stamps.submitted, before);
  EXPECT_GE(stamps.send_returned, stamps.submitted);
  EXPECT_LE(stamps.send_returned, MonoNow());
  EXPECT_EQ(stamps.flags, 0u);
  EXPECT_FALSE(stamps.kernel_sent.is_set()) << "nobody asked";
  const TransportEvent& received = rig().log(0).last_received;
  EXPECT_TRUE(received.polled.is_set());
  EXPECT_GE(received.woke, stamps.submitted);
  EXPECT_GE(received.received, received.woke);
}

TEST_P(Contract, SaysWhenTheWaitThatBroughtTheBytesBegan) {
  if (GetParam().tls) GTEST_SKIP() << "its stamps are those of the plain transport";
  if (GetParam().poll == PollMode::kSpin) GTEST_SKIP() << "it never waits";
  for (const Nanos slack : {Nanos(), Seconds(10)}) {
    SCOPED_TRACE(slack.count());
    QuietPeer peer;
    auto made = MakeStack(GetParam(), {.deadline_slack = slack});
    if (!made.ok()) GTEST_SKIP() << made.status();
    Transport& transport = **made;
    ASSERT_TRUE(transport.Connect(peer.address(), Seconds(10)).ok());
    peer.Accept();
    SendStamps stamps;
    transport.Send(FlowId(0), {.head = AsBytes("x"), .stamps = &stamps});
    while (transport.Poll(MonoNow() + Seconds(60)).empty()) continue;
    const auto tid = static_cast<int>(syscall(SYS_gettid));
    std::atomic<bool> polling = false;
    MonoTime sent;
    std::thread sender([&] {
      while (!polling || !IsAsleep(tid)) std::this_thread::yield();
      sent = MonoNow();
      peer.Write("y");
    });
    const MonoTime before = MonoNow();
    polling = true;
    std::span<const TransportEvent> events;
    while (events.empty()) events = transport.Poll(MonoNow() + Seconds(60));
    sender.join();
    ASSERT_EQ(events[0].kind, TransportEvent::Kind::kReceived);
    EXPECT_GE(events[0].polled, before);
    EXPECT_LE(events[0].polled, sent);
    EXPECT_GE(events[0].woke, sent);
  }
}

std::atomic<bool> interrupted = false;

// A signal that a thread handles, as SIGCONT after SIGSTOP does, ends its system call early.
class HandledSignal {
 public:
  HandledSignal() {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = true; };
    sigaction(SIGUSR1, &action, &before_);
  }
  ~HandledSignal() { sigaction(SIGUSR1, &before_, nullptr); }
  static void Interrupt(int tid) {
    interrupted = false;
    syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
    while (!interrupted) std::this_thread::yield();
  }

 private:
  struct sigaction before_ = {};
};

// Whoever is interrupted in its wait was not at something else when the answer came.
TEST_P(Contract, AWaitThatIsInterruptedBeganWhenItBegan) {
  if (GetParam().tls) GTEST_SKIP() << "its stamps are those of the plain transport";
  if (GetParam().poll == PollMode::kSpin) GTEST_SKIP() << "it never waits";
  const HandledSignal handled;
  for (const Nanos slack : {Nanos(), Seconds(10)}) {
    SCOPED_TRACE(slack.count());
    QuietPeer peer;
    auto made = MakeStack(GetParam(), {.deadline_slack = slack});
    if (!made.ok()) GTEST_SKIP() << made.status();
    Transport& transport = **made;
    ASSERT_TRUE(transport.Connect(peer.address(), Seconds(10)).ok());
    peer.Accept();
    SendStamps stamps;
    transport.Send(FlowId(0), {.head = AsBytes("x"), .stamps = &stamps});
    while (transport.Poll(MonoNow() + Seconds(60)).empty()) continue;
    const auto tid = static_cast<int>(syscall(SYS_gettid));
    std::atomic<bool> polling = false;
    MonoTime asleep;
    std::thread sender([&] {
      while (!polling || !IsAsleep(tid)) std::this_thread::yield();
      asleep = MonoNow();
      for (int i = 0; i < 3; ++i) HandledSignal::Interrupt(tid);
      peer.Write("y");
    });
    polling = true;
    std::span<const TransportEvent> events;
    while (events.empty()) events = transport.Poll(MonoNow() + Seconds(60));
    sender.join();
    ASSERT_EQ(events[0].kind, TransportEvent::Kind::kReceived);
    EXPECT_LE(events[0].polled, asleep);
    EXPECT_GE(events[0].woke, asleep);
  }
}

TEST_P(Contract, BytesThatWereThereAreThoseOfTheCallThatPicksThemUp) {
  if (GetParam().tls) GTEST_SKIP() << "the handshake looks as well";
  START({.greeting_bytes = 100}, {});
  rig().peer().AwaitWritten(1, 100);
  rig().PollUntil([&] { return rig().log(0).received == 100; });  // checks when it was polled
}

TEST_P(Contract, SaysHowLongTheSocketWasFullOfEarlierBytes) {
  if (GetParam().tls) GTEST_SKIP() << "its stamps are those of the plain transport";
  QuietPeer peer;
  auto made = MakeStack(GetParam(), {.frames_max = 3, .send_buffer_bytes = 16 * 1024});
  if (!made.ok()) GTEST_SKIP() << made.status();
  Transport& transport = **made;
  ASSERT_TRUE(transport.Connect(peer.address(), Seconds(10)).ok());
  peer.Accept();
  const std::string large(8 << 20, 'l'), small(100, 's');
  SendStamps first, second, third;
  uint32_t sent = 0;
  const auto send = [&](const std::string& bytes, SendStamps* stamps) {
    transport.Send(FlowId(0), {.head = AsBytes(bytes), .stamps = stamps});
  };
  const auto poll = [&](MonoTime deadline) {
    for (const TransportEvent& event : transport.Poll(deadline)) {
      sent += event.kind == TransportEvent::Kind::kSent;
    }
  };
  send(large, &first);
  for (int i = 0; i < 4; ++i) poll(MonoNow());
  const MonoTime queued = MonoNow();
  send(small, &second);
  poll(queued + Millis(30));
  ASSERT_EQ(sent, 0u) << "the socket was never full";
  while (sent < 2) {
    peer.ReadWhatIsThere();
    poll(MonoNow());
  }
  EXPECT_FALSE(first.full_from.is_set()) << "nothing was before it";
  EXPECT_GE(second.full_from, first.submitted);
  EXPECT_LE(second.full_from, queued);
  EXPECT_GE(second.full_until, queued + Millis(30));
  EXPECT_LE(second.full_until, second.submitted);
  send(small, &third);
  while (sent < 3) poll(MonoNow());
  EXPECT_FALSE(third.full_from.is_set()) << "nothing was before it";
}

TEST_P(Contract, DeliversAGreetingWithoutARequest) {
  START({.greeting_bytes = 300'000}, {});
  rig().PollUntil([&] { return rig().log(0).received == 300'000; });
  EXPECT_EQ(rig().log(0).wrong, 0u);
}

TEST_P(Contract, DeliversTheLastWordsBeforeTheClose) {
  START({.greeting_bytes = 446, .close_after_written = 446}, {});
  rig().PollUntil([&] { return rig().log(0).closed > 0; });
  EXPECT_EQ(rig().log(0).received, 446u);
  EXPECT_EQ(rig().log(0).error, 0) << "closed in order";
}

TEST_P(Contract, ClosesOnceWhenThePeerLeavesInTheMiddleOfAFrame) {
  START({.close_after_read = 100'000, .receive_buffer_bytes = 4096, .good_bye = false},
        {.frames_max = 4, .send_buffer_bytes = 4096});
  for (int i = 0; i < 4; ++i) rig().Send(0, kHead, 1 << 20);
  rig().PollUntil([&] { return rig().log(0).closed > 0; });
  EXPECT_NE(rig().log(0).error, 0) << "the peer left bytes unread";
  for (uint32_t token = 0; token < 4; ++token) rig().FreeBytes(token);
  rig().Send(0, kHead, 0);
  for (int i = 0; i < 3; ++i) rig().Take(transport().Poll(MonoNow() + Millis(1)));
  EXPECT_EQ(rig().log(0).closed, 1);
  EXPECT_EQ(rig().log(0).after_closed, 0);
  EXPECT_LT(rig().log(0).sent.size(), 4u);
}

TEST_P(Contract, OpensAFlowAgain) {
  START({.request_bytes = 50, .reply_bytes = 50, .close_after_read = 100},
        {.flows_max = 2, .frames_max = 4});
  for (int connection = 0; connection < 3; ++connection) {
    if (connection > 0) {
      const absl::Status status =
          transport().Reopen(FlowId(0), rig().peer().address(), Seconds(10));
      ASSERT_TRUE(status.ok()) << status;
      rig().log(0) = {};
    }
    rig().RoundTrip(0, 50, 50);
    if (connection == 1) {
      transport().Close(FlowId(0));
      continue;
    }
    rig().Send(0, 50, 0);
    rig().PollUntil([&] { return rig().log(0).closed > 0; });
    EXPECT_EQ(rig().log(0).wrong, 0u);
    EXPECT_EQ(rig().log(0).closed, 1);
  }
  rig().RoundTrip(1, 50, 50);
  EXPECT_EQ(rig().log(1).closed, 0);
}

TEST_P(Contract, StaysEndedWhenItCannotBeOpenedAgain) {
  START({.request_bytes = 50, .reply_bytes = 50}, {.frames_max = 4});
  rig().RoundTrip(0, 50, 50);
  transport().Close(FlowId(0));
  EXPECT_FALSE(transport().Reopen(FlowId(0), RefusingAddress(), Seconds(10)).ok());
  rig().Send(0, 50, 0);  // is dropped
  rig().Take(transport().Poll(MonoNow() + Millis(1)));
  rig().log(0) = {};
  ASSERT_TRUE(transport().Reopen(FlowId(0), rig().peer().address(), Seconds(10)).ok());
  rig().RoundTrip(0, 50, 50);
}

TEST_P(Contract, KeepsOtherFlowsAliveWhenOneCloses) {
  START({.request_bytes = 50, .reply_bytes = 50, .close_after_read = 100},
        {.flows_max = 2, .frames_max = 4});
  rig().RoundTrip(1, 50, 50);
  rig().Send(0, 100, 0);
  rig().PollUntil([&] { return rig().log(0).closed > 0; });
  EXPECT_EQ(rig().log(1).closed, 0);
  const uint32_t token = rig().Send(1, 49, 0);
  rig().PollUntil([&] { return rig().frame(token).done; });
  EXPECT_EQ(rig().log(1).closed, 0);
}

TEST_P(Contract, ReturnsAtTheDeadlineWithoutSpinning) {
  START({}, {});
  rig().Take(transport().Poll(MonoNow()));
  const TransportCounters before = transport().counters();
  const MonoTime deadline = MonoNow() + Millis(40);
  EXPECT_TRUE(transport().Poll(deadline).empty());
  EXPECT_GE(MonoNow(), deadline);
  if (GetParam().poll == PollMode::kBlock) {
    EXPECT_LE(transport().counters().system_calls - before.system_calls, 8u);
    EXPECT_GE(transport().counters().waits - before.waits, 1u);
  } else {
    EXPECT_EQ(transport().counters().waits, before.waits);
  }
}

TEST_P(Contract, ReturnsAtTheDeadlineFromASleepThatMayBeLate) {
  START({}, {.deadline_slack = Millis(5)});
  const TransportCounters before = transport().counters();
  const MonoTime deadline = MonoNow() + Millis(40);
  EXPECT_TRUE(transport().Poll(deadline).empty());
  EXPECT_GE(MonoNow(), deadline);
  if (GetParam().poll == PollMode::kBlock) {
    EXPECT_LE(transport().counters().system_calls - before.system_calls, 20u);
  }
}

TEST_P(Contract, SubmitsWhatIsQueuedEvenAfterTheDeadline) {
  START({}, {});
  rig().Send(0, kHead, 1000);
  for (int i = 0; i < 1000 && !rig().frame(0).done; ++i) {
    rig().Take(transport().Poll(MonoNow() - Millis(1)));
  }
  EXPECT_EQ(rig().peer().AwaitReceived(0, kHead + 1000), rig().log(0).queued);
}

TEST_P(Contract, SeesAnswersWhileItNeverStopsSending) {
  START({.request_bytes = 100, .reply_bytes = 100}, {.frames_max = 4});
  for (int i = 0; rig().log(0).received == 0; ++i) {
    ASSERT_LT(i, 100'000) << "a send in every Poll() hides the answers";
    rig().Send(0, 100, 0);
    rig().Take(transport().Poll(MonoNow() + Seconds(10)));
  }
}

// All that the flows will ever receive is in their sockets before the first look; a look takes a
// part of it.
TEST_P(Contract, ServesNoFlowBeforeOthersForEver) {
  if (GetParam().tls) GTEST_SKIP() << "the handshake of a flow looks at the earlier ones";
  constexpr uint32_t kFlows = 12;
  constexpr uint64_t kBytes = 16 * 1024;
  START({.greeting_bytes = kBytes}, {.flows_max = kFlows,
                                     .frames_max = 1,
                                     .receive_buffer_bytes = 128 * 1024,
                                     .receive_chunk_bytes = 1024});
  rig().peer().AwaitWritten(kFlows, kBytes);
  uint64_t most = 0, least = 0;
  while (most < kBytes) {
    rig().Take(transport().Poll(MonoNow() + Seconds(10)));
    most = 0, least = kBytes;
    for (uint32_t i = 0; i < kFlows; ++i) {
      most = std::max(most, rig().log(i).received);
      least = std::min(least, rig().log(i).received);
    }
  }
  EXPECT_GE(least, kBytes / 2);
}

// A client that blocks in send and a peer that reads nothing before its answers are gone would wait
// for each other for ever.
TEST_P(Contract, DoesNotDeadlockWithBothDirectionsFull) {
  START({.request_bytes = 10'000,
         .reply_bytes = 300'000,
         .reads_while_writing = false,
         .send_buffer_bytes = 16 * 1024,
         .receive_buffer_bytes = 16 * 1024},
        {.frames_max = 32, .send_buffer_bytes = 16 * 1024, .receive_buffer_bytes = 16 * 1024});
  for (int i = 0; i < 32; ++i) rig().Send(0, 100, 9'900);
  rig().PollUntil([&] { return rig().log(0).received == 32 * 300'000u; });
  EXPECT_EQ(rig().log(0).wrong, 0u);
  EXPECT_EQ(rig().log(0).sent.size(), 32u);
}

// Under the address sanitizer this also proves that the kernel is done with the frames' bytes.
TEST_P(Contract, CloseLetsGoOfFramesInFlight) {
  START({.read_until = 0, .receive_buffer_bytes = 4096},
        {.flows_max = 2, .frames_max = 8, .send_buffer_bytes = 4096});
  for (int i = 0; i < 4; ++i) rig().Send(0, kHead, 1 << 20);
  for (int i = 0; i < 3; ++i) rig().Take(transport().Poll(MonoNow() + Millis(1)));
  transport().Close(FlowId(0));
  const size_t sent = rig().log(0).sent.size();
  for (uint32_t token = 0; token < 4; ++token) rig().FreeBytes(token);
  transport().Close(FlowId(0));  // a second time is nothing
  rig().Send(0, kHead, 0);
  const uint32_t other = rig().Send(1, kHead, 0);
  rig().PollUntil([&] { return rig().frame(other).done; });
  rig().Take(transport().Poll(MonoNow() + Millis(1)));
  EXPECT_EQ(rig().log(0).sent.size(), sent);
  EXPECT_EQ(rig().log(0).closed, 0);
  EXPECT_LT(sent, 4u) << "nothing was in flight";
}

TEST_P(Contract, IsDestroyedWithFramesInFlight) {
  START({.read_until = 0, .receive_buffer_bytes = 4096},
        {.frames_max = 2, .send_buffer_bytes = 4096});
  rig().Send(0, kHead, 1 << 20);
  rig().Take(transport().Poll(MonoNow() + Millis(1)));
  EXPECT_FALSE(rig().frame(0).done);
}

TEST_P(Contract, SendsABatchInOneCallAndOpsOneByOne) {
  START({}, {.frames_max = 16});
  rig().Take(transport().Poll(MonoNow()));
  const uint64_t before = transport().counters().system_calls;
  for (int i = 0; i < 16; ++i) rig().Send(0, 100, 100);
  rig().PollUntil([&] { return rig().log(0).sent.size() == 16; });
  const uint64_t calls = transport().counters().system_calls - before;
  if (GetParam().flush == FlushMode::kBatch) {
    EXPECT_LE(calls, 3u);
  } else {
    EXPECT_GE(calls, 16u);
  }
}

TEST_P(Contract, SaysWhoRefusedAConnection) {
  START({}, {.flows_max = 1});
  auto made = MakeStack(GetParam(), {});
  ASSERT_TRUE(made.ok());
  const SocketAddress nobody = RefusingAddress();
  const auto flow = (*made)->Connect(nobody, Seconds(5));
  EXPECT_EQ(flow.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(flow.status().message()), HasSubstr("127.0.0.1:"));
  EXPECT_THAT(std::string(flow.status().message()), HasSubstr("refused"));
}

TEST_P(Contract, SaysHowLongItWaitedForAConnection) {
  DeafListener deaf;
  auto made = MakeStack(GetParam(), {});
  if (!made.ok()) GTEST_SKIP() << made.status();
  const auto flow = (*made)->Connect(deaf.address(), Millis(30));
  EXPECT_EQ(flow.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(flow.status().message()), HasSubstr("no answer within 30 ms"));
}

TEST_P(Contract, RefusesAnUnknownCongestionControlAndOneFlowTooMany) {
  START({}, {.flows_max = 1});
  const auto second = transport().Connect(rig().peer().address(), Seconds(5));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kResourceExhausted);
  auto made = MakeStack(GetParam(), {.congestion_control = "nonesuch"});
  ASSERT_TRUE(made.ok());
  const auto flow = (*made)->Connect(rig().peer().address(), Seconds(5));
  EXPECT_EQ(flow.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(flow.status().message()), HasSubstr("nonesuch"));
}

TEST_P(Contract, GivesTheKernelsAccountOfAConnectionWhileThereIsOne) {
  START({.request_bytes = 100'000, .reply_bytes = 10}, {});
  TcpReading before, after;
  ASSERT_TRUE(transport().ReadTcp(FlowId(0), &before));
  rig().RoundTrip(0, 100'000, 10);
  ASSERT_TRUE(transport().ReadTcp(FlowId(0), &after));
  EXPECT_GT(after.min_rtt, Nanos());
  EXPECT_LT(after.min_rtt, Seconds(10));
  EXPECT_GE(after.busy, before.busy);
  EXPECT_GE(after.busy, after.receive_window_limited + after.send_buffer_limited);
  transport().Close(FlowId(0));
  EXPECT_FALSE(transport().ReadTcp(FlowId(0), &after));
}

TEST_P(Contract, ReportsWhatWasGranted) {
  START({}, {.send_buffer_bytes = 50'000});
  std::map<std::string, std::string> facts;
  for (const auto& [name, value] : transport().facts()) facts[name] = value;
  EXPECT_EQ(facts["transport"], std::string(Name(GetParam().kind)));
  EXPECT_EQ(facts["tcp_nodelay"], "1");
  EXPECT_EQ(facts["send_buffer_bytes"], "100000") << "the kernel doubles what is asked";
  EXPECT_NE(facts["congestion_control"], "");
  EXPECT_NE(facts["wait"], "");
}

INSTANTIATE_TEST_SUITE_P(
    Stacks, Contract,
    testing::Values(Stack{TransportKind::kSocket}, Stack{TransportKind::kEpoll},
                    Stack{TransportKind::kUring}, Stack{TransportKind::kSocket, FlushMode::kOp},
                    Stack{TransportKind::kEpoll, FlushMode::kOp},
                    Stack{TransportKind::kUring, FlushMode::kOp},
                    Stack{TransportKind::kSocket, FlushMode::kBatch, PollMode::kSpin},
                    Stack{TransportKind::kEpoll, FlushMode::kBatch, PollMode::kSpin},
                    Stack{TransportKind::kUring, FlushMode::kBatch, PollMode::kSpin}),
    [](const auto& tested) { return NameOf(tested.param); });

INSTANTIATE_TEST_SUITE_P(
    Tls, Contract,
    testing::Values(Stack{.kind = TransportKind::kSocket, .tls = true},
                    Stack{.kind = TransportKind::kEpoll, .tls = true},
                    Stack{.kind = TransportKind::kUring, .tls = true},
                    Stack{.kind = TransportKind::kEpoll, .flush = FlushMode::kOp, .tls = true},
                    Stack{.kind = TransportKind::kUring, .poll = PollMode::kSpin, .tls = true}),
    [](const auto& tested) { return NameOf(tested.param); });

}  // namespace
}  // namespace kbench
