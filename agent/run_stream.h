// One Run stream: the state machine between a controller's commands and a runner.
//
//   Prepare -> [Load ->] Start -> result          Stop, or the end of the stream, from anywhere
//
// grpc's threads bring commands and only queue them (and stop the load when it must stop); the
// stream's own thread takes them one by one, runs the phases, and is the only one that writes.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/runner.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

class AgentService;

class RunStream final : public grpc::ServerBidiReactor<control::RunCommand, control::RunEvent> {
 public:
  // The stream deletes itself when grpc is done with it. `service` outlives it.
  static RunStream* Start(AgentService* service);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  explicit RunStream(AgentService* service) : service_(service) {}

  void Serve();
  grpc::Status Converse();
  grpc::Status Prepare(const control::Prepare& prepare);
  // Warm-up to result. False: the controller is gone, or was told what failed.
  bool Measure(MonoTime at);
  bool SendResult(const RunOutcome& outcome);

  // The next command; nothing when the stream is over.
  std::optional<control::RunCommand> NextCommand();
  // Blocks until grpc has taken it. False: the controller is gone.
  bool Send(const control::RunEvent& event);
  bool SendFailed(const control::Failed& failed);
  void StopRunner(const std::string& reason);

  AgentService* const service_;
  control::RunCommand incoming_;  // of the read that is under way
  std::thread thread_;
  std::unique_ptr<Runner> runner_;  // made by thread_; stopped by others under mutex_
  std::string spec_sha256_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<control::RunCommand> commands_;  // guarded by mutex_
  bool over_ = false;                         // guarded by mutex_: no more commands
  std::string stopped_;                       // guarded by mutex_: why, before there is a runner
  enum class Write { kIdle, kPending, kDone, kFailed } write_ = Write::kIdle;  // guarded by mutex_
};

}  // namespace kbench
