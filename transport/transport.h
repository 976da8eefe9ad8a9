// The seam between a session and a client I/O stack. Above it the same machine code runs for every
// stack, so that no difference of inlining is counted as "client stack"; a virtual call costs
// 1.4 ns against about a microsecond an operation.
//
//   Send()  queues a frame; no system call.
//   Poll()  submits what is queued, waits, reaps, and returns what happened.
//
// One transport belongs to one worker thread and carries all its flows. Set-up calls allocate and
// block; Send() and Poll() do neither beyond the wait that was asked for (Poll's buffers are made
// in Open()).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/tls.h"
#include "transport/send_stamps.h"
#include "transport/tcp_reading.h"

namespace kbench {

enum class TransportKind { kSocket, kEpoll, kUring, kNull };

absl::StatusOr<TransportKind> ParseTransportKind(absl::string_view name);
absl::string_view Name(TransportKind kind);

// Index of a flow within its transport, dense from 0 in the order of Connect().
enum class FlowId : uint32_t {};
constexpr uint32_t Index(FlowId id) { return static_cast<uint32_t>(id); }

enum class PollMode { kBlock, kSpin };  // sleep in the kernel, or look again without sleeping
enum class FlushMode {
  kBatch,
  kOp
};  // one system call for all frames queued on a flow, or one per frame

// TLS between a transport and its peers: transport/tls_transport.h.
struct TlsOptions {
  std::string ca_pem;       // authorities, PEM; empty: any certificate is taken
  std::string server_name;  // with authorities: whose certificate it must be; empty: anybody's
  // Not null: this context, whatever ca_pem says; needed until the transport is made.
  const TlsContext* context = nullptr;
};

struct TransportOptions {
  uint32_t flows_max = 1;
  uint32_t frames_max = 1;  // frames queued or in the kernel at once, over all flows
  PollMode poll = PollMode::kBlock;
  FlushMode flush = FlushMode::kBatch;
  bool kernel_stamps = false;  // frames may ask for stamps
  int send_buffer_bytes = 0;   // 0: the kernel's default
  int receive_buffer_bytes = 0;
  std::string congestion_control;  // empty: the kernel's default
  std::optional<TlsOptions> tls;   // none: plain TCP
  uint32_t receive_chunk_bytes = 256 * 1024;
  // How late Poll() may come back after its deadline. 0: not at all, for open loops. A closed loop,
  // whose deadlines are housekeeping, gives some: the socket transport with one flow then sleeps in
  // recv() itself, the classic blocking client, and needs no ppoll() in front of it.
  Nanos deadline_slack;
  // Once true (null: never), Connect() ends soon, Cancelled. Outlives the transport.
  const std::atomic<bool>* cancelled = nullptr;
  // Test hook: at most this many bytes per send and receive system call; 0: no limit.
  uint32_t max_bytes_per_call = 0;
  // Test hook: stamps are left in the error queue, as a careless prober would.
  bool leave_stamps = false;
  // Of the null transport: what a GET returns, and the key that signs its answers (empty: the
  // factory's key of identity 1).
  uint32_t null_value_bytes = 0;
  std::string null_hmac_key;
};

// A frame on its way out. Both spans and `stamps` stay valid until the frame's kSent event, or
// until the flow's kClosed event.
struct OutgoingFrame {
  Bytes head;                    // begins with frame header and message; never empty
  Bytes value;                   // may be empty
  uint32_t token = 0;            // comes back in kSent
  bool probe = false;            // ask the kernel for stamps
  SendStamps* stamps = nullptr;  // not null
};

struct TransportEvent {
  enum class Kind : uint8_t {
    kSent,      // the frame's last byte is in the kernel; its buffers are free
    kReceived,  // `bytes` came, valid until the next Poll()
    kClosed,    // the flow ended: by the peer (reason OK) or by an error. Nothing follows it
                // before Reopen().
  };
  Kind kind = Kind::kReceived;
  FlowId flow = {};
  uint32_t token = 0;
  Bytes bytes;
  // kReceived: entry of the system call that brought the bytes, or of the wait before it, or of the
  // look at a ring that needed no call: until then the caller was at something else. Bytes that had
  // been there before are those of the call that picked them up. Of several events of one look all
  // have the same. A wait that the kernel interrupts and that goes on (SIGCONT) is one wait.
  MonoTime polled;
  MonoTime woke;             // the wait that led here returned
  MonoTime received;         // these bytes were in user space
  RealTime kernel_received;  // stamp of the last packet of `bytes`; zero when not taken
  int error = 0;             // kClosed: errno, 0 = the peer closed in order
};

// Counted by the transport itself, over its life.
struct TransportCounters {
  uint64_t system_calls = 0;
  uint64_t waits = 0;  // system calls that were allowed to sleep
  uint64_t short_sends = 0;
  uint64_t short_receives = 0;  // receive calls that filled their buffer
  uint64_t stamps_drained = 0;
  uint64_t stamps_asked = 0;      // probed frames, of which ...
  uint64_t stamps_missing = 0;    // had left, and bytes came after them, but not both send stamps
  uint64_t stamps_abandoned = 0;  // too many others were waiting for theirs

  TransportCounters Since(const TransportCounters& earlier) const;
  void Add(const TransportCounters& other);
};

// What was granted, beside what was asked: names and values for people.
using FactList = std::vector<std::pair<std::string, std::string>>;

class Transport {
 public:
  virtual ~Transport() = default;

  // Opens a flow: connects and applies the options, or says who refused. Blocks up to `timeout`.
  virtual absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) = 0;

  // Connects a flow that has ended, by itself or by Close(), once more, as Connect() does; it keeps
  // its id. On failure it stays ended and may be tried again. Not while events of the last Poll()
  // are in use.
  virtual absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) = 0;

  // Queues a frame behind those already queued on `flow`. A frame for a closed flow is dropped
  // without a kSent. Precondition: at most frames_max frames without their kSent.
  virtual void Send(FlowId flow, const OutgoingFrame& frame) = 0;

  // Submits what is queued and returns as soon as there is an event, or at `deadline`
  // (kSpin: looks without sleeping until then). A deadline in the past still submits and reaps.
  // The span, and the bytes in it, are valid until the next call.
  //
  // Kernel TX stamps of a probed frame are written to its SendStamps no later than the Poll() that
  // returns the first bytes received on that flow after the frame's kSent; what has not come by
  // then stays zero. The SendStamps must therefore outlive that Poll(), not only kSent.
  virtual std::span<const TransportEvent> Poll(MonoTime deadline) = 0;

  // No probed request of `flow` is waiting for its answer: until the next one is sent, received
  // bytes need no kernel stamp, which makes receiving cheaper.
  virtual void ProbesAnswered(FlowId) {}

  // Closes a flow now. No further events come from it.
  virtual void Close(FlowId flow) = 0;

  // The kernel's own account of a flow's connection. False: there is no kernel below, or the flow
  // has ended. One system call, which is not counted; allocates nothing.
  virtual bool ReadTcp(FlowId, TcpReading*) const { return false; }

  virtual TransportCounters counters() const = 0;
  virtual FactList facts() const = 0;
};

// A transport ready for use, made on the worker thread that will own it. Unavailable, with the
// reason, when this kernel refuses it; another transport is never substituted.
absl::StatusOr<std::unique_ptr<Transport>> MakeTransport(TransportKind kind,
                                                         const TransportOptions& options);

}  // namespace kbench
