// A transport and a fake peer, and the loop between them: what every transport test sets up.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/transport/fake_peer.h"
#include "transport/transport.h"

namespace kbench {

// One way to carry flows; `error_queue`, of uring alone: its send stamps not by the kernel's
// command; `tls`: both ends speak it, and any certificate will do.
struct Stack {
  TransportKind kind = TransportKind::kSocket;
  FlushMode flush = FlushMode::kBatch;
  PollMode poll = PollMode::kBlock;
  bool error_queue = false;
  bool tls = false;
};
std::ostream& operator<<(std::ostream& out, const Stack& stack);
std::string NameOf(const Stack& stack);  // fit for a test's name

// A server's, made once: a key takes its time.
const TlsContext& PeerTls();

absl::StatusOr<std::unique_ptr<Transport>> MakeStack(const Stack& stack, TransportOptions options);

class TransportRig {
 public:
  // Not OK: this machine has no such transport, and the test is to be skipped.
  static absl::StatusOr<std::unique_ptr<TransportRig>> Make(const Stack& stack,
                                                            const FakePeer::Script& script,
                                                            const TransportOptions& options);

  // Queues a frame of `head_bytes` and `value_bytes` on flow `flow`; its token counts from 0.
  uint32_t Send(uint32_t flow, size_t head_bytes, size_t value_bytes, bool probe = false);

  // Polls until done() holds; a minute without an event is a failure.
  void PollUntil(const std::function<bool()>& done);
  void Take(std::span<const TransportEvent> events);

  // The classic operation at depth 1: one request out, `reply_bytes` back.
  void RoundTrip(uint32_t flow, size_t request_bytes, uint64_t reply_bytes, bool probe = false);

  Transport& transport() { return *transport_; }
  FakePeer& peer() { return *peer_; }

  struct Sent {
    std::string head, value;
    SendStamps stamps;
    bool done = false;  // its kSent came
  };
  Sent& frame(uint32_t token) { return frames_[token]; }
  // Frees the bytes of a frame, as a caller may after kSent, kClosed or Close().
  void FreeBytes(uint32_t token);

  struct FlowLog {
    std::string queued;          // every byte given to Send()
    std::vector<uint32_t> sent;  // tokens of kSent, in order
    uint64_t received = 0;
    uint64_t wrong = 0;  // received bytes that are not the peer's stream
    int closed = 0;
    int error = 0;
    int after_closed = 0;  // events after kClosed
    TransportEvent last_received;
  };
  FlowLog& log(uint32_t flow) { return logs_[flow]; }

 private:
  explicit TransportRig(bool tls) : tls_(tls) {}

  const bool tls_;
  MonoTime poll_begun_;
  std::unique_ptr<FakePeer> peer_;
  std::unique_ptr<Transport> transport_;
  std::deque<Sent> frames_;  // by token; addresses stay
  std::vector<FlowLog> logs_;
};

}  // namespace kbench
