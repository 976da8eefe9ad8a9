// The event-driven client: level-triggered epoll, sleeping in epoll_pwait2() to the nanosecond.
//
// Readiness to send is watched only while a flow has bytes that the kernel did not take. EPOLLERR
// cannot be masked, so whatever raises it is taken out of the error queue before the next wait.
#pragma once

#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "base/fd.h"
#include "transport/socket_flows.h"
#include "transport/transport.h"

namespace kbench {

class EpollTransport final : public Transport {
 public:
  static absl::StatusOr<std::unique_ptr<Transport>> Make(const TransportOptions& options);

  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) override;
  absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) override;
  void Send(FlowId flow, const OutgoingFrame& frame) override { flows_.Queue(flow, frame); }
  std::span<const TransportEvent> Poll(MonoTime deadline) override;
  void ProbesAnswered(FlowId flow) override { flows_.ProbesAnswered(flow); }
  void Close(FlowId flow) override { flows_.Close(flow); }
  bool ReadTcp(FlowId flow, TcpReading* reading) const override {
    return flows_.ReadTcp(flow, reading);
  }
  TransportCounters counters() const override { return flows_.CountAll(); }
  FactList facts() const override;

 private:
  EpollTransport(const TransportOptions& options, Fd epoll);

  // One look, begun at `now`, asleep until `deadline` at most when `sleep` is set.
  void Look(MonoTime now, MonoTime deadline, bool sleep);
  void FlushQueued();
  // Takes the flow into the epoll set.
  absl::Status Register(FlowId flow, const SocketAddress& peer);
  // Watches readiness to receive, and to send as well while the flow is blocked.
  void Watch(FlowId flow);

  SocketFlows flows_;
  Fd epoll_;
  std::vector<epoll_event> ready_;
  bool skipped_look_ = false;
  uint32_t first_looked_at_ = 0;  // takes turns, so that no flow is served before others for ever
};

}  // namespace kbench
