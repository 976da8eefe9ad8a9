// A controller's end of an agent that serves on loopback, in front of a recording server.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/service/agent_service.h"
#include "base/clock.h"
#include "base/version.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/service/wire_spec.h"

namespace kbench {

using control::RunCommand;
using control::RunEvent;

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

// From the command to the start: so long that no machine is too busy to hear of it before.
inline constexpr Nanos kLead = Millis(500);

class AgentServiceTest : public testing::Test {
 protected:
  explicit AgentServiceTest(std::unique_ptr<ResultShelf> shelf = nullptr)
      : service_({}, std::move(shelf)) {
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

}  // namespace kbench
