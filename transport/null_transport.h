// A transport without a kernel: every frame is answered at once, in the same Poll() that sends it,
// as a well-meaning server would. A run over it measures everything above the seam, which is the
// floor under every other transport's figures.
//
// Connect() makes the server's greeting available; the answer to a GET carries
// options.null_value_bytes of value; GETLOG of a named device log is NOT_FOUND; everything else
// succeeds. Answers are signed with the requester's identity and options.null_hmac_key.
#pragma once

#include <string>
#include <vector>

#include "kinetic/codec.h"
#include "kinetic/hmac.h"
#include "transport/transport.h"

namespace kbench {

class NullTransport final : public Transport {
 public:
  explicit NullTransport(const TransportOptions& options);

  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) override;
  absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) override;
  void Send(FlowId flow, const OutgoingFrame& frame) override;
  std::span<const TransportEvent> Poll(MonoTime deadline) override;
  void Close(FlowId flow) override { flows_[Index(flow)].open = false; }
  TransportCounters counters() const override { return {}; }
  FactList facts() const override;

 private:
  struct Flow {
    int64_t connection_id = 0;
    bool open = true;
    bool greeted = false;
  };
  struct Queued {
    FlowId flow;
    OutgoingFrame frame;
  };
  // A kReceived event whose bytes are still at an offset of replies_.
  struct Pending {
    size_t event;
    size_t begin;
    size_t size;
  };

  void Greet(FlowId flow);
  // Decodes the message in a frame's head.
  bool Read(Bytes head);
  void Answer(const Queued& queued);
  // Puts the bytes of replies_ from `begin` on, and then `value_size` bytes, into the events.
  void Deliver(FlowId flow, size_t begin, size_t value_size);

  TransportOptions options_;
  kinetic::HmacKey key_;
  kinetic::Encoder encoder_;
  kinetic::Decoder decoder_;
  kinetic::Command reply_;
  std::vector<uint8_t> value_;
  std::vector<Flow> flows_;
  std::vector<Queued> queued_;
  std::vector<TransportEvent> events_;
  std::vector<Pending> pending_;
  std::string replies_;
  uint32_t ungreeted_ = 0;
};

}  // namespace kbench
