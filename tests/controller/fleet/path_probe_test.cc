// Paths between fake agents: what is asked of whom, and that a path that cannot be measured says
// so.
#include "controller/fleet/path_probe.h"

#include <gtest/gtest.h>

#include <utility>

#include "controller/fleet/exit_codes.h"
#include "tests/controller/dispatcher_rig.h"

namespace kbench {
namespace {

using result::NetworkBaseline;

class PathProbeTest : public DispatcherTest {
 protected:
  MeasuredPath ToServer(const KineticServer& server = {.address = "drive:8123"}) {
    return PathProber(options_, &interrupts_).ToServer(links_[0].get(), server);
  }
  MeasuredPath ToAgent() {
    return PathProber(options_, &interrupts_).ToAgent(links_[0].get(), links_[1].get());
  }
  static void ExpectNotMeasured(const MeasuredPath& path, const std::string& why) {
    EXPECT_FALSE(path.status.ok());
    EXPECT_NE(path.baseline.reason().find(why), std::string::npos) << path.baseline.reason();
    EXPECT_NE(path.baseline.from(), "");
    EXPECT_NE(path.baseline.to(), "");
    EXPECT_NE(path.baseline.kind(), NetworkBaseline::UNKNOWN);
  }

  // So long that no machine is too busy for the echoes that a test counts.
  PathProbeOptions options_ = {.echo_time = Seconds(600)};
};

TEST_F(PathProbeTest, AServerIsAskedWithItsCredentialsAndWithoutBulk) {
  FakeAgent& agent = Add();
  const MeasuredPath path = ToServer(
      {.address = "drive:8123", .identity = 7, .hmac_key = "secret", .tls = true, .tls_ca = "pem"});
  ASSERT_TRUE(path.status.ok()) << path.status;
  EXPECT_EQ(path.baseline.from(), agent.address());
  EXPECT_EQ(path.baseline.to(), "drive:8123");
  EXPECT_EQ(path.baseline.kind(), NetworkBaseline::SERVER);
  EXPECT_EQ(path.baseline.echoes(), 2000u);
  EXPECT_EQ(path.baseline.echo_floor_ns(), Micros(10).count());
  EXPECT_EQ(path.baseline.sent_bytes_per_s(), 0);
  ASSERT_EQ(agent.heard_probe().size(), 2u);
  const control::ProbeRequest request = agent.heard_probe().back();
  EXPECT_EQ(request.target(), "drive:8123");
  EXPECT_EQ(request.kind(), NetworkBaseline::SERVER);
  EXPECT_EQ(request.identity(), 7);
  EXPECT_EQ(request.hmac_key(), "secret");
  EXPECT_TRUE(request.tls());
  EXPECT_EQ(request.tls_ca(), "pem");
  EXPECT_EQ(request.bulk_ns(), 0);
  EXPECT_GT(request.timeout_ns(), options_.echo_time.count());
}

TEST_F(PathProbeTest, AnAgentIsReachedAtItsEchoPortWhichIsClosedAfterwards) {
  FakeAgent& from = Add();
  FakeAgent& to = Add({.echo_port = 4321});
  const MeasuredPath path = ToAgent();
  ASSERT_TRUE(path.status.ok()) << path.status;
  EXPECT_EQ(path.baseline.from(), from.address());
  EXPECT_EQ(path.baseline.to(), to.address()) << "not the port that is gone by now";
  EXPECT_EQ(path.baseline.kind(), NetworkBaseline::AGENT);
  EXPECT_EQ(path.baseline.received_bytes_per_s(), 2e8);
  ASSERT_EQ(from.heard_probe().size(), 3u);
  EXPECT_EQ(from.heard_probe()[0].echoes(), 20u) << "the first one only looks how long it takes";
  EXPECT_EQ(from.heard_probe()[1].echoes(), 2000u);
  EXPECT_EQ(from.heard_probe()[1].bulk_ns(), 0);
  EXPECT_EQ(from.heard_probe()[2].echoes(), 0u);
  EXPECT_EQ(from.heard_probe()[2].bulk_ns(), options_.bulk.count());
  EXPECT_EQ(from.heard_probe()[2].target(), "127.0.0.1:4321");
  to.Die();  // waits for its streams
  EXPECT_EQ(to.echoes_open(), 0);
}

// 20 s each: 30 of them in 600 s, and never fewer than were already made.
TEST_F(PathProbeTest, ALongPathHasFewerEchoes) {
  FakeAgent& agent = Add({.probe = [](const control::ProbeRequest&, NetworkBaseline* baseline) {
    baseline->set_echo_p50_ns(Seconds(20).count());
    return grpc::Status::OK;
  }});
  EXPECT_TRUE(ToServer().status.ok());
  EXPECT_EQ(agent.heard_probe().at(1).echoes(), 30u);
  options_.echo_time = Seconds(100);
  EXPECT_TRUE(ToServer().status.ok());
  EXPECT_EQ(agent.heard_probe().at(3).echoes(), 20u);
}

// Echoes that came too slowly are kept with what is said of them, and cost the bulk nothing.
TEST_F(PathProbeTest, BulkIsMeasuredAlsoWhenTheEchoesWereCutShort) {
  Add({.probe = [](const control::ProbeRequest& request, NetworkBaseline* baseline) {
    if (request.echoes() > 20) {
      baseline->set_echoes(1234);
      baseline->set_reason("not done in time");
    }
    return grpc::Status::OK;
  }});
  Add();
  const MeasuredPath path = ToAgent();
  ExpectNotMeasured(path, "not done in time");
  EXPECT_EQ(path.baseline.echoes(), 1234u);
  EXPECT_EQ(path.baseline.sent_bytes_per_s(), 1e8);
}

TEST_F(PathProbeTest, AServerThatIsNotThereIsUnreachable) {
  FakeAgent& agent = Add({.probe = [](const control::ProbeRequest&, NetworkBaseline* baseline) {
    baseline->Clear();
    baseline->set_reason("connection refused");
    return grpc::Status::OK;
  }});
  const MeasuredPath path = ToServer();
  ExpectNotMeasured(path, "connection refused");
  EXPECT_EQ(ExitCodeOf(path.status), ExitCode::kServerUnreachable) << path.status;
  EXPECT_EQ(agent.heard_probe().size(), 1u) << "one refusal is enough";
}

// An agent says about its target what gRPC says about an agent; the agent that is there is told
// from the one that is not.
TEST_F(PathProbeTest, AnAgentsWordAboutTheServerIsNotTakenForALostAgent) {
  Add({.probe = [](const control::ProbeRequest&, NetworkBaseline*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused");
  }});
  const MeasuredPath path = ToServer();
  ExpectNotMeasured(path, "connection refused");
  EXPECT_EQ(ExitCodeOf(path.status), ExitCode::kServerUnreachable) << path.status;
  Add();
  EXPECT_EQ(ExitCodeOf(ToAgent().status), ExitCode::kIncomplete) << "the same, of an echo port";
  agents_[0]->Die();
  EXPECT_EQ(ExitCodeOf(ToServer().status), ExitCode::kIncomplete);
}

TEST_F(PathProbeTest, AServerThatSaysNoOrNothingIsUnreachable) {
  for (const auto code :
       {grpc::StatusCode::PERMISSION_DENIED, grpc::StatusCode::DEADLINE_EXCEEDED}) {
    links_.clear();
    Add({.probe = [code](const control::ProbeRequest&, NetworkBaseline*) {
      return grpc::Status(code, "wrong HMAC");
    }});
    const MeasuredPath path = ToServer();
    ExpectNotMeasured(path, "wrong HMAC");
    EXPECT_EQ(ExitCodeOf(path.status), ExitCode::kServerUnreachable) << path.status;
  }
}

TEST_F(PathProbeTest, WhatIsMissingOfAPathIsSaidAndTheRestKept) {
  Add({.probe = [](const control::ProbeRequest& request, NetworkBaseline* baseline) {
    if (request.bulk_ns() > 0) baseline->set_reason("the bulk broke off");
    return grpc::Status::OK;
  }});
  Add();
  const MeasuredPath path = ToAgent();
  ExpectNotMeasured(path, "the bulk broke off");
  EXPECT_EQ(path.baseline.echoes(), 2000u);
  EXPECT_EQ(ExitCodeOf(path.status), ExitCode::kIncomplete);
}

TEST_F(PathProbeTest, AnAgentThatDoesNotKnowTheCallSaysSo) {
  Add({.probe = [](const control::ProbeRequest&, NetworkBaseline*) {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
  }});
  const MeasuredPath path = ToServer();
  ExpectNotMeasured(path, "does not know this call");
  EXPECT_EQ(ExitCodeOf(path.status), ExitCode::kVersionMismatch);
}

TEST_F(PathProbeTest, AnEchoPortThatDoesNotOpenIsTheReason) {
  FakeAgent& from = Add();
  Add({.echo = grpc::Status(grpc::StatusCode::INTERNAL, "no port left")});
  ExpectNotMeasured(ToAgent(), "no port left");
  EXPECT_TRUE(from.heard_probe().empty());
}

TEST_F(PathProbeTest, AnEchoPortThatIsNoneIsTheReason) {
  Add();
  Add({.echo_port = 70'000});
  ExpectNotMeasured(ToAgent(), "70000");
}

TEST_F(PathProbeTest, FrozenAgentsCostTheirDeadlineAndNoMore) {
  options_.patience = Millis(300);
  options_.echo_time = Millis(10);
  options_.bulk = Millis(10);
  Add();
  Add({.silent_echo = true});
  ExpectNotMeasured(ToAgent(), "opening the echo port");
  links_.erase(links_.begin());
  links_.erase(links_.begin());
  Add({.silent_probe = true});
  const MonoTime before = MonoNow();
  ExpectNotMeasured(ToServer(), "did not end within");
  EXPECT_GE(MonoNow() - before, options_.patience * 2);
}

TEST_F(PathProbeTest, CtrlCEndsTheWait) {
  Add({.silent_probe = true});
  interrupts_.count = 1;
  const MeasuredPath path = ToServer();
  ExpectNotMeasured(path, "interrupted");
  EXPECT_EQ(ExitCodeOf(path.status), ExitCode::kInterrupted);
}

}  // namespace
}  // namespace kbench
