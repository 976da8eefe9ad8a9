// The agent behind a real gRPC channel on loopback, against a recording server.
#include "agent/agent_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/version.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/wire_spec.h"

namespace kbench {
namespace {

using control::RunCommand;
using control::RunEvent;
using testing::HasSubstr;

// One controller's end of one run.
class Conversation {
 public:
  explicit Conversation(control::Agent::Stub* stub) : stream_(stub->Run(&context_)) {}

  void Prepare(const control::RunSpec& spec, uint32_t major = kControlProtocolMajor) {
    RunCommand command;
    spec_bytes_ = spec.SerializeAsString();
    command.mutable_prepare()->set_spec(spec_bytes_);
    command.mutable_prepare()->set_owner("tester@here 1");
    command.mutable_prepare()->mutable_controller()->set_protocol_major(major);
    command.mutable_prepare()->mutable_controller()->set_release("9.9");
    stream_->Write(command);
  }
  void Load() {
    RunCommand command;
    command.mutable_load();
    stream_->Write(command);
  }
  void Start(MonoTime at) {
    RunCommand command;
    command.mutable_start()->set_at(at.ns());
    stream_->Write(command);
  }
  void Stop(const std::string& reason) {
    RunCommand command;
    command.mutable_stop()->set_reason(reason);
    stream_->Write(command);
  }
  // The next event; one without a case when the stream is over.
  RunEvent Next() {
    RunEvent event;
    if (!stream_->Read(&event)) event.Clear();
    return event;
  }
  // Reads up to the last chunk.
  result::RunResult Result() {
    std::string bytes;
    while (true) {
      const RunEvent event = Next();
      if (event.has_interval()) {
        ++intervals;
        continue;
      }
      EXPECT_TRUE(event.has_result()) << event.ShortDebugString();
      if (!event.has_result()) return {};
      EXPECT_LE(event.result().data().size(), size_t{1} << 20);
      bytes += event.result().data();
      if (event.result().last()) break;
    }
    result::RunResult result;
    EXPECT_TRUE(result.ParseFromString(bytes));
    return result;
  }
  grpc::Status Finish() {
    stream_->WritesDone();
    while (Next().event_case() != RunEvent::EVENT_NOT_SET) continue;
    return stream_->Finish();
  }
  void Cancel() { context_.TryCancel(); }
  const std::string& spec_bytes() const { return spec_bytes_; }
  int intervals = 0;

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<RunCommand, RunEvent>> stream_;
  std::string spec_bytes_;
};

class AgentServiceTest : public testing::Test {
 protected:
  AgentServiceTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    agent_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
    service_.set_address(address_);
    stub_ =
        control::Agent::NewStub(grpc::CreateChannel(address_, grpc::InsecureChannelCredentials()));
  }
  ~AgentServiceTest() override {
    service_.StopActive("the test is over");
    agent_->Shutdown();
  }

  std::string server() const { return server_.address().ToString(); }
  control::HelloReply Hello() {
    control::HelloRequest request;
    request.mutable_controller()->set_protocol_major(kControlProtocolMajor);
    control::HelloReply reply;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->Hello(&context, request, &reply).ok());
    return reply;
  }
  // Until the agent says that it is idle. A run that has been stopped ends by itself, so this
  // needs no limit of its own; ctest has one.
  void AwaitIdle() {
    while (!Hello().active_run().empty()) continue;
  }
  MonoTime AgentNow() {
    control::PingReply reply;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->Ping(&context, {}, &reply).ok());
    return MonoTime(reply.monotonic_ns());
  }

  RecordingServer server_{{.record = false}};
  AgentService service_;
  std::unique_ptr<grpc::Server> agent_;
  std::string address_;
  std::unique_ptr<control::Agent::Stub> stub_;
};

TEST_F(AgentServiceTest, TakesARunFromPrepareToResult) {
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
  const MonoTime at = AgentNow() + Millis(20);
  run.Start(at);
  const result::RunResult result = run.Result();
  EXPECT_GE(run.intervals, 2);
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
  first.Start(AgentNow() + Millis(5));
  EXPECT_GT(first.Result().counts().answered(), 0u);
  EXPECT_TRUE(first.Finish().ok());
}

TEST_F(AgentServiceTest, StopsTheLoadWhenTheStreamIsCancelled) {
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(3'600'000'000'000);
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() + Millis(5));
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
  run.Start(AgentNow() + Millis(5));
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
  run.Start(AgentNow() + Millis(5));
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

TEST_F(AgentServiceTest, RefusesAConversationThatDoesNotBeginWithPrepare) {
  Conversation run(stub_.get());
  run.Load();
  EXPECT_EQ(run.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kbench
