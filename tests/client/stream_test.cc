// What client/stream.h promises, of every implementation: bytes both ways, and an end to every
// wait.
#include "client/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "client/socket_stream.h"
#include "client/transport_stream.h"
#include "tests/client/ways.h"
#include "tests/transport/fake_peer.h"

namespace kbench::client {
namespace {

const TlsContext& ServerTls() {
  static const auto* const context = new TlsContext(*TlsContext::SelfSigned("localhost"));
  return *context;
}

class StreamTest : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    const auto possible = Possible(GetParam());
    if (!possible.ok()) GTEST_SKIP() << possible;
  }

  absl::StatusOr<std::unique_ptr<Stream>> Connect(const SocketAddress& server, Nanos timeout) {
    const TlsContext* tls = GetParam().tls ? &tls_ : nullptr;
    const MonoTime deadline = MonoNow() + timeout;
    if (!GetParam().transport.has_value()) {
      return SocketStream::Connect(server, "", tls, deadline, cancelled_);
    }
    return TransportStream::Connect(*GetParam().transport, server, "", tls, deadline, cancelled_);
  }
  // Reads so many bytes; the words of a FakePeer.
  static void Expect(Stream* stream, size_t bytes) {
    std::vector<uint8_t> room(1000);
    for (size_t done = 0; done < bytes;) {
      const auto got = stream->Receive(room, MonoNow() + Seconds(20));
      ASSERT_TRUE(got.ok()) << got.status();
      ASSERT_FALSE(got->empty());
      for (const uint8_t byte : *got) ASSERT_EQ(byte, FakePeer::StreamByte(done++));
    }
  }
  FakePeer::Script Played(FakePeer::Script script) const {
    if (GetParam().tls) script.tls = &ServerTls();
    return script;
  }

  TlsContext tls_ = *TlsContext::Client("");
  const std::atomic<bool>* cancelled_ = nullptr;
};

TEST_P(StreamTest, CarriesBytesBothWays) {
  FakePeer peer(Played({.greeting_bytes = 10, .request_bytes = 1000, .reply_bytes = 3000}));
  auto stream = Connect(peer.address(), Seconds(20));
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ((*stream)->tls(), GetParam().tls);
  const std::string words(1'000'000, 'w');
  ASSERT_TRUE((*stream)->Send("", MonoNow()).ok());
  ASSERT_TRUE((*stream)->Send(words, MonoNow() + Seconds(20)).ok());
  ASSERT_TRUE((*stream)->Send("last", MonoNow() + Seconds(20)).ok());
  Expect(stream->get(), 10 + 3'000'000);
  EXPECT_EQ(peer.AwaitReceived(0, words.size() + 4), words + "last");
}

TEST_P(StreamTest, SaysThatTheServerLeftWhenAllIsRead) {
  FakePeer peer(Played({.greeting_bytes = 5000, .close_after_written = 5000}));
  auto stream = Connect(peer.address(), Seconds(20));
  ASSERT_TRUE(stream.ok()) << stream.status();
  Expect(stream->get(), 5000);
  std::vector<uint8_t> room(10);
  for (int i = 0; i < 2; ++i) {
    const absl::Status end = (*stream)->Receive(room, MonoNow() + Seconds(20)).status();
    EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable) << end;
  }
}

TEST_P(StreamTest, EveryWaitEndsAtItsDeadline) {
  FakePeer deaf(Played({.read_until = 0, .receive_buffer_bytes = 4096}));
  auto stream = Connect(deaf.address(), Seconds(20));
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::vector<uint8_t> room(10);
  MonoTime deadline = MonoNow() + Millis(30);
  EXPECT_TRUE(absl::IsDeadlineExceeded((*stream)->Receive(room, deadline).status()));
  EXPECT_GE(MonoNow(), deadline);
  deadline = MonoNow() + Millis(30);
  const absl::Status sent = (*stream)->Send(std::string(32 << 20, 'x'), deadline);
  EXPECT_TRUE(absl::IsDeadlineExceeded(sent)) << sent;
  EXPECT_GE(MonoNow(), deadline);
}

TEST_P(StreamTest, ASilentServerEndsAConnectOrTheFirstWait) {
  FakePeer silent({});
  auto stream = Connect(silent.address(), Millis(50));
  if (stream.ok()) {
    std::vector<uint8_t> room(10);
    stream = (*stream)->Receive(room, MonoNow() + Millis(50)).status();
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(stream.status())) << stream.status();
}

// An hour is not waited for.
TEST_P(StreamTest, EveryWaitIsCancelled) {
  const std::atomic<bool> cancelled = true;
  FakePeer peer(Played({.read_until = 0, .receive_buffer_bytes = 4096}));
  auto stream = Connect(peer.address(), Seconds(20));
  ASSERT_TRUE(stream.ok()) << stream.status();
  cancelled_ = &cancelled;
  const DeafListener deaf;
  EXPECT_TRUE(absl::IsCancelled(Connect(deaf.address(), Seconds(3600)).status()));
  FakePeer silent({});
  auto other = Connect(silent.address(), Seconds(3600));
  if (other.ok()) {
    std::vector<uint8_t> room(10);
    EXPECT_TRUE(absl::IsCancelled((*other)->Receive(room, MonoNow() + Seconds(3600)).status()));
    const std::string words(32 << 20, 'x');
    EXPECT_FALSE((*other)->Send(words, MonoNow() + Millis(50)).ok());
  } else {
    EXPECT_TRUE(absl::IsCancelled(other.status())) << other.status();
  }
}

INSTANTIATE_TEST_SUITE_P(Over, StreamTest, ::testing::ValuesIn(Ways()),
                         [](const auto& of) { return NameOf(of.param); });

}  // namespace
}  // namespace kbench::client
