// Flows driven by plain system calls: everything that the socket and the epoll transport have in
// common, which is all but the waiting.
//
//   Queue()    a frame joins its flow's line
//   Flush()    sendmsg(MSG_DONTWAIT) until the line is empty or the kernel is full
//   Receive()  one recv, or recvmsg while a probed request is in flight, into the arena
//
// What happened is gathered as events; the waiting transport returns them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "base/fd.h"
#include "transport/flow_socket.h"
#include "transport/kernel_stamps.h"
#include "transport/send_queue.h"
#include "transport/transport.h"

namespace kbench {

class SocketFlows {
 public:
  struct Flow {
    Fd fd;  // invalid once the flow has ended
    SendQueue::Line line;
    StampMatcher stamps;
    bool stamped = false;      // the kernel stamps this socket's packets
    bool wants_stamp = false;  // a probed request is in flight
    bool queued = false;       // in the list that FlushQueued() works through
    bool blocked = false;      // the kernel took less than it was offered: wait for room
    int send_error = 0;        // nothing more can be sent; what the peer sent is still read

    bool open() const { return fd.valid(); }
  };

  explicit SocketFlows(const TransportOptions& options);

  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout);
  absl::Status Reopen(FlowId id, const SocketAddress& peer, Nanos timeout);
  void Close(FlowId id);

  void Queue(FlowId id, const OutgoingFrame& frame);
  void ProbesAnswered(FlowId id) { flow(id).wants_stamp = false; }

  // Forgets the events and takes back the arena.
  void BeginPoll();
  // Sends on every flow that got frames since the last call.
  void FlushQueued();
  void Flush(FlowId id);
  // One receive call. MSG_DONTWAIT in `flags` or a blocking one; `polled`: entry of the wait that
  // led here, or of this call; `woke` unset: the call itself was the wait.
  enum class Came { kSomething, kNothing, kInterrupted };
  Came Receive(FlowId id, int flags, MonoTime polled, MonoTime woke);
  // True while the arena has room for one more full receive.
  bool has_room() const { return arena_used_ + chunk_ <= arena_size_; }
  void Drain(Flow* flow);
  bool MayDrain(const Flow& f) const;
  void Count(const DrainCount& count);

  Flow& flow(FlowId id) { return flows_[Index(id)]; }
  uint32_t count() const { return static_cast<uint32_t>(flows_.size()); }
  uint32_t open_count() const { return open_count_; }
  // Flows that the kernel took less of than it was offered, since BeginPoll().
  std::span<const FlowId> newly_blocked() const { return newly_blocked_; }
  std::span<const TransportEvent> events() const { return events_; }
  TransportCounters& counters() { return counters_; }
  // With those of the flows' stamps.
  TransportCounters CountAll() const;
  bool ReadTcp(FlowId id, TcpReading* reading) const {
    const Flow& f = flows_[Index(id)];
    return f.open() && ReadTcpInfo(f.fd.get(), reading);
  }
  const TransportOptions& options() const { return options_; }
  FactList facts() const;

 private:
  void End(FlowId id, int error);
  void Open(FlowSocket socket, Flow* flow);

  TransportOptions options_;
  SendQueue frames_;
  std::vector<Flow> flows_;
  std::vector<FlowId> queued_;
  std::vector<FlowId> newly_blocked_;
  std::vector<TransportEvent> events_;
  std::vector<iovec> parts_;
  size_t chunk_;
  size_t arena_size_;
  size_t arena_used_ = 0;
  struct Freed {
    void operator()(uint8_t* p) const { ::operator delete[](p, std::align_val_t(4096)); }
  };
  std::unique_ptr<uint8_t[], Freed> arena_;
  uint32_t open_count_ = 0;
  TransportCounters counters_;
  StampCounts past_stamps_;  // of connections that were followed by others
  FactList flow_facts_;
};

}  // namespace kbench
