// One Observe stream: a packet observer on the server's host, beside a run of other agents, or of
// this one.
//
//   Begin -> Observing, Window ..., Collect -> the WireTrace          its end ends the observation
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "agent/observer/packet_observer.h"
#include "agent/service/stream_service.h"
#include "proto/agent.grpc.pb.h"

namespace kbench {

class ObserveStream final : public ServedStream<control::ObserveCommand, control::ObserveEvent> {
 public:
  static constexpr uint64_t kMostRecords = 4'000'000;  // about half a GiB

  // `service` outlives the stream.
  static ObserveStream* Start(AgentService* service, const grpc::ServerContextBase& context);

 private:
  ObserveStream(AgentService* service, const grpc::ServerContextBase& context)
      : ServedStream(service, context) {}

  grpc::Status Converse() override;
  void Leave() override;
  grpc::Status Open(const control::ObserveCommand::Begin& begin);
  grpc::Status Watch();
  bool SendTrace(const control::ObserveCommand::Collect& collect);

  std::unique_ptr<observer::PacketObserver> observer_;
  uint32_t port_ = 0;  // claimed; 0: none
};

}  // namespace kbench
