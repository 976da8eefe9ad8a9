// Whole runs against a recording server over real loopback sockets.
#include "agent/run/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/units.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"
#include "tests/base/judge.h"

namespace kbench {
namespace {

using testing::HasSubstr;

MonoTime Soon() { return MonoNow() + Millis(100); }
void Ignore(const Interval&) {}

bool HasCaveat(const RunOutcome& outcome, absl::string_view code) {
  return std::any_of(outcome.caveats.begin(), outcome.caveats.end(),
                     [code](const Caveat& caveat) { return caveat.code == code; });
}

TEST(Runner, LoadsMeasuresAndAddsUp) {
  RecordingServer server({.record = false});
  RunSpec spec = SmallSpec(server.address());
  spec.flows = 4;
  spec.workers = 2;
  spec.depth = 2;
  spec.load = true;
  spec.warmup = Millis(20);
  spec.sample_every = 4;
  spec.samples_max = 100'000;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto loaded = runner.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->keys, 20u);
  EXPECT_EQ(server.store().size(), 20u);
  std::vector<Interval> seen;
  const auto outcome = runner.Run(Soon(), [&](const Interval& i) { seen.push_back(i); });
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const Counts counts = outcome->totals();
  EXPECT_TRUE(counts.Identical());
  EXPECT_GT(counts.answered, 0u);
  EXPECT_EQ(counts.failed, 0u) << outcome->ops[0].first_errors.empty();
  EXPECT_EQ(outcome->measured, Millis(100));
  EXPECT_FALSE(outcome->aborted);
  EXPECT_GE(outcome->first_send_offset, Nanos());
  ASSERT_EQ(seen.size(), outcome->intervals.size());
  uint64_t completed = 0;
  Nanos length;
  for (const Interval& interval : outcome->intervals) {
    EXPECT_EQ(interval.start_offset, length);
    length += interval.length;
    completed += interval.progress.completed;
  }
  uint64_t in_window = 0;
  for (const OpStats& op : outcome->ops) in_window += op.answered_in_window;
  EXPECT_EQ(completed, in_window);
  EXPECT_GT(completed, 0u);
  EXPECT_EQ(length, outcome->measured);
  EXPECT_GT(outcome->samples.size(), 0u);
  EXPECT_FALSE(outcome->server_trace.available);
  EXPECT_THAT(outcome->server_trace.reason, HasSubstr("NOT_FOUND"));
  EXPECT_GT(outcome->use.threads.cpu(), Nanos());
  EXPECT_GT(outcome->use.transport.system_calls, 0u);
}

TEST(Runner, ALoadKeepsToWhatItsAgentsOwnerAllows) {
  RecordingServer server({.record = false});
  RunSpec spec = SmallSpec(server.address());
  spec.load = true;
  spec.load_pace = Millis(40);
  spec.load_most = Millis(200);
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto loaded = runner.Load();
  EXPECT_TRUE(absl::IsDeadlineExceeded(loaded.status())) << loaded.status();
  EXPECT_THAT(loaded.status().message(), HasSubstr("not over within this agent's --max-duration"));
  EXPECT_GT(server.store().size(), 0u);
  EXPECT_LE(server.store().size(), 5u) << "20 keys are wanted, one each 40 ms";
}

TEST(Runner, TakesTheNullTransportThroughAWholeRun) {
  RunSpec spec = SmallSpec({});
  spec.transport = TransportKind::kNull;
  spec.ops = {{.kind = OpKind::kGet}};
  spec.depth = 4;
  spec.load = true;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  ASSERT_TRUE(runner.Load().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const Counts counts = outcome->totals();
  EXPECT_TRUE(counts.Identical());
  EXPECT_GT(counts.answered, 0u);
  EXPECT_EQ(counts.answered, counts.sent);
  EXPECT_THAT(outcome->server_trace.reason, HasSubstr("null transport"));
}

TEST(Runner, KeepsTheKernelsAccountOfItsConnectionsAndOfItsHost) {
  RecordingServer server({.record = false});
  RunSpec spec = SmallSpec(server.address());
  spec.flows = 3;
  spec.workers = 2;
  spec.duration = Millis(350);
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->tcp.flows, 3u);
  EXPECT_GT(outcome->tcp.min_rtt, Nanos());
  EXPECT_NE(outcome->tcp.congestion_control, "");
  EXPECT_EQ(outcome->tcp.reason, "");
  const HostUse& host = outcome->host_use;
  EXPECT_GE(host.samples, 2u);
  EXPECT_LE(host.samples, 5u) << "0, 100, 200, 300 and 350 ms";
  EXPECT_GE(host.window, Millis(250));
  EXPECT_GT(host.own, Nanos());
  EXPECT_GT(host.cpus, 0u);
  EXPECT_NE(host.idle_state, "");
  ASSERT_EQ(host.links.size(), 1u);
  EXPECT_EQ(host.links[0].interface, "lo");
  EXPECT_GT(host.links[0].sent_bytes, outcome->ops[0].request_bytes);
  EXPECT_GT(host.links[0].sent_packets, 0u);
  EXPECT_EQ(host.links[0].backlog_samples, host.samples);
}

TEST(Runner, SaysWhyANullRunHasNoConnections) {
  RunSpec spec = SmallSpec({});
  spec.transport = TransportKind::kNull;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->tcp.flows, 0u);
  EXPECT_THAT(outcome->tcp.reason, HasSubstr("null transport"));
  EXPECT_TRUE(outcome->host_use.links.empty());
}

// The guard of docs/measurement.md: stamps that nobody takes out of the error queue turn a client
// that sleeps into one that spins, with a lower latency for it.
TEST(Runner, RefusesToBelieveARunWhoseStampsStayInTheErrorQueue) {
  for (const bool leave : {false, true}) {
    RecordingServer server({.record = false});
    RunSpec spec = SmallSpec(server.address());
    spec.sample_every = 1;
    spec.samples_max = 1000;
    spec.duration = Seconds(60);
    spec.max_ops_per_flow = 50;
    spec.leave_stamps = leave;
    // An answer that takes its time leaves the client time to spin.
    spec.inject = {.relay = true, .relay_delay = Millis(1)};
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    const auto outcome = runner.Run(Soon(), Ignore);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->use.transport.stamps_asked, 50u);
    EXPECT_EQ(HasCaveat(*outcome, "stamps_undrained"), leave);
    EXPECT_EQ(HasCaveat(*outcome, "probe_perturbed"), leave);
  }
}

TEST(Runner, SendsAnOpenLoopAtItsRate) {
  RecordingServer server({.record = false});
  RunSpec spec = SmallSpec(server.address());
  spec.ops = {{.kind = OpKind::kPut}};
  spec.flows = 4;
  spec.depth = 64;
  spec.open = OpenLoop{.rate = 2000};
  spec.duration = Millis(250);
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->totals().due, 500u) << "instants depend on nothing but rate and duration";
}

TEST(Runner, InterleavesTheConstantArrivalsOfAllAgents) {
  RecordingServer server({.record = false});
  std::vector<Nanos> first_due;
  for (const uint32_t agent : {0u, 1u}) {
    RunSpec spec = SmallSpec(server.address());
    spec.agent_index = agent;
    spec.agent_count = 2;
    spec.flows = 2;
    spec.depth = 8;
    spec.open = OpenLoop{.rate = 10};
    spec.sample_every = 1;
    spec.samples_max = 1000;
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    const ForeignCpu others;
    const auto outcome = runner.Run(Soon(), Ignore);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    Nanos first = Seconds(1);
    for (const OpRecord& sample : outcome->samples) {
      first = std::min(first, sample.intended - outcome->planned_start);
    }
    first_due.push_back(first);
    JudgeWhenQuiet(outcome->first_send_offset < Millis(50),
                   {.what = "first request after it was due",
                    .figure = FormatDuration(outcome->first_send_offset),
                    .bound = "less than the 50 ms until then, which are no lateness"},
                   others.Cpus());
  }
  // Each agent sends every 100 ms; together they send every 50 ms.
  EXPECT_EQ(first_due[1] - first_due[0], Millis(50));
}

TEST(Runner, VerifiesEveryValueThatItReads) {
  for (const bool corrupt : {false, true}) {
    RecordingServer server({.record = false, .corrupt_values = corrupt});
    RunSpec spec = SmallSpec(server.address());
    spec.ops = {{.kind = OpKind::kGet}, {.kind = OpKind::kNext},   {.kind = OpKind::kPrevious},
                {.kind = OpKind::kPut}, {.kind = OpKind::kPutNew}, {.kind = OpKind::kBatch}};
    spec.flows = 2;
    spec.depth = 2;
    spec.load = true;
    spec.verify = true;
    spec.duration = Seconds(60);
    spec.max_ops_per_flow = 300;
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    ASSERT_TRUE(runner.Load().ok());
    const auto outcome = runner.Run(Soon(), Ignore);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(HasCaveat(*outcome, "values_verified"));
    EXPECT_EQ(HasCaveat(*outcome, "wrong_values"), corrupt);
    for (size_t i = 0; i < spec.ops.size(); ++i) {
      const OpStats& op = outcome->ops[i];
      SCOPED_TRACE(std::string(Name(spec.ops[i].kind)));
      EXPECT_GT(op.counts.sent, 0u);
      const bool wrong = corrupt && ReadsValue(spec.ops[i].kind);
      EXPECT_EQ(op.statuses[kWrongValueSlot], wrong ? op.counts.sent : 0u);
      EXPECT_EQ(op.counts.answered, wrong ? 0u : op.counts.sent);
      if (!wrong) continue;
      EXPECT_EQ(op.first_errors[0], "WRONG_VALUE: its bytes are not those written");
    }
  }
}

TEST(Runner, OpensLostConnectionsAgainAndCountsThem) {
  for (const TransportKind transport :
       {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring}) {
    SCOPED_TRACE(std::string(Name(transport)));
    if (!MakeTransport(transport, {}).ok()) continue;
    RecordingServer server({.record = false, .close_after = 20});
    RunSpec spec = SmallSpec(server.address());
    spec.transport = transport;
    spec.flows = 2;
    spec.depth = 2;
    spec.sample_every = 3;
    spec.samples_max = 1000;
    spec.duration = Seconds(60);
    spec.max_ops_per_flow = 60;
    spec.reconnects = 1000;
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    const auto outcome = runner.Run(Soon(), Ignore);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    const Counts counts = outcome->totals();
    EXPECT_FALSE(outcome->aborted) << outcome->abort_reason;
    EXPECT_TRUE(counts.Identical());
    EXPECT_EQ(counts.due, 120u);
    // 20 requests a connection, one of the first for the proof: 60 take two more connections.
    EXPECT_GE(outcome->reconnects, 4u);
    EXPECT_GT(counts.lost, 0u);
    EXPECT_LE(counts.lost, 2 * (outcome->reconnects + 2));
    EXPECT_GT(outcome->disconnected, Nanos());
    EXPECT_TRUE(HasCaveat(*outcome, "reconnected"));
  }
}

// A server that is gone for good, with every connection lost at once: the run ends when it should.
TEST(Runner, EndsInTimeWhenNothingCanBeOpenedAgain) {
  auto server = std::make_unique<RecordingServer>(RecordingServer::Options{.record = false});
  RunSpec spec = SmallSpec(server->address());
  spec.flows = 30;
  spec.duration = Seconds(1);
  spec.reconnects = 1'000'000;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  std::atomic<bool> over = false;
  std::thread killer([&] {
    // Each flow's first request was its proof: the next one is of the window.
    while (server->requests() <= spec.flows && !over) std::this_thread::yield();
    server.reset();
  });
  const auto outcome = runner.Run(Soon(), Ignore);
  over = true;
  killer.join();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->totals().Identical());
  EXPECT_EQ(outcome->losses, 30u);
  EXPECT_EQ(outcome->reconnects, 0u);
  EXPECT_LE(outcome->reopening, outcome->disconnected) << "a part of it, counted once";
  EXPECT_GT(outcome->ops[0].lost_by[static_cast<int>(LostWhy::kConnection)] +
                outcome->ops[1].lost_by[static_cast<int>(LostWhy::kConnection)],
            0u);
}

// Accepted and hung up on: that is no way back, and the pauses grow.
TEST(Runner, PausesBetweenAttemptsThatGetNoGreeting) {
  const auto attempts = [](Nanos duration) {
    RecordingServer server({.record = false, .close_after = 20, .greetings = 1});
    RunSpec spec = SmallSpec(server.address());
    spec.duration = duration;
    spec.reconnects = 1'000'000;
    Runner runner(spec);
    EXPECT_TRUE(runner.Prepare().ok());
    const auto outcome = runner.Run(Soon(), Ignore);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->reconnects, 0u);
    return server.accepted();
  };
  // 0, 10, 30, 70, 150, 310, 630 ms after the loss: never one a tick.
  EXPECT_LE(attempts(Millis(500)), 1u + 7);
}

TEST(Runner, GivesUpWhenItsAttemptsAreUsedUp) {
  RecordingServer server({.record = false, .close_after = 20});
  RunSpec spec = SmallSpec(server.address());
  spec.duration = Seconds(60);
  spec.reconnects = 2;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->aborted);
  EXPECT_THAT(outcome->abort_reason, HasSubstr("2 attempts to open it again were made"));
  EXPECT_EQ(outcome->reconnects, 2u);
  EXPECT_TRUE(outcome->totals().Identical());
}

TEST(Runner, NamesAServerThatIsNotThere) {
  HostPort free_port;
  { free_port = RecordingServer().address(); }
  Runner runner(SmallSpec(free_port));
  const absl::Status status = runner.Prepare();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(free_port.ToString()));
}

TEST(Runner, GivesUpOnAServerThatAcceptsAndStaysSilent) {
  RecordingServer server({.silent = true});
  RunSpec spec = SmallSpec(server.address());
  spec.connect_timeout = Millis(50);
  Runner runner(spec);
  const absl::Status status = runner.Prepare();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(status.message(),
            absl::StrCat("server ", server.address().ToString(),
                         " accepted the connection but sent no Kinetic handshake within 50ms (is "
                         "it a Kinetic server?)"));
}

TEST(Runner, GivesUpOnAServerThatSpeaksNoKinetic) {
  RecordingServer server({.garbage = true});
  Runner runner(SmallSpec(server.address()));
  const absl::Status status = runner.Prepare();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no Kinetic"));
}

TEST(Runner, IsRefusedWithAWrongKey) {
  RecordingServer server({.hmac_key = "another key"});
  Runner runner(SmallSpec(server.address()));
  const absl::Status status = runner.Prepare();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("HMAC_FAILURE"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("is the HMAC key right?"));
  EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("asdfasdf")));
}

// Why the first NOOP was refused: a hint that fits, and none about keys but for HMAC_FAILURE.
TEST(Runner, HintsAtWhatTheRefusalIsAbout) {
  using kinetic::MessageType;
  using kinetic::StatusCode;
  const auto refusal = [](RecordingServer::Options options) {
    RecordingServer server(std::move(options));
    Runner runner(SmallSpec(server.address()));
    const absl::Status status = runner.Prepare();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr("HMAC key")));
    return std::string(status.message());
  };
  EXPECT_THAT(refusal({.commandless = true}), HasSubstr("does the server know identity 1?"));
  EXPECT_THAT(refusal({.twist =
                           [](kinetic::Command* answer) {
                             answer->status->code = StatusCode::kVersionFailure;
                             answer->header.cluster_version = 7;
                           }}),
              HasSubstr("the server's cluster version is 7, and its greeting said 0"));
  EXPECT_THAT(refusal({.twist =
                           [](kinetic::Command* answer) {
                             answer->status->code = StatusCode::kNotAuthorized;
                           }}),
              testing::EndsWith("with NOT_AUTHORIZED"));
  EXPECT_THAT(refusal({.twist =
                           [](kinetic::Command* answer) {
                             answer->header.message_type = MessageType::kGetResponse;
                           }}),
              HasSubstr("WRONG_MESSAGE_TYPE"));
}

TEST(Runner, CountsAnswersThatAreNoneApart) {
  int answers = 0;
  RecordingServer server({.record = false, .twist = [&answers](kinetic::Command* answer) {
                            // Not the NOOPs of the beginning.
                            if (++answers % 10 == 0) answer->header.message_type.reset();
                          }});
  RunSpec spec = SmallSpec(server.address());
  spec.flows = 1;
  spec.workers = 1;
  spec.ops = {{.kind = OpKind::kPut}};
  spec.warmup = Nanos();
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 99;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const Counts counts = outcome->totals();
  EXPECT_TRUE(counts.Identical());
  EXPECT_EQ(counts.sent, 99u);
  EXPECT_EQ(counts.failed, 10u);
  EXPECT_EQ(outcome->ops[0].statuses[kWrongTypeSlot], 10u);
  EXPECT_EQ(outcome->protocol_errors, 10u);
  ASSERT_TRUE(HasCaveat(*outcome, "protocol_errors"));
  for (const Caveat& caveat : outcome->caveats) {
    if (caveat.code != "protocol_errors") continue;
    EXPECT_THAT(caveat.text, HasSubstr("10 answers broke the protocol"));
    EXPECT_THAT(caveat.text, HasSubstr("the first: the answer has no message type: none to PUT"));
  }
}

TEST(Runner, IsRefusedByALockedDevice) {
  RecordingServer server({.locked = true});
  Runner runner(SmallSpec(server.address()));
  const absl::Status status = runner.Prepare();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("DEVICE_LOCKED"));
}

TEST(Runner, NamesAServerThatClosesDuringTheLoad) {
  RecordingServer server({.close_after = 6});
  RunSpec spec = SmallSpec(server.address());
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto loaded = runner.Load();
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kAborted) << loaded.status();
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("closed the connection"));
}

TEST(Runner, NamesWhatRefusedTheLoad) {
  RecordingServer server({.refuse_puts_after = 11});
  Runner runner(SmallSpec(server.address()));
  ASSERT_TRUE(runner.Prepare().ok());
  const auto loaded = runner.Load();
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(loaded.status().message()),
              HasSubstr("refused 9 of 20 keys to be loaded: NO_SPACE"));
}

TEST(Runner, KeepsWhatItHasWhenTheServerIsLostInTheWindow) {
  RecordingServer server({.record = false, .close_after = 201});
  RunSpec spec = SmallSpec(server.address());
  spec.ops = {{.kind = OpKind::kPut}};
  spec.depth = 4;
  spec.duration = Seconds(60);
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->aborted);
  EXPECT_THAT(outcome->abort_reason, HasSubstr("SERVER_LOST: server 127.0.0.1"));
  EXPECT_TRUE(HasCaveat(*outcome, "aborted"));
  const Counts counts = outcome->totals();
  EXPECT_TRUE(counts.Identical());
  EXPECT_LE(counts.answered, 200u);
  EXPECT_GT(counts.answered, 0u);
  EXPECT_GE(counts.lost, 1u);
  EXPECT_LT(outcome->measured, Seconds(60));
}

TEST(Runner, StopsWhenToldAndSaysWho) {
  RecordingServer server({.record = false});
  RunSpec spec = SmallSpec(server.address());
  spec.ops = {{.kind = OpKind::kPut}};
  spec.duration = Seconds(60);
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), [&](const Interval&) { runner.Stop("enough seen"); });
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->aborted);
  EXPECT_EQ(outcome->abort_reason, "enough seen");
  EXPECT_GE(outcome->measured, Seconds(1));
  EXPECT_LT(outcome->measured, Seconds(60));
  EXPECT_TRUE(outcome->totals().Identical());
}

TEST(Runner, TimesRequestsThatFailedApartFromTheOthers) {
  RecordingServer server({.record = false, .refuse_puts_after = 21});
  RunSpec spec = SmallSpec(server.address());
  spec.max_ops_per_flow = 60;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_GT(outcome->totals().failed, 0u);
  EXPECT_GT(outcome->totals().answered, 0u);
  for (const OpStats& op : outcome->ops) {
    EXPECT_EQ(op.response.count(), op.counts.answered);
    EXPECT_EQ(op.failed.count(), op.counts.failed);
  }
  EXPECT_TRUE(HasCaveat(*outcome, "requests_failed"));
}

TEST(Runner, CountsRequestsThatAreNeverAnsweredAsLost) {
  RecordingServer server({.record = false, .swallow_after = 51});
  RunSpec spec = SmallSpec(server.address());
  spec.ops = {{.kind = OpKind::kPut}};
  spec.depth = 3;
  spec.op_timeout = Millis(60);
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const Counts counts = outcome->totals();
  EXPECT_TRUE(counts.Identical());
  EXPECT_EQ(counts.answered, 50u);
  EXPECT_GE(counts.lost, 3u);
  EXPECT_FALSE(outcome->aborted);
  EXPECT_EQ(outcome->ops[0].lost.count(), counts.lost);
  EXPECT_GE(outcome->ops[0].lost.min(), Millis(60));
  EXPECT_TRUE(HasCaveat(*outcome, "requests_lost"));
}

TEST(Runner, MissesAStartThatHasPassed) {
  RecordingServer server;
  Runner runner(SmallSpec(server.address()));
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(MonoNow() - Millis(2), Ignore);
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace kbench
