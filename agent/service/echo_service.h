// One Echo stream: an echo port of this agent, open as long as the stream is.
#pragma once

#include <grpcpp/grpcpp.h>

#include "agent/service/stream_service.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

class EchoStream final : public ServedStream<control::EchoCommand, control::EchoEvent> {
 public:
  // `service` outlives the stream.
  static EchoStream* Start(AgentService* service, const grpc::ServerContextBase& context);

 private:
  EchoStream(AgentService* service, const grpc::ServerContextBase& context)
      : ServedStream(service, context) {}

  grpc::Status Converse() override;
};

}  // namespace kbench
