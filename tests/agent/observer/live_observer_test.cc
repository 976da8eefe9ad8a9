// The observer on this host's loopback, both views at once, beside a real server.
#include "agent/observer/live_observer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "agent/observer/packet_observer.h"
#include "base/address.h"
#include "base/fd.h"
#include "kinetic/residence.h"
#include "tests/agent/observer/synthetic.h"
#include "tests/server/loopback_client.h"

namespace kbench::observer {
namespace {

using kinetic::MessageType;
using server::LoopbackClient;
using server::RunningServer;

const auto kAll = [](int64_t, uint64_t) { return true; };

std::unique_ptr<PacketObserver> Observe(uint16_t port, View view) {
  auto observer = PacketObserver::Start({.port = port, .view = view});
  if (observer.ok()) return *std::move(observer);
  EXPECT_EQ(observer.status().code(), absl::StatusCode::kPermissionDenied) << observer.status();
  return nullptr;
}

TEST(LiveObserver, NeedsAPort) {
  EXPECT_EQ(PacketObserver::Start({.port = 0}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LiveObserver, BothViewsSeeEveryRequestAndTheServerAgrees) {
  RunningServer server;
  const auto port = static_cast<uint16_t>(server.address().port);
  const auto client_view = Observe(port, View::kClient);
  if (client_view == nullptr) GTEST_SKIP() << "CAP_NET_RAW is missing";
  const auto server_view = Observe(port, View::kServer);
  LoopbackClient client(server.address());
  constexpr int kRequests = 100;
  for (int i = 0; i < kRequests; ++i) {
    client.Ask(client.Next(MessageType::kNoop));
  }
  kinetic::Command put = client.Next(MessageType::kPut);
  put.key_value = kinetic::KeyValue{.key = "k",
                                    .tag = "",
                                    .algorithm = 1,
                                    .force = true,
                                    .synchronization = kinetic::Synchronization::kWriteBack};
  client.Ask(put, std::string(1 << 20, 'v'));
  kinetic::Command get = client.Next(MessageType::kGet);
  get.key_value = kinetic::KeyValue{.key = "k"};
  EXPECT_EQ(client.Ask(get).value.size(), size_t{1} << 20);
  const kinetic::ResidenceLog log = client.Residences(client.connection_id());

  const WireObservation at_client = client_view->Finish(kAll);
  const WireObservation at_server = server_view->Finish(kAll);
  for (const WireObservation* one : {&at_client, &at_server}) {
    EXPECT_EQ(one->counters.ring_drops, 0u);
    EXPECT_EQ(one->counters.flows, 1u);
    EXPECT_EQ(one->counters.requests, kRequests + 3u);
    EXPECT_EQ(one->counters.answered, kRequests + 3u);
    EXPECT_EQ(one->counters.resynchronized, 0u);
    EXPECT_EQ(one->counters.unusable_packets, 0u);
    ASSERT_EQ(one->records.size(), kRequests + 3u);
    EXPECT_EQ(one->sums.departures, kRequests + 3u);
    EXPECT_LE(one->sums.busy, one->sums.window);
    RealTime before;
    for (const WireRecord& record : one->records) {
      EXPECT_EQ(record.connection_id, client.connection_id());
      EXPECT_EQ(record.inside, 0u);
      EXPECT_TRUE(record.request_first.is_set());
      EXPECT_LE(record.request_first, record.request_last);
      EXPECT_LT(record.request_last, record.response_first);
      EXPECT_LE(record.response_first, record.response_last);
      EXPECT_EQ(record.before_last, before);
      EXPECT_EQ(record.service, record.response_first - record.request_last);
      before = record.request_last;
    }
  }
  std::map<uint64_t, const WireRecord*> by_sequence;
  for (const WireRecord& record : at_server.records) by_sequence[record.sequence] = &record;
  for (const WireRecord& outer : at_client.records) {
    ASSERT_TRUE(by_sequence.contains(outer.sequence));
    const WireRecord& inner = *by_sequence[outer.sequence];
    EXPECT_LE(outer.request_first, inner.request_first);
    EXPECT_LE(outer.request_last, inner.request_last);
    EXPECT_LE(inner.response_last, outer.response_last);
  }
  // The server's own stamps lie between the packets'.
  ASSERT_GE(log.records.size(), kRequests + 2u);
  for (const kinetic::Residence& own : log.records) {
    if ((own.flags & kinetic::Residence::kKernelReceived) == 0) continue;
    const WireRecord& packets = *by_sequence[own.sequence];
    EXPECT_LE(own.duration(), packets.response_first - packets.request_last + Micros(1))
        << own.sequence;
  }
}

// Two ends of one connection over IPv6, without a server.
class Pair {
 public:
  Pair() {
    const Fd listener(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener.get(), any, size) != 0) return;
    listen(listener.get(), 1);
    getsockname(listener.get(), any, &size);
    port_ = ntohs(address.sin6_port);
    listener_ = Fd(dup(listener.get()));
  }
  uint16_t port() const { return port_; }
  void Connect() {
    sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port_), .sin6_addr = in6addr_loopback};
    client_ = Fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect(client_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    server_ = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  void Ask(const std::string& bytes) { Carry(client_.get(), server_.get(), bytes); }
  void Answer(const std::string& bytes) { Carry(server_.get(), client_.get(), bytes); }

 private:
  static void Carry(int from, int to, const std::string& bytes) {
    std::thread sender([&] {
      EXPECT_EQ(send(from, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    });
    std::string got(bytes.size(), '\0');
    EXPECT_EQ(recv(to, got.data(), got.size(), MSG_WAITALL), static_cast<ssize_t>(bytes.size()));
    sender.join();
    EXPECT_EQ(got, bytes);
  }
  uint16_t port_ = 0;
  Fd listener_, client_, server_;
};

TEST(LiveObserver, Ipv6AndNoMoreOfLongValuesThanMustBe) {
  Pair pair;
  if (pair.port() == 0) GTEST_SKIP() << "this host has no IPv6";
  for (const View view : {View::kClient, View::kServer}) {
    uint64_t captured = 0, whole = 0;
    auto observer =
        LiveObserver::Start({.port = pair.port(), .view = view}, [&](const Packet& packet) {
          captured += packet.network.size();
          whole += packet.network_size;
        });
    if (!observer.ok()) GTEST_SKIP() << observer.status();
    pair.Connect();
    for (uint64_t i = 1; i <= 20; ++i) {
      pair.Ask(RequestPdu(MessageType::kPut, i, 30'000));
      pair.Answer(AnswerPdu(MessageType::kPut, i));
    }
    pair.Ask(RequestPdu(MessageType::kGet, 21) + RequestPdu(MessageType::kGet, 22));
    pair.Answer(AnswerPdu(MessageType::kGet, 21, 100) + AnswerPdu(MessageType::kGet, 22, 30'000));
    const WireObservation got = (*observer)->Finish(kAll);
    EXPECT_EQ(got.counters.requests, 22u);
    EXPECT_EQ(got.counters.answered, 22u);
    EXPECT_EQ(got.counters.resynchronized, 0u);
    EXPECT_EQ(got.counters.bytes, whole);
    EXPECT_GT(whole, 21u * 30'000);
    EXPECT_LT(captured, 300'000u) << "one value of 21 could not be left out";
    for (const WireRecord& record : got.records) EXPECT_TRUE(record.response_last.is_set());
  }
}

TEST(LiveObserver, EndsWhenNothingComes) {
  // A port that is ours, and that nobody else can speak to.
  const Fd own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto any = Resolve(*ParseHostPort("127.0.0.1:0"));
  ASSERT_EQ(bind(own.get(), any->get(), any->length), 0);
  const auto port = static_cast<uint16_t>(LocalAddress(own.get())->port);
  const auto observer = Observe(port, View::kServer);
  if (observer == nullptr) GTEST_SKIP() << "CAP_NET_RAW is missing";
  observer->SetWindow(MonoNow(), MonoNow() + Seconds(10));
  const WireObservation got = observer->Finish(kAll);
  EXPECT_EQ(got.counters.packets, 0u);
  EXPECT_LT(got.sums.window, Seconds(10)) << "what was not observed is no part of the window";
  EXPECT_EQ(got.sums.busy, Nanos());
}

}  // namespace
}  // namespace kbench::observer
