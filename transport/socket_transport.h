// The classic blocking client. With one flow and nothing else to wait for, an operation is two
// system calls: sendmsg(), and a recv() that sleeps until the answer comes.
//
// A send never sleeps: with answers pending both sides could fill their buffers and wait for each
// other for ever. A send that the kernel takes only a part of waits in ppoll(POLLIN | POLLOUT) and
// keeps receiving.
//
// A recv() cannot be told when to stop, so an exact deadline needs a ppoll() in front of it: three
// system calls an operation. With options.deadline_slack each socket carries that much SO_RCVTIMEO,
// set once in Connect(), and the sleeping recv() comes back by itself to look at the time. Which of
// the two a run used is in the facts; it does not change within a run. Only while nothing was sent
// since the last answer, as before a run's start, is the deadline kept exactly.
#pragma once

#include <poll.h>

#include <vector>

#include "transport/socket_flows.h"
#include "transport/transport.h"

namespace kbench {

class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(const TransportOptions& options);

  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) override;
  absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) override;
  void Send(FlowId flow, const OutgoingFrame& frame) override {
    expecting_ = true;
    flows_.Queue(flow, frame);
  }
  std::span<const TransportEvent> Poll(MonoTime deadline) override;
  void ProbesAnswered(FlowId flow) override { flows_.ProbesAnswered(flow); }
  void Close(FlowId flow) override { flows_.Close(flow); }
  bool ReadTcp(FlowId flow, TcpReading* reading) const override {
    return flows_.ReadTcp(flow, reading);
  }
  TransportCounters counters() const override { return flows_.CountAll(); }
  FactList facts() const override;

 private:
  absl::Status LimitReceives(FlowId flow);
  // One look, begun at `now`, asleep until `deadline` at most when `sleep` is set.
  void Look(MonoTime now, MonoTime deadline, bool sleep);
  void LookAtOne(FlowId flow, MonoTime now, MonoTime deadline, bool sleep);
  void LookAtMany(MonoTime now, MonoTime deadline, bool sleep);

  SocketFlows flows_;
  std::vector<pollfd> watched_;
  const bool blocking_receive_;
  bool expecting_ = false;  // sent since something was last received
  bool skipped_look_ = false;
  uint32_t first_looked_at_ = 0;  // takes turns, so that no flow is served before others for ever
};

}  // namespace kbench
