// A path with known ends: what a probe says of it, and what it says when there is nothing to say.
#include "agent/path/path_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "agent/path/delay_relay.h"
#include "agent/path/echo_port.h"
#include "tests/agent/recording_server.h"
#include "tests/transport/fake_peer.h"
#include "transport/flow_socket.h"

namespace kbench {
namespace {

using testing::HasSubstr;

SocketAddress Local(uint16_t port) { return *Resolve({.host = "127.0.0.1", .port = port}); }

PathProbe ProbeOf(uint16_t port) {
  return {.target = {.host = "127.0.0.1", .port = port},
          .echoes = 200,
          .timeout = Seconds(30),
          .hmac_key = std::string(kinetic::kFactoryKey)};
}

TEST(PathProbe, MeasuresEchoesAndBulkBothWays) {
  const auto port = *EchoPort::Open(Local(0));
  PathProbe probe = ProbeOf(port->port());
  probe.bulk = Millis(200);
  const auto baseline = ProbePath(probe);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->echoes, 200u);
  EXPECT_GT(baseline->echo_floor, Nanos());
  EXPECT_LE(baseline->echo_floor, baseline->echo_p50);
  EXPECT_LE(baseline->echo_p50, baseline->echo_p99);
  EXPECT_GT(baseline->min_rtt, Nanos());
  EXPECT_GT(baseline->connect, Nanos());
  EXPECT_GT(baseline->sent_bytes_per_s, 0);
  EXPECT_GT(baseline->received_bytes_per_s, 0);
  EXPECT_EQ(baseline->reason, "");
}

TEST(PathProbe, FindsADelayOfKnownSize) {
  const auto port = *EchoPort::Open(Local(0));
  const auto relay = *DelayRelay::Start({.server = Local(port->port()), .delay = Millis(2)});
  PathProbe probe = ProbeOf(relay->port());
  probe.echoes = 20;
  const auto baseline = ProbePath(probe);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_GE(baseline->echo_floor, Millis(4));
}

TEST(PathProbe, ServesSeveralAtOnce) {
  const auto port = *EchoPort::Open(Local(0));
  std::vector<std::thread> threads;
  std::vector<absl::StatusOr<PathBaseline>> baselines(4, absl::UnknownError(""));
  for (auto& baseline : baselines) {
    threads.emplace_back([&baseline, &port] {
      PathProbe probe = ProbeOf(port->port());
      probe.bulk = Millis(50);
      baseline = ProbePath(probe);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& baseline : baselines) {
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    EXPECT_EQ(baseline->echoes, 200u);
  }
}

TEST(PathProbe, AsksAKineticServerForNoops) {
  RecordingServer server({.record = false});
  PathProbe probe = ProbeOf(server.address().port);
  probe.kind = PathProbe::Kind::kServer;
  probe.bulk = Seconds(1);
  const auto baseline = ProbePath(probe);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->echoes, 200u);
  EXPECT_EQ(server.requests(), 200u);
  EXPECT_GT(baseline->echo_floor, Nanos());
  EXPECT_GT(baseline->min_rtt, Nanos());
  EXPECT_EQ(baseline->sent_bytes_per_s, 0);
  EXPECT_EQ(baseline->reason, "bulk: a Kinetic server is sent none");
}

TEST(PathProbe, SaysThatAServerRefuses) {
  RecordingServer server({.hmac_key = "another key"});
  PathProbe probe = ProbeOf(server.address().port);
  probe.kind = PathProbe::Kind::kServer;
  const auto baseline = ProbePath(probe);
  EXPECT_EQ(baseline.status().code(), absl::StatusCode::kPermissionDenied) << baseline.status();
  EXPECT_THAT(std::string(baseline.status().message()), HasSubstr("HMAC key of identity"));
  EXPECT_THAT(std::string(baseline.status().message()), testing::Not(HasSubstr("asdfasdf")));
}

TEST(PathProbe, BelievesNoAnswerThatIsNone) {
  const auto why = [](RecordingServer::Options options) {
    RecordingServer server(std::move(options));
    PathProbe probe = ProbeOf(server.address().port);
    probe.kind = PathProbe::Kind::kServer;
    const auto baseline = ProbePath(probe);
    EXPECT_EQ(baseline.status().code(), absl::StatusCode::kPermissionDenied) << baseline.status();
    EXPECT_THAT(std::string(baseline.status().message()), testing::Not(HasSubstr("HMAC key")));
    return std::string(baseline.status().message());
  };
  EXPECT_THAT(why({.commandless = true}), HasSubstr("does the server know identity"));
  EXPECT_THAT(why({.twist = [](kinetic::Command* answer) { answer->header.message_type.reset(); }}),
              HasSubstr("the answer has no message type"));
  EXPECT_THAT(why({.garbage = true}), HasSubstr("handshake"));
}

TEST(PathProbe, NamesATargetThatIsNotThere) {
  uint16_t free = 0;
  { free = (*EchoPort::Open(Local(0)))->port(); }
  for (const auto kind : {PathProbe::Kind::kAgent, PathProbe::Kind::kServer}) {
    PathProbe probe = ProbeOf(free);
    probe.kind = kind;
    const auto baseline = ProbePath(probe);
    EXPECT_EQ(baseline.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(baseline.status().message()),
                HasSubstr(absl::StrCat("target 127.0.0.1:", free)));
  }
}

TEST(PathProbe, TakesAKineticServerForNoEchoPort) {
  RecordingServer server({.record = false});
  const auto baseline = ProbePath(ProbeOf(server.address().port));
  EXPECT_EQ(baseline.status().code(), absl::StatusCode::kUnavailable) << baseline.status();
}

TEST(PathProbe, EndsInTimeWhenNobodyAnswers) {
  FakePeer silent({});
  const absl::StatusOr<HostPort> name = ParseHostPort(ToString(silent.address()));
  for (const auto kind : {PathProbe::Kind::kAgent, PathProbe::Kind::kServer}) {
    PathProbe probe = ProbeOf(name->port);
    probe.kind = kind;
    probe.timeout = Millis(200);
    EXPECT_EQ(ProbePath(probe).status().code(), absl::StatusCode::kDeadlineExceeded);
  }
}

TEST(PathProbe, KeepsItsEchoesWhenThereIsNoTimeForBulk) {
  const auto port = *EchoPort::Open(Local(0));
  PathProbe probe = ProbeOf(port->port());
  probe.echoes = 5;
  probe.timeout = Seconds(2);
  probe.bulk = Seconds(30);
  const auto baseline = ProbePath(probe);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->echoes, 5u);
  EXPECT_EQ(baseline->sent_bytes_per_s, 0);
  EXPECT_THAT(baseline->reason, HasSubstr("bulk sent: not done within 2s"));
  EXPECT_THAT(baseline->reason, HasSubstr("bulk received: "));
}

TEST(PathProbe, EndsSoonWhenCancelled) {
  const std::atomic<bool> cancelled = true;
  const auto port = *EchoPort::Open(Local(0));
  PathProbe probe = ProbeOf(port->port());
  probe.cancelled = &cancelled;
  probe.timeout = Seconds(600);
  EXPECT_EQ(ProbePath(probe).status().code(), absl::StatusCode::kCancelled);
}

class Connector {
 public:
  explicit Connector(const EchoPort& port)
      : fd_(std::move((*ConnectFlow(Local(port.port()), Seconds(10), {})).fd)) {}
  void Ask(uint32_t magic_change, uint32_t request, uint32_t reply) {
    uint8_t header[echo::kHeaderBytes];
    echo::PutHeader(request, reply, header);
    header[3] = static_cast<uint8_t>(header[3] + magic_change);
    EXPECT_EQ(send(fd_.get(), header, sizeof(header), MSG_NOSIGNAL),
              static_cast<ssize_t>(sizeof(header)));
  }
  bool SeesTheEnd() {
    char byte = 0;
    return recv(fd_.get(), &byte, 1, 0) <= 0;
  }
  size_t Receive(size_t bytes) {
    std::string buffer(bytes, 'x');
    const ssize_t got = recv(fd_.get(), buffer.data(), bytes, MSG_WAITALL);
    return got < 0 ? 0 : static_cast<size_t>(got);
  }

 private:
  Fd fd_;
};

TEST(EchoPort, HangsUpOnWhoeverBreaksTheRules) {
  const auto port = *EchoPort::Open(Local(0));
  Connector wrong(*port), large(*port), greedy(*port), good(*port);
  wrong.Ask(1, 0, 1);
  large.Ask(0, echo::kMostBytes + 1, 1);
  greedy.Ask(0, 0, echo::kMostBytes + 1);
  EXPECT_TRUE(wrong.SeesTheEnd());
  EXPECT_TRUE(large.SeesTheEnd());
  EXPECT_TRUE(greedy.SeesTheEnd());
  good.Ask(0, 0, echo::kMostBytes);
  good.Ask(0, 0, 3);
  EXPECT_EQ(good.Receive(echo::kMostBytes + 3), echo::kMostBytes + 3);
}

TEST(EchoPort, HangsUpOnEverybodyWhenItCloses) {
  auto port = *EchoPort::Open(Local(0));
  Connector waiting(*port);
  waiting.Ask(0, 0, 3);
  EXPECT_EQ(waiting.Receive(3), 3u);
  port.reset();
  EXPECT_TRUE(waiting.SeesTheEnd());
}

TEST(EchoPort, TakesNoMoreConnectionsThanItMay) {
  const auto port = *EchoPort::Open(Local(0));
  std::list<Connector> connectors;
  for (int i = 0; i < EchoPort::kConnectionsMost; ++i) {
    connectors.emplace_back(*port).Ask(0, 0, 1);
    EXPECT_EQ(connectors.back().Receive(1), 1u);
  }
  Connector refused(*port);
  EXPECT_TRUE(refused.SeesTheEnd());
}

}  // namespace
}  // namespace kbench
