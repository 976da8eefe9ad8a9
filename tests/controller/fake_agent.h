// An agent that does what a test tells it, behind a real gRPC server on loopback.
//
// By default it is a good one that measures nothing: each command is answered at once as
// agent.proto says. A script sees every answer before it is sent and may change it:
//
//   FakeAgent agent({.answer = [](const RunCommand& command, Events good) {
//     return command.has_load() ? Events() : good;      // silent in the load phase
//   }});
//
// Scripts run on gRPC's threads, one at a time per stream.
#pragma once

#include <grpcpp/grpcpp.h>

#include <climits>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/version.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

using Events = std::vector<control::RunEvent>;

// Events that a good agent never sends, or only in trouble.
Events FailedWith(control::Failed::Kind kind, const std::string& text);
// `bytes` as a whole result, in pieces of at most `piece`.
Events ResultEvents(const std::string& bytes, size_t piece = size_t{1} << 20);

using ObserveEvents = std::vector<control::ObserveEvent>;
ObserveEvents TraceEvents(const std::string& bytes, size_t piece = size_t{1} << 20);

struct FakeScript {
  uint32_t protocol_major = kControlProtocolMajor;
  grpc::Status hello;         // when not OK: what Hello gives
  bool silent_hello = false;  // answers when the test is over
  int pings = INT_MAX;        // answers so many, then is silent
  bool lingers = false;       // does not end the stream after its last word
  Nanos clock_offset;         // its CLOCK_MONOTONIC minus this process's
  Nanos first_send_offset;    // in its result
  int64_t samples = 0;        // that make its result large
  std::function<Events(const control::RunCommand&, Events good)> answer;
  // A status instead of an answer: the agent ends the stream with it.
  std::function<std::optional<grpc::Status>(const control::RunCommand&)> hang_up;

  // The same for observation. A good observer saw exactly what it is asked for.
  std::function<ObserveEvents(const control::ObserveCommand&, ObserveEvents good)> observe;
  std::function<std::optional<grpc::Status>(const control::ObserveCommand&)> observe_hang_up;

  grpc::Status echo;  // when not OK: instead of a port
  bool silent_echo = false;
  uint32_t echo_port = 4711;
  // Fills the good answer in, or gives another status. None: good.
  std::function<grpc::Status(const control::ProbeRequest&, result::NetworkBaseline*)> probe;
  bool silent_probe = false;
};

class FakeAgent final : public control::Agent::Service {
 public:
  explicit FakeAgent(FakeScript script = {});
  ~FakeAgent() override;

  const std::string& address() const { return address_; }

  // Everything that it was told so far, over all streams.
  std::vector<control::RunCommand> heard() const;
  int CountHeard(control::RunCommand::CommandCase which) const;
  // Returns when it has been told that; ctest bounds the wait.
  void AwaitHeard(control::RunCommand::CommandCase which);

  std::vector<control::ObserveCommand> heard_observe() const;
  std::vector<control::ProbeRequest> heard_probe() const;
  int echoes_open() const;  // streams

  // Its process ends: connections break, nobody listens any more.
  void Die();

  grpc::Status Hello(grpc::ServerContext*, const control::HelloRequest*,
                     control::HelloReply* reply) override;
  grpc::Status Ping(grpc::ServerContext*, const control::PingRequest*,
                    control::PingReply* reply) override;
  grpc::Status Run(grpc::ServerContext*,
                   grpc::ServerReaderWriter<control::RunEvent, control::RunCommand>*) override;

  grpc::Status Observe(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<control::ObserveEvent, control::ObserveCommand>*) override;
  grpc::Status Echo(grpc::ServerContext*,
                    grpc::ServerReaderWriter<control::EchoEvent, control::EchoCommand>*) override;
  grpc::Status Probe(grpc::ServerContext*, const control::ProbeRequest*,
                     result::NetworkBaseline*) override;

 private:
  ObserveEvents GoodObserver(const control::ObserveCommand& command, int64_t* window_ns) const;
  Events Good(const control::RunCommand& command, control::RunSpec* spec) const;
  result::RunResult ResultOf(const control::RunSpec& spec, int64_t start) const;
  void AwaitTheEndOfTheTest();

  const FakeScript script_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<control::RunCommand> heard_;
  std::vector<control::ObserveCommand> heard_observe_;
  std::vector<control::ProbeRequest> heard_probe_;
  int echoes_open_ = 0;
  int pings_ = 0;  // heard
  bool over_ = false;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kbench
