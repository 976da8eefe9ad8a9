// The completion-driven client on io_uring. One system call both submits and waits, so that an
// operation at depth 1 costs one:
//
//   Poll()   one SENDMSG per flow with queued frames, one RECV (or RECVMSG, for stamps) per flow
//            that has none armed  ->  enter: submit and wait  ->  reap
//
// At most one send of a flow is in the kernel, and what it leaves over goes first in the next one:
// frames never pass each other. Likewise one receive, into the flow's own buffer, armed only in
// Poll(), which ends the validity of the bytes that the last one brought.
//
// Waiting for the send's completion and the answer together saves an enter, but holds back other
// flows' answers when the send is stuck. It is done only when every send of the batch should fit
// its socket's buffer, and for kTogether at most.
//
// Kernel stamps arrive as completions of a multishot TX_TIMESTAMP command per flow where the kernel
// has it, else by the socket's error queue after each send that asked for them.
//
// The ring belongs to the thread that made it; the destructor runs there as well.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "transport/flow_socket.h"
#include "transport/kernel_stamps.h"
#include "transport/send_queue.h"
#include "transport/transport.h"
#include "transport/uring_ring.h"

namespace kbench {

class UringTransport final : public Transport {
 public:
  static constexpr uint32_t kFlowsMax = 8'000;
  static constexpr Nanos kTogether = Millis(1);

  // `stamp_command`: send stamps by the kernel's command where it has one, not by the error queue
  // (docs/decisions/008).
  static absl::StatusOr<std::unique_ptr<Transport>> Make(const TransportOptions& options,
                                                         bool stamp_command = true);
  ~UringTransport() override;

  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) override;
  absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) override;
  void Send(FlowId flow, const OutgoingFrame& frame) override;
  std::span<const TransportEvent> Poll(MonoTime deadline) override;
  void ProbesAnswered(FlowId flow) override;
  void Close(FlowId flow) override;
  bool ReadTcp(FlowId flow, TcpReading* reading) const override;
  TransportCounters counters() const override;
  FactList facts() const override;

 private:
  enum class Work : uint8_t { kSend, kReceive, kStamps, kCancel };
  // A flow ends when its last completion has come; for that what is in the kernel is cancelled.
  enum class State : uint8_t { kOpen, kEnding, kCancelling, kEnded };
  // The one send of a flow: in the ring before the enter that submits it, and after it. It is stuck
  // when it was not complete as that enter was over.
  enum class Sending : uint8_t { kNothing, kFresh, kSubmitted, kStuck };
  // The one receive of a flow, and whether it brings a stamp along.
  enum class Receiving : uint8_t { kNothing, kBytes, kBytesAndStamp };

  struct Flow {
    Fd fd;
    State state = State::kOpen;
    Sending sending = Sending::kNothing;
    Receiving receiving = Receiving::kNothing;
    int error = 0;                 // of a flow that ends: what kClosed will say
    int send_error = 0;            // nothing more can be sent; what the peer sent is still read
    uint32_t in_flight = 0;        // submissions without their last completion
    bool listed = false;           // in todo_
    bool silent = false;           // ends without a kClosed
    bool stamped = false;          // the kernel stamps this socket's packets
    bool watching_stamps = false;  // the command that brings send stamps is in the kernel
    bool wants_stamp = false;      // a probed request is in flight
    bool call_probed = false;      // the send asks for stamps
    SendQueue::Line line;
    StampMatcher stamps;
    MonoTime submitted;
    size_t call_bytes = 0;
    uint64_t sent_since_receive = 0;
    uint64_t fits = 0;  // bytes that the send buffer should take without waiting
    msghdr send_header = {};
    msghdr receive_header = {};
    iovec receive_part = {};
    StampControl send_control;
    StampControl receive_control;
    std::array<iovec, SendQueue::kCallParts> parts;
    std::unique_ptr<uint8_t[]> buffer;
  };

  // A completion taken out of the ring.
  struct Completion {
    uint64_t user_data = 0;
    int32_t result = 0;
    uint32_t flags = 0;
    RealTime stamp;
  };

  // What the next enter may wait for.
  struct Batch {
    uint32_t sends = 0;
    uint32_t stamps = 0;
    bool together = true;   // every send should complete at once, and leaves nothing behind
    bool by_queue = false;  // a probed send whose stamps come by the error queue
  };

  UringTransport(const TransportOptions& options, UringRing ring, bool wide, bool stamp_command);

  Flow& flow(FlowId id) { return *flows_[Index(id)]; }
  void List(FlowId id);
  io_uring_sqe* Entry(FlowId id, Work work);
  Batch Prepare();
  void PrepareSend(FlowId id, Batch* batch);
  void PrepareReceive(FlowId id);
  void PrepareStamps(FlowId id);
  void PrepareCancel(FlowId id);
  void Submit(const Batch& batch, MonoTime now, MonoTime deadline);

  uint32_t Reap();  // how many completions there were
  // After the reap that follows an enter: which of its sends are still in the kernel.
  void FindStuck();
  Completion Take(const io_uring_cqe& cqe) const;
  void Complete(const Completion& completion, MonoTime now);
  void CompleteSend(FlowId id, int result, MonoTime now);
  void CompleteReceive(FlowId id, int result, MonoTime now);
  void CompleteStamps(FlowId id, const Completion& completion);
  static bool Ends(const Flow& f) {
    return f.state == State::kEnding || f.state == State::kCancelling;
  }
  void BeginEnd(FlowId id, int error);
  void FinishEnd(FlowId id);
  void SettleStamps();
  void Drain(Flow* flow);
  bool MayDrain(const Flow& f) const;
  void Count(const DrainCount& count);
  bool TryStampCommand(FlowId id);
  std::unique_ptr<Flow> MakeFlow(FlowSocket socket) const;
  void Begin(FlowId id);
  // Enters and keeps the completions for the next Poll().
  void EnterAside(uint32_t wanted);

  TransportOptions options_;
  UringRing ring_;
  const bool wide_;
  bool stamp_command_;
  std::string stamp_source_ = "none";
  SendQueue frames_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::vector<FlowId> todo_;      // flows with something to put into the ring
  std::vector<FlowId> working_;   // todo_ of the Prepare() under way
  std::vector<FlowId> fresh_;     // flows whose send goes with this turn's enter
  std::vector<FlowId> answered_;  // flows with bytes in this Poll() and stamps to settle
  std::vector<Completion> aside_;
  std::vector<TransportEvent> events_;
  MonoTime polled_;  // entry of the last enter, or of the last look at the ring
  size_t chunk_;
  TransportCounters counters_;
  StampCounts past_stamps_;  // of connections that were followed by others
  FactList flow_facts_;
};

}  // namespace kbench
