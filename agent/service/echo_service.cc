#include "agent/service/echo_service.h"

#include <memory>
#include <string>

#include "agent/path/echo_port.h"
#include "base/address.h"

namespace kbench {

EchoStream* EchoStream::Start(AgentService* service, const grpc::ServerContextBase& context) {
  auto* stream = new EchoStream(service, context);
  stream->Begin();
  return stream;
}

grpc::Status EchoStream::Converse() {
  const AgentService::Turn turn = service_->TakeTurn(AgentService::Side::kEcho);
  if (!turn.granted()) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED,
            "this agent has as many echo ports open as it may; close their streams"};
  }
  const absl::StatusOr<HostPort> listens = ParseHostPort(service_->address());
  const absl::StatusOr<SocketAddress> address =
      listens.ok() ? Resolve(*listens) : absl::StatusOr<SocketAddress>(listens.status());
  if (!address.ok()) {
    return {grpc::StatusCode::FAILED_PRECONDITION, std::string(address.status().message())};
  }
  const absl::StatusOr<std::unique_ptr<EchoPort>> port = EchoPort::Open(*address);
  if (!port.ok()) {
    return {grpc::StatusCode::UNAVAILABLE, std::string(port.status().message())};
  }
  control::EchoEvent event;
  event.set_port((*port)->port());
  if (!Send(event)) return grpc::Status::OK;
  while (NextCommand().has_value()) continue;
  return grpc::Status::OK;
}

}  // namespace kbench
