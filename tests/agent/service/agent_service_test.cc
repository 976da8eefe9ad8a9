// The agent behind a real gRPC channel on loopback, against a recording server.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <functional>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/version.h"
#include "tests/agent/service/agent_rig.h"
#include "tests/base/judge.h"

namespace kbench {
namespace {

using testing::HasSubstr;

TEST_F(AgentServiceTest, TakesARunFromPrepareToResult) {
  const ForeignCpu others;
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(1'200'000'000);
  spec.set_sample_every(1);
  spec.set_samples_max(20'000);  // more than a chunk
  run.Prepare(spec);
  const RunEvent prepared = run.Next();
  ASSERT_TRUE(prepared.has_prepared()) << prepared.ShortDebugString();
  EXPECT_EQ(prepared.prepared().spec_sha256(), Sha256Hex(run.spec_bytes()));
  EXPECT_EQ(prepared.prepared().flows(), 2u);
  EXPECT_EQ(Hello().active_run(), "run-1");
  EXPECT_EQ(Hello().active_owner(), "tester@here 1");
  run.Load();
  const RunEvent loaded = run.Next();
  ASSERT_TRUE(loaded.has_loaded()) << loaded.ShortDebugString();
  EXPECT_EQ(loaded.loaded().keys(), 10u);
  EXPECT_EQ(server_.store().size(), 10u);
  const MonoTime at = AgentNow() + kLead;
  run.Start(at);
  const result::RunResult result = run.Result();
  EXPECT_GE(run.intervals, 1);
  JudgeWhenQuiet(run.intervals >= 2,
                 {.what = "intervals of a run of 1.2 s",
                  .figure = absl::StrCat(run.intervals),
                  .bound = "at least 2"},
                 others.Cpus());
  EXPECT_EQ(result.intervals_size(), run.intervals);
  EXPECT_EQ(result.run_id(), "run-1");
  EXPECT_EQ(result.agent(), address_);
  EXPECT_EQ(result.planned_start(), at.ns());
  EXPECT_FALSE(result.aborted());
  EXPECT_EQ(result.spec_sha256(), Sha256Hex(run.spec_bytes()));
  const result::Counts& counts = result.counts();
  EXPECT_GT(counts.answered(), 0u);
  EXPECT_EQ(counts.due(), counts.sent() + counts.unsent());
  EXPECT_EQ(counts.sent(), counts.answered() + counts.failed() + counts.lost());
  uint64_t completed = 0;
  for (const result::Interval& interval : result.intervals()) completed += interval.completed();
  uint64_t in_window = 0;
  for (const result::OpResult& op : result.ops()) in_window += op.answered_in_window();
  EXPECT_EQ(completed, in_window);
  EXPECT_GT(completed, 0u);
  // The agent closes the stream by itself.
  EXPECT_EQ(run.Next().event_case(), RunEvent::EVENT_NOT_SET);
  EXPECT_TRUE(run.Finish().ok());
  AwaitIdle();
}

TEST_F(AgentServiceTest, SendsASecondControllerAwayAndNamesTheFirst) {
  Conversation first(stub_.get());
  first.Prepare(WireSpec(server()));
  ASSERT_TRUE(first.Next().has_prepared());
  Conversation second(stub_.get());
  second.Prepare(WireSpec(server()));
  EXPECT_EQ(second.Next().event_case(), RunEvent::EVENT_NOT_SET);
  const grpc::Status status = second.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("busy with run run-1 of tester@here 1 since "));
  // The first is none the worse for it.
  first.Start(AgentNow() + kLead);
  EXPECT_GT(first.Result().counts().answered(), 0u);
  EXPECT_TRUE(first.Finish().ok());
}

TEST_F(AgentServiceTest, StopsTheLoadWhenTheStreamIsCancelled) {
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(3'600'000'000'000);
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() + kLead);
  ASSERT_TRUE(run.Next().has_interval());
  run.Cancel();
  EXPECT_FALSE(run.Finish().ok());
  AwaitIdle();
  const uint64_t requests = server_.requests();
  AwaitIdle();
  EXPECT_EQ(server_.requests(), requests);
}

TEST_F(AgentServiceTest, StopsTheLoadWhenTheStreamIsClosed) {
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(3'600'000'000'000);
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() + kLead);
  ASSERT_TRUE(run.Next().has_interval());
  EXPECT_TRUE(run.Finish().ok());
  AwaitIdle();
}

TEST_F(AgentServiceTest, DeliversWhatItHasWhenToldToStop) {
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(3'600'000'000'000);
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() + kLead);
  ASSERT_TRUE(run.Next().has_interval());
  run.Stop("Ctrl-C");
  const result::RunResult result = run.Result();
  EXPECT_TRUE(result.aborted());
  EXPECT_EQ(result.abort_reason(), "Ctrl-C");
  EXPECT_GT(result.counts().answered(), 0u);
  EXPECT_EQ(result.counts().sent(),
            result.counts().answered() + result.counts().failed() + result.counts().lost());
  EXPECT_TRUE(run.Finish().ok());
}

TEST_F(AgentServiceTest, AStopBeforeTheStartGivesAnAbortedResultOfNothing) {
  Conversation run(stub_.get());
  run.Prepare(WireSpec(server()));
  ASSERT_TRUE(run.Next().has_prepared());
  run.Stop("changed my mind");
  const result::RunResult result = run.Result();
  EXPECT_TRUE(result.aborted());
  EXPECT_EQ(result.abort_reason(), "changed my mind");
  EXPECT_EQ(result.counts().due(), 0u);
  EXPECT_TRUE(run.Finish().ok());
}

TEST_F(AgentServiceTest, RefusesAnotherMajorAndNamesBoth) {
  Conversation run(stub_.get());
  run.Prepare(WireSpec(server()), /*major=*/7);
  const grpc::Status status = run.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("7.0"));
  EXPECT_THAT(status.error_message(), HasSubstr(absl::StrCat(kControlProtocolMajor, ".")));

  control::HelloRequest request;
  request.mutable_controller()->set_protocol_major(7);
  control::HelloReply reply;
  grpc::ClientContext context;
  EXPECT_EQ(stub_->Hello(&context, request, &reply).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(AgentServiceTest, SaysWhatIsWrongWithASpec) {
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_transport("rdma");
  run.Prepare(spec);
  const RunEvent event = run.Next();
  ASSERT_TRUE(event.has_failed()) << event.ShortDebugString();
  EXPECT_EQ(event.failed().kind(), control::Failed::BAD_SPEC);
  EXPECT_THAT(event.failed().text(), HasSubstr("transport"));
  EXPECT_TRUE(run.Finish().ok());
  EXPECT_EQ(Hello().active_run(), "");
}

TEST_F(AgentServiceTest, SaysThatTheServerCannotBeReachedAndIsFreeAgain) {
  std::string gone;
  { gone = RecordingServer().address().ToString(); }
  Conversation run(stub_.get());
  run.Prepare(WireSpec(gone));
  const RunEvent event = run.Next();
  ASSERT_TRUE(event.has_failed()) << event.ShortDebugString();
  EXPECT_EQ(event.failed().kind(), control::Failed::SERVER_UNREACHABLE);
  EXPECT_THAT(event.failed().text(), HasSubstr(gone));
  EXPECT_TRUE(run.Finish().ok());
  AwaitIdle();
}

TEST_F(AgentServiceTest, SaysThatTheStartWasMissed) {
  Conversation run(stub_.get());
  run.Prepare(WireSpec(server()));
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() - Millis(50));
  const RunEvent event = run.Next();
  ASSERT_TRUE(event.has_failed()) << event.ShortDebugString();
  EXPECT_EQ(event.failed().kind(), control::Failed::MISSED_START);
  EXPECT_TRUE(run.Finish().ok());
}

// One controller's end of one observation.
class Observation {
 public:
  explicit Observation(control::Agent::Stub* stub) : stream_(stub->Observe(&context_)) {}

  void Begin(uint32_t port, uint32_t major = kControlProtocolMajor, uint64_t records_max = 0) {
    control::ObserveCommand command;
    command.mutable_begin()->set_port(port);
    command.mutable_begin()->set_owner("tester@here 2");
    command.mutable_begin()->set_records_max(records_max);
    command.mutable_begin()->mutable_controller()->set_protocol_major(major);
    stream_->Write(command);
  }
  void Window(int64_t from, int64_t until) {
    control::ObserveCommand command;
    command.mutable_window()->set_from(from);
    command.mutable_window()->set_until(until);
    stream_->Write(command);
  }
  void Collect(const result::RunResult& run) {
    control::ObserveCommand command;
    for (const result::OpSample& sample : run.samples()) {
      control::ObserveCommand::Request* wanted = command.mutable_collect()->add_wanted();
      wanted->set_connection_id(sample.connection_id());
      wanted->add_sequences(sample.sequence());
    }
    stream_->Write(command);
  }
  control::ObserveEvent Next() {
    control::ObserveEvent event;
    if (!stream_->Read(&event)) event.Clear();
    return event;
  }
  result::WireTrace Trace() {
    std::string bytes;
    while (true) {
      const control::ObserveEvent event = Next();
      EXPECT_TRUE(event.has_trace());
      if (!event.has_trace()) return {};
      bytes += event.trace().data();
      if (event.trace().last()) break;
    }
    result::WireTrace trace;
    EXPECT_TRUE(trace.ParseFromString(bytes));
    return trace;
  }
  grpc::Status Finish() {
    stream_->WritesDone();
    while (Next().event_case() != control::ObserveEvent::EVENT_NOT_SET) continue;
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<control::ObserveCommand, control::ObserveEvent>> stream_;
};

TEST_F(AgentServiceTest, ObservesTheServersSideOfARunOnTheSameHost) {
  Observation observation(stub_.get());
  observation.Begin(server_.address().port);
  const control::ObserveEvent observing = observation.Next();
  if (!observing.has_observing()) {
    const grpc::Status status = observation.Finish();
    ASSERT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << status.error_message();
    GTEST_SKIP() << status.error_message();
  }
  EXPECT_NE(observing.observing().host(), "");

  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_sample_every(1);
  spec.set_samples_max(100'000);
  spec.set_observe(true);
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  const ForeignCpu others;
  const MonoTime at = AgentNow() + kLead;
  observation.Window(at.ns(), at.ns() + spec.duration_ns());
  run.Start(at);
  const result::RunResult result = run.Result();
  ASSERT_GT(result.samples_size(), 0);
  EXPECT_TRUE(result.wire().available()) << result.wire().reason();
  EXPECT_EQ(result.wire().place(), result::WireTrace::CLIENT);

  observation.Collect(result);
  const result::WireTrace trace = observation.Trace();
  EXPECT_TRUE(observation.Finish().ok());
  EXPECT_TRUE(trace.available());
  EXPECT_EQ(trace.place(), result::WireTrace::SERVER);
  EXPECT_EQ(trace.window_ns(), spec.duration_ns());
  // Of the window: a worker that had no CPU until its end has its answers afterwards.
  JudgeWhenQuiet(trace.departures() > 0,
                 {.what = "answers that left within the window",
                  .figure = absl::StrCat(trace.departures(), " of ", result.samples_size()),
                  .bound = "some"},
                 others.Cpus());
  EXPECT_EQ(trace.records_size(), result.samples_size());
  // Both observers are of one host here, so their stamps may meet.
  std::map<std::pair<int64_t, uint64_t>, result::WireRecord> client;
  for (const result::WireRecord& record : result.wire().records()) {
    client[{record.connection_id(), record.sequence()}] = record;
  }
  EXPECT_EQ(client.size(), static_cast<size_t>(result.samples_size()));
  for (const result::WireRecord& record : trace.records()) {
    const auto found = client.find({record.connection_id(), record.sequence()});
    ASSERT_NE(found, client.end());
    EXPECT_LE(found->second.request_last(), record.request_last());
    EXPECT_LE(record.request_last(), record.response_first());
    EXPECT_LE(record.response_last(), found->second.response_last());
  }
  EXPECT_TRUE(run.Finish().ok());
}

TEST_F(AgentServiceTest, ObservesAPortForOneControllerAtATime) {
  auto first = std::make_unique<Observation>(stub_.get());
  first->Begin(1234);
  if (!first->Next().has_observing()) GTEST_SKIP() << first->Finish().error_message();
  Observation second(stub_.get());
  second.Begin(1234);
  const grpc::Status status = second.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("port 1234 is being observed for tester@here 2"));
  Observation other(stub_.get());
  other.Begin(1235);
  EXPECT_TRUE(other.Next().has_observing());
  EXPECT_TRUE(first->Finish().ok()) << "the end of the stream ends the observation";
  Observation third(stub_.get());
  third.Begin(1234);
  EXPECT_TRUE(third.Next().has_observing());
}

TEST_F(AgentServiceTest, RefusesAnObservationThatCannotBe) {
  const auto code = [this](const std::function<void(Observation*)>& spoil) {
    Observation observation(stub_.get());
    spoil(&observation);
    return observation.Finish().error_code();
  };
  EXPECT_EQ(code([](auto* o) { o->Begin(0); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto* o) { o->Begin(65536); }), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto* o) { o->Begin(1234, kControlProtocolMajor, 1u << 30); }),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code([](auto* o) { o->Begin(1234, 7); }), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(code([](auto* o) { o->Window(1, 2); }), grpc::StatusCode::INVALID_ARGUMENT);
}

// An agent's echo port, as long as this lives.
class OpenPort {
 public:
  explicit OpenPort(control::Agent::Stub* stub) : stream_(stub->Echo(&context_)) {
    control::EchoEvent event;
    if (stream_->Read(&event)) port_ = event.port();
  }
  uint32_t port() const { return port_; }
  grpc::Status Close() {
    stream_->WritesDone();
    control::EchoEvent event;
    while (stream_->Read(&event)) continue;
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<control::EchoCommand, control::EchoEvent>> stream_;
  uint32_t port_ = 0;
};

control::ProbeRequest EchoProbe(uint32_t port) {
  control::ProbeRequest request;
  request.set_target(absl::StrCat("127.0.0.1:", port));
  request.set_kind(result::NetworkBaseline::AGENT);
  request.set_echoes(100);
  request.set_timeout_ns(30'000'000'000);
  return request;
}

TEST_F(AgentServiceTest, ProbesAnEchoPortThatIsOpenAsLongAsItsStream) {
  const auto probe = [this](const control::ProbeRequest& request, result::NetworkBaseline* reply) {
    grpc::ClientContext context;
    return stub_->Probe(&context, request, reply);
  };
  OpenPort echo(stub_.get());
  ASSERT_NE(echo.port(), 0u);
  control::ProbeRequest request = EchoProbe(echo.port());
  request.set_bulk_ns(100'000'000);
  result::NetworkBaseline baseline;
  const grpc::Status status = probe(request, &baseline);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(baseline.from(), address_);
  EXPECT_EQ(baseline.to(), request.target());
  EXPECT_EQ(baseline.kind(), result::NetworkBaseline::AGENT);
  EXPECT_EQ(baseline.echoes(), 100u);
  EXPECT_GT(baseline.echo_floor_ns(), 0);
  EXPECT_GT(baseline.sent_bytes_per_s(), 0);
  EXPECT_GT(baseline.received_bytes_per_s(), 0);
  EXPECT_TRUE(echo.Close().ok());
  const grpc::Status closed = probe(request, &baseline);
  EXPECT_EQ(closed.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(closed.error_message(), HasSubstr(request.target()));
}

TEST_F(AgentServiceTest, ProbesAKineticServer) {
  control::ProbeRequest request = EchoProbe(server_.address().port);
  request.set_kind(result::NetworkBaseline::SERVER);
  request.set_identity(kinetic::kFactoryIdentity);
  request.set_hmac_key(std::string(kinetic::kFactoryKey));
  result::NetworkBaseline baseline;
  grpc::ClientContext context;
  const grpc::Status status = stub_->Probe(&context, request, &baseline);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(baseline.kind(), result::NetworkBaseline::SERVER);
  EXPECT_EQ(baseline.echoes(), 100u);
}

TEST_F(AgentServiceTest, RefusesAProbeThatCannotBeOrMustNot) {
  const struct {
    const char* field;
    std::function<void(control::ProbeRequest*)> spoil;
  } kCases[] = {
      {"target", [](auto* r) { r->set_target("nowhere"); }},
      {"target", [](auto* r) { r->set_target("127.0.0.1:0"); }},
      {"kind", [](auto* r) { r->clear_kind(); }},
      {"echoes", [](auto* r) { r->set_echoes(1'000'001); }},
      {"bulk_ns", [](auto* r) { r->set_bulk_ns(-1); }},
      {"bulk_ns", [](auto* r) { r->set_bulk_ns(60'000'000'001); }},
      {"timeout_ns", [](auto* r) { r->set_timeout_ns(0); }},
      {"timeout_ns", [](auto* r) { r->set_timeout_ns(600'000'000'001); }},
      {"tls", [](auto* r) { r->set_tls(true); }},
      {"tls_ca", [](auto* r) { r->set_tls_ca("x"); }},
      {"hmac_key", [](auto* r) { r->set_kind(result::NetworkBaseline::SERVER); }},
  };
  for (const auto& test : kCases) {
    control::ProbeRequest request = EchoProbe(1);
    test.spoil(&request);
    result::NetworkBaseline baseline;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Probe(&context, request, &baseline);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << test.field;
    EXPECT_THAT(status.error_message(),
                testing::StartsWith(absl::StrCat("probe: ", test.field, ": ")));
  }
}

TEST_F(AgentServiceTest, OpensNoMoreEchoPortsThanItMay) {
  std::list<OpenPort> ports;
  for (int i = 0; i < 16; ++i) EXPECT_NE(ports.emplace_back(stub_.get()).port(), 0u);
  OpenPort refused(stub_.get());
  EXPECT_EQ(refused.port(), 0u);
  EXPECT_EQ(refused.Close().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(ports.front().Close().ok());
  OpenPort next(stub_.get());
  EXPECT_NE(next.port(), 0u);
  for (auto port = std::next(ports.begin()); port != ports.end(); ++port) {
    EXPECT_TRUE(port->Close().ok());
  }
  EXPECT_TRUE(next.Close().ok());
}

TEST_F(AgentServiceTest, RefusesAConversationThatDoesNotBeginWithPrepare) {
  Conversation run(stub_.get());
  run.Load();
  EXPECT_EQ(run.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kbench
