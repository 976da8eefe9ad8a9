// One Run stream: the state machine between a controller's commands and a runner.
//
//   Prepare -> [Load ->] Start -> result          Stop, or the end of the stream, from anywhere
//
// grpc's threads stop the load when it must stop; all else is done by the stream's own thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "agent/run/runner.h"
#include "agent/service/stream_service.h"
#include "base/mutex.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

class RunStream final : public ServedStream<control::RunCommand, control::RunEvent> {
 public:
  // `service` outlives the stream.
  static RunStream* Start(AgentService* service, const grpc::ServerContextBase& context);

 private:
  RunStream(AgentService* service, const grpc::ServerContextBase& context)
      : ServedStream(service, context) {}

  grpc::Status Converse() override;
  void Leave() override;
  void Arrived(const control::RunCommand& command) override;
  void Ended(const std::string& why) override { StopRunner(why); }

  grpc::Status Prepare(const control::Prepare& prepare);
  // Warm-up to result. False: the controller is gone, or was told what failed.
  bool Measure(MonoTime at);
  bool SendResult(const RunOutcome& outcome);
  bool SendFailed(const control::Failed& failed);
  void StopRunner(const std::string& reason);
  // For the agent's owner, and for another controller: also when it waits for its controller.
  void StopWaiting(const std::string& reason);

  std::unique_ptr<Runner> runner_;  // made by the stream's thread; stopped by others under mutex_
  std::string spec_sha256_;
  Mutex mutex_;
  std::string stopped_ ABSL_GUARDED_BY(mutex_);  // why, before there is a runner
};

}  // namespace kbench
