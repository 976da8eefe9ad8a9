// A relay is a network: it loses nothing, changes nothing, adds what it says, and lets each end see
// that the other is gone.
#include "agent/path/delay_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/transport/fake_peer.h"

namespace kbench {
namespace {

using testing::HasSubstr;

class Client {
 public:
  explicit Client(const DelayRelay& relay) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(connect(fd_.get(), relay.address().get(), relay.address().length), 0);
  }
  void Send(const std::string& bytes) {
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t n = send(fd_.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      done += static_cast<size_t>(n);
    }
  }
  // Reads `bytes` of the peer's stream; false when it ends before, or is another one.
  bool Read(uint64_t bytes) {
    std::string buffer(1 << 16, '\0');
    for (const uint64_t until = got_ + bytes; got_ < until;) {
      const ssize_t n =
          recv(fd_.get(), buffer.data(), std::min<uint64_t>(buffer.size(), until - got_), 0);
      if (n <= 0) return false;
      for (ssize_t i = 0; i < n; ++i) {
        if (static_cast<uint8_t>(buffer[i]) != FakePeer::StreamByte(got_++)) return false;
      }
    }
    return true;
  }
  bool SeesTheEnd() {
    char byte = 0;
    return recv(fd_.get(), &byte, 1, 0) == 0;
  }
  void Close() { fd_.Reset(); }

 private:
  Fd fd_;
  uint64_t got_ = 0;
};

std::unique_ptr<DelayRelay> Relay(const FakePeer& peer, Nanos delay) {
  return *DelayRelay::Start({.server = peer.address(), .delay = delay});
}

TEST(DelayRelay, CarriesEveryByteOfEveryConnection) {
  constexpr uint64_t kBytes = 3'000'000;
  FakePeer peer({.request_bytes = kBytes, .reply_bytes = 2 * kBytes});
  const auto relay = Relay(peer, Micros(100));
  std::string sent;
  for (uint64_t i = 0; i < kBytes; ++i) sent.push_back(static_cast<char>(i * i));
  Client a(*relay), b(*relay);
  a.Send(sent);
  b.Send(sent);
  EXPECT_TRUE(a.Read(2 * kBytes));
  EXPECT_TRUE(b.Read(2 * kBytes));
  EXPECT_EQ(peer.AwaitReceived(0, kBytes), sent);
  EXPECT_EQ(peer.AwaitReceived(1, kBytes), sent);
}

TEST(DelayRelay, AddsAtLeastWhatItSaysEachWayAndKeepsCount) {
  FakePeer peer({.request_bytes = 10, .reply_bytes = 10});
  const auto relay = Relay(peer, Millis(2));
  Client client(*relay);
  for (uint64_t i = 1; i <= 20; ++i) {
    const MonoTime before = MonoNow();
    client.Send("0123456789");
    ASSERT_TRUE(client.Read(10));
    // What has come is counted, on however busy a machine.
    EXPECT_EQ(relay->added().chunks, 2 * i);
    EXPECT_GE(MonoNow() - before, Millis(4));
  }
  const DelayRelay::Added added = relay->added();
  EXPECT_GE(added.up, Millis(2));
  EXPECT_GE(added.down, Millis(2));
  relay->Forget();
  EXPECT_EQ(relay->added().chunks, 0u);
}

TEST(DelayRelay, IsALinkThatAllConnectionsShare) {
  // 25 000 bytes each way at 10 Mbit/s: 20 ms alone, 40 ms in company.
  constexpr int kBytes = 25'000;
  FakePeer peer({.request_bytes = kBytes, .reply_bytes = kBytes});
  const auto relay = *DelayRelay::Start({.server = peer.address(), .rate = 10'000'000});
  const std::string request(kBytes, 'x');
  Client a(*relay), b(*relay);
  MonoTime before = MonoNow();
  a.Send(request);
  ASSERT_TRUE(a.Read(kBytes));
  EXPECT_GE(MonoNow() - before, Millis(40)) << "both ways";
  before = MonoNow();
  a.Send(request);
  b.Send(request);
  ASSERT_TRUE(a.Read(kBytes));
  ASSERT_TRUE(b.Read(kBytes));
  EXPECT_GE(MonoNow() - before, Millis(60)) << "40 ms up, and the last reply down";
}

TEST(DelayRelay, DeliversTheServersLastWordsBeforeItsEnd) {
  FakePeer peer({.greeting_bytes = 100'000, .close_after_written = 100'000});
  const auto relay = Relay(peer, Millis(5));
  Client client(*relay);
  EXPECT_TRUE(client.Read(100'000));
  EXPECT_TRUE(client.SeesTheEnd());
}

TEST(DelayRelay, GoesOnWithOthersWhenOneClientLeaves) {
  FakePeer peer({.request_bytes = 10, .reply_bytes = 10});
  const auto relay = Relay(peer, Nanos());
  Client staying(*relay);
  {
    Client leaving(*relay);
    leaving.Send("012");
    leaving.Close();
  }
  staying.Send("0123456789");
  EXPECT_TRUE(staying.Read(10));
}

TEST(DelayRelay, HangsUpAndKnowsWhyWhenTheServerIsNotThere) {
  const auto relay = *DelayRelay::Start({.server = RefusingAddress()});
  Client client(*relay);
  EXPECT_TRUE(client.SeesTheEnd());
  EXPECT_THAT(relay->failure(), HasSubstr("refused"));
}

}  // namespace
}  // namespace kbench
