// A server that says why it ends a connection, against one that is lost: whole runs against a
// recording server, in every phase.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/load/run_control.h"
#include "agent/run/runner.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"

namespace kbench {
namespace {

using testing::HasSubstr;

MonoTime Soon() { return MonoNow() + Millis(30); }
void Ignore(const Interval&) {}

// A status that nobody asked for and the connection's end: that is a no, whenever it comes.
TEST(Runner, IsRefusedByAServerThatSaysWhyItEndsTheConnection) {
  RecordingServer server({.refuse_after = 6});
  Runner loads(SmallSpec(server.address()));
  ASSERT_TRUE(loads.Prepare().ok());
  const absl::Status loaded = loads.Load().status();
  EXPECT_EQ(loaded.code(), absl::StatusCode::kPermissionDenied) << loaded;
  EXPECT_THAT(std::string(loaded.message()), HasSubstr("INVALID_REQUEST: not from you"));

  for (const Nanos warmup : {Seconds(60), Nanos()}) {
    RunSpec spec = SmallSpec(server.address());
    spec.ops = {{.kind = OpKind::kPut}};
    spec.warmup = warmup;
    spec.duration = Seconds(60);
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    const auto outcome = runner.Run(Soon(), Ignore);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(outcome->aborted);
    EXPECT_THAT(outcome->abort_reason, HasSubstr("SERVER_REFUSED: server 127.0.0.1"));
    EXPECT_THAT(outcome->abort_reason, HasSubstr("it had said INVALID_REQUEST: not from you"));
  }
}

// Every connection's first request is its NOOP.
TEST(Runner, IsRefusedAtItsFirstNoopWhateverTheStatus) {
  for (const auto status :
       {kinetic::StatusCode::kInvalidRequest, kinetic::StatusCode::kInternalError}) {
    RecordingServer server({.close_after = 1, .refusal = status, .warn_at = 1});
    Runner warned(SmallSpec(server.address()));
    EXPECT_TRUE(warned.Prepare().ok()) << "words alone end nothing";
    RecordingServer closing({.refuse_after = 1, .refusal = status});
    RunSpec spec = SmallSpec(closing.address());
    spec.ops = {{.kind = OpKind::kGet}};
    spec.reuse = spec.load = true;
    Runner runner(spec);
    const absl::Status looked = runner.Prepare();
    EXPECT_EQ(looked.code(), absl::StatusCode::kPermissionDenied) << looked;
    EXPECT_THAT(std::string(looked.message()), HasSubstr("not from you"));
  }
}

// What it said before it answered other requests is not why it is gone; and a server that says that
// it shuts down, or that all is well, refuses nobody.
TEST(Runner, LosesAServerThatRefusesNothing) {
  for (const RecordingServer::Options& options :
       {RecordingServer::Options{.close_after = 201, .warn_at = 20},
        RecordingServer::Options{.refuse_after = 201, .refusal = kinetic::StatusCode::kShutdown},
        RecordingServer::Options{.refuse_after = 201, .refusal = kinetic::StatusCode::kSuccess}}) {
    RecordingServer server(options);
    RunSpec spec = SmallSpec(server.address());
    spec.ops = {{.kind = OpKind::kPut}};
    spec.duration = Seconds(60);
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    const auto outcome = runner.Run(Soon(), Ignore);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_THAT(outcome->abort_reason, HasSubstr("SERVER_LOST: server 127.0.0.1"));
    EXPECT_THAT(outcome->abort_reason, HasSubstr("it had said"));
  }
}

// Of one worker: connections are made in the order of its sessions.
TEST(Runner, IsRefusedWhereOneOfSeveralConnectionsHearsWhy) {
  for (const RecordingServer::Options& options :
       {RecordingServer::Options{.refuse_after = 0, .wordless = 2},
        RecordingServer::Options{.wordless = 2, .locked = true}}) {
    RecordingServer server(options);
    RunSpec spec = SmallSpec(server.address());
    spec.flows = 3;
    Runner runner(spec);
    const absl::Status prepared = runner.Prepare();
    EXPECT_EQ(prepared.code(), absl::StatusCode::kPermissionDenied) << prepared;
    EXPECT_THAT(std::string(prepared.message()),
                HasSubstr(options.locked ? "DEVICE_LOCKED" : "not from you"));
  }
}

// Which worker's connection is the last one, which alone is told, is chance: of eight, one in eight
// runs it is the first worker's.
TEST(Runner, IsRefusedWhereOneOfSeveralWorkersHearsWhy) {
  for (int run = 0; run < 3; ++run) {
    RecordingServer server({.refuse_after = 0, .wordless = 7});
    RunSpec spec = SmallSpec(server.address());
    spec.flows = spec.workers = 8;
    Runner runner(spec);
    const absl::Status prepared = runner.Prepare();
    EXPECT_EQ(prepared.code(), absl::StatusCode::kPermissionDenied) << prepared;
    EXPECT_THAT(std::string(prepared.message()), HasSubstr("not from you"));
  }
}

TEST(Runner, IsRefusedWhenEveryAttemptToComeBackIs) {
  RecordingServer server({.refuse_after = 6});
  RunSpec spec = SmallSpec(server.address());
  spec.ops = {{.kind = OpKind::kPut}};
  spec.duration = Seconds(60);
  spec.reconnects = 2;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->reconnects, 2u);
  EXPECT_THAT(outcome->abort_reason, HasSubstr("SERVER_REFUSED: server 127.0.0.1"));
  EXPECT_THAT(outcome->abort_reason, HasSubstr("2 attempts to open it again were made"));
}

TEST(RunControl, KeepsItsFirstReasonUnlessTheServerSaysWhy) {
  using Why = RunControl::Why;
  RunControl lost;
  lost.Stop(Why::kServerLost, "gone");
  lost.Stop(Why::kAsked, "enough");
  EXPECT_EQ(lost.reason(), "gone");
  lost.Stop(Why::kServerRefused, "no tag");
  EXPECT_EQ(lost.why(), Why::kServerRefused);
  EXPECT_EQ(lost.reason(), "no tag");
  lost.Stop(Why::kServerLost, "gone");
  EXPECT_EQ(lost.reason(), "no tag");
  RunControl asked;
  asked.Stop(Why::kAsked, "enough");
  asked.Stop(Why::kServerRefused, "no tag");
  EXPECT_EQ(asked.reason(), "enough");
}

}  // namespace
}  // namespace kbench
