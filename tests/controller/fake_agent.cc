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

ObserveEvents TraceEvents(const std::string& bytes, size_t piece) {
  ObserveEvents events;
  for (control::RunEvent& event : ResultEvents(bytes, piece)) {
    *events.emplace_back().mutable_trace() = std::move(*event.mutable_result());
  }
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

std::vector<control::ObserveCommand> FakeAgent::heard_observe() const {
  std::lock_guard lock(mutex_);
  return heard_observe_;
}

std::vector<control::ProbeRequest> FakeAgent::heard_probe() const {
  std::lock_guard lock(mutex_);
  return heard_probe_;
}

int FakeAgent::echoes_open() const {
  std::lock_guard lock(mutex_);
  return echoes_open_;
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
  for (const char* transport : {"socket", "epoll", "uring", "null"}) {
    reply->add_transports(transport);
  }
  return script_.hello;
}

grpc::Status FakeAgent::Ping(grpc::ServerContext*, const control::PingRequest*,
                             control::PingReply* reply) {
  {
    std::lock_guard lock(mutex_);
    ++pings_;
  }
  if (pings_ > script_.pings) AwaitTheEndOfTheTest();
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

grpc::Status FakeAgent::Observe(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<control::ObserveEvent, control::ObserveCommand>* stream) {
  control::ObserveCommand command;
  int64_t window_ns = 0;
  while (stream->Read(&command)) {
    {
      std::lock_guard lock(mutex_);
      heard_observe_.push_back(command);
    }
    if (script_.observe_hang_up) {
      if (const auto status = script_.observe_hang_up(command)) return *status;
    }
    ObserveEvents answer = GoodObserver(command, &window_ns);
    if (script_.observe) answer = script_.observe(command, std::move(answer));
    for (const control::ObserveEvent& event : answer) {
      stream->Write(event);
      if (event.trace().last()) return grpc::Status::OK;
    }
  }
  return grpc::Status::OK;
}

ObserveEvents FakeAgent::GoodObserver(const control::ObserveCommand& command,
                                      int64_t* window_ns) const {
  if (command.has_begin()) {
    control::ObserveEvent event;
    event.mutable_observing()->set_host("host of the fake");
    return {event};
  }
  if (command.has_window()) {
    *window_ns = command.window().until() - command.window().from();
    return {};
  }
  result::WireTrace trace;
  trace.set_available(true);
  trace.set_window_ns(*window_ns);
  for (const auto& wanted : command.collect().wanted()) {
    for (const uint64_t sequence : wanted.sequences()) {
      result::WireRecord* record = trace.add_records();
      record->set_connection_id(wanted.connection_id());
      record->set_sequence(sequence);
    }
  }
  return TraceEvents(trace.SerializeAsString(), 100);
}

grpc::Status FakeAgent::Echo(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<control::EchoEvent, control::EchoCommand>* stream) {
  control::EchoCommand command;
  if (!stream->Read(&command)) return grpc::Status::OK;
  if (script_.silent_echo) AwaitTheEndOfTheTest();
  if (!script_.echo.ok()) return script_.echo;
  {
    std::lock_guard lock(mutex_);
    ++echoes_open_;
  }
  control::EchoEvent event;
  event.set_port(script_.echo_port);
  stream->Write(event);
  while (stream->Read(&command)) {
  }
  std::lock_guard lock(mutex_);
  --echoes_open_;
  return grpc::Status::OK;
}

grpc::Status FakeAgent::Probe(grpc::ServerContext*, const control::ProbeRequest* request,
                              result::NetworkBaseline* baseline) {
  {
    std::lock_guard lock(mutex_);
    heard_probe_.push_back(*request);
  }
  if (script_.silent_probe) AwaitTheEndOfTheTest();
  baseline->set_echoes(request->echoes());
  baseline->set_echo_floor_ns(Micros(10).count());
  baseline->set_echo_p50_ns(Micros(20).count());
  baseline->set_echo_p99_ns(Micros(30).count());
  if (request->bulk_ns() > 0) {
    baseline->set_sent_bytes_per_s(1e8);
    baseline->set_received_bytes_per_s(2e8);
  }
  return script_.probe ? script_.probe(*request, baseline) : grpc::Status::OK;
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
  for (int64_t i = 0; i < script_.samples; ++i) {
    result::OpSample* sample = result.add_samples();
    sample->set_connection_id(i % 2);
    sample->set_sequence(static_cast<uint64_t>(100 + i));
  }
  return result;
}

void FakeAgent::AwaitTheEndOfTheTest() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_; });
}

}  // namespace kbench
