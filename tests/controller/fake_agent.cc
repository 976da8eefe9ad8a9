#include "tests/controller/fake_agent.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"

namespace kbench {

using control::RunCommand;
using control::RunEvent;

Events FailedWith(control::Failed::Kind kind, const std::string& text) {
  RunEvent event;
  event.mutable_failed()->set_kind(kind);
  event.mutable_failed()->set_text(text);
  return {event};
}

Events ResultEvents(const std::string& bytes, size_t piece) {
  Events events;
  size_t sent = 0;
  do {
    control::ResultChunk* chunk = events.emplace_back().mutable_result();
    chunk->set_data(bytes.substr(sent, piece));
    sent += chunk->data().size();
    chunk->set_last(sent == bytes.size());
  } while (sent < bytes.size());
  return events;
}

FakeAgent::FakeAgent(FakeScript script) : script_(std::move(script)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeAgent::~FakeAgent() { Die(); }

std::vector<RunCommand> FakeAgent::heard() const {
  std::lock_guard lock(mutex_);
  return heard_;
}

int FakeAgent::CountHeard(RunCommand::CommandCase which) const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(std::count_if(heard_.begin(), heard_.end(), [which](const RunCommand& c) {
    return c.command_case() == which;
  }));
}

void FakeAgent::AwaitHeard(RunCommand::CommandCase which) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return std::any_of(heard_.begin(), heard_.end(),
                       [which](const RunCommand& c) { return c.command_case() == which; });
  });
}

void FakeAgent::Die() {
  {
    std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  server_->Shutdown(std::chrono::system_clock::now());
}

grpc::Status FakeAgent::Hello(grpc::ServerContext*, const control::HelloRequest*,
                              control::HelloReply* reply) {
  if (script_.silent_hello) AwaitTheEndOfTheTest();
  reply->mutable_agent()->set_protocol_major(script_.protocol_major);
  reply->mutable_agent()->set_release("9.8.7");
  return script_.hello;
}

grpc::Status FakeAgent::Ping(grpc::ServerContext*, const control::PingRequest*,
                             control::PingReply* reply) {
  if (script_.silent_ping) AwaitTheEndOfTheTest();
  reply->set_monotonic_ns((MonoNow() + script_.clock_offset).ns());
  return grpc::Status::OK;
}

grpc::Status FakeAgent::Run(grpc::ServerContext*,
                            grpc::ServerReaderWriter<RunEvent, RunCommand>* stream) {
  RunCommand command;
  control::RunSpec spec;
  while (stream->Read(&command)) {
    {
      std::lock_guard lock(mutex_);
      heard_.push_back(command);
    }
    changed_.notify_all();
    if (script_.hang_up) {
      if (const std::optional<grpc::Status> status = script_.hang_up(command)) return *status;
    }
    Events answer = Good(command, &spec);
    if (script_.answer) answer = script_.answer(command, std::move(answer));
    bool last_word = false;
    for (const RunEvent& event : answer) {
      last_word |= event.has_failed() || (event.has_result() && event.result().last());
      stream->Write(event);
    }
    if (last_word && !script_.lingers) return grpc::Status::OK;
  }
  if (script_.lingers) AwaitTheEndOfTheTest();
  return grpc::Status::OK;
}

Events FakeAgent::Good(const RunCommand& command, control::RunSpec* spec) const {
  RunEvent event;
  switch (command.command_case()) {
    case RunCommand::kPrepare:
      spec->ParseFromString(command.prepare().spec());
      event.mutable_prepared()->set_spec_sha256(Sha256Hex(command.prepare().spec()));
      return {event};
    case RunCommand::kLoad:
      event.mutable_loaded()->set_keys(spec->keys());
      return {event};
    case RunCommand::kStart:
      return ResultEvents(ResultOf(*spec, command.start().at()).SerializeAsString());
    case RunCommand::kStop: {
      result::RunResult result = ResultOf(*spec, 0);
      result.set_aborted(true);
      result.set_abort_reason(command.stop().reason());
      return ResultEvents(result.SerializeAsString());
    }
    case RunCommand::COMMAND_NOT_SET:
      break;
  }
  return FailedWith(control::Failed::INTERNAL, "a command that the fake does not know");
}

result::RunResult FakeAgent::ResultOf(const control::RunSpec& spec, int64_t start) const {
  result::RunResult result;
  result.set_run_id(spec.run_id());
  result.set_agent(address_);
  result.set_planned_start(start);
  result.set_first_send_offset_ns(script_.first_send_offset.count());
  result.mutable_counts()->set_due(10);
  result.mutable_counts()->set_sent(10);
  result.mutable_counts()->set_answered(10);
  for (int64_t i = 0; i < script_.samples; ++i) result.add_samples()->set_connection_id(i);
  return result;
}

void FakeAgent::AwaitTheEndOfTheTest() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_; });
}

}  // namespace kbench
