// TLS over any other transport, so that all client stacks encrypt by the same code:
//
//   Send()   encrypts the frame into a buffer of this transport -> a frame of the plain transport
//   Poll()   bytes of the plain transport -> decrypts them into an arena, valid until the next Poll
//
// Stamps are those of the plain transport: `submitted` is taken before the system call that gives
// the ciphertext to the kernel, `received` when the ciphertext was in user space. So encryption
// counts to the time before `submitted`, decryption to the time after `received`. A record's bytes
// carry the stamps of the receive that completed it.
//
// A buffer is free again with the plain transport's kSent, and the next frame takes it: once every
// buffer in use has grown to the largest frame, nothing is allocated here (OpenSSL allocates for
// itself). Memory is that of all frames that the kernel has not taken.
//
// What TLS itself has to say (handshake, alerts) goes as a control frame, one per flow at a time,
// or in front of the next frame.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/tls.h"
#include "transport/transport.h"

namespace kbench {

class TlsTransport final : public Transport {
 public:
  // What the plain transport below is to be made with.
  static TransportOptions PlainOptions(const TransportOptions& options);
  // InvalidArgument: options.tls, which must be there, has no usable authorities.
  static absl::StatusOr<std::unique_ptr<Transport>> Make(const TransportOptions& options,
                                                         std::unique_ptr<Transport> plain);

  // The handshake is part of it. PermissionDenied: the certificate is not trusted. A flow whose
  // handshake failed has used up its place.
  absl::StatusOr<FlowId> Connect(const SocketAddress& peer, Nanos timeout) override;
  absl::Status Reopen(FlowId flow, const SocketAddress& peer, Nanos timeout) override;
  void Send(FlowId flow, const OutgoingFrame& frame) override;
  std::span<const TransportEvent> Poll(MonoTime deadline) override;
  void ProbesAnswered(FlowId flow) override { plain_->ProbesAnswered(flow); }
  // Without TLS's good-bye: nothing can be waited for.
  void Close(FlowId flow) override;
  bool ReadTcp(FlowId flow, TcpReading* reading) const override {
    return plain_->ReadTcp(flow, reading);
  }
  TransportCounters counters() const override { return plain_->counters(); }
  FactList facts() const override;

 private:
  struct Flow {
    Flow(const TlsContext& context, const std::string& server_name)
        : engine(context, server_name) {}

    TlsEngine engine;
    bool open = true;
    bool broken = false;             // cannot encrypt; its kClosed is among the kept events
    bool control_in_flight = false;  // a control frame without its kSent
    std::vector<uint8_t> owed;       // TLS's own records, behind all that was sent
  };

  // The ciphertext of one frame; its index is the token of the plain transport.
  struct Sealed {
    std::vector<uint8_t> bytes;
    FlowId flow = {};
    uint32_t token = 0;
    bool in_use = false;
    bool control = false;
    SendStamps stamps;  // of a control frame
  };

  // An event of the plain transport that came while Connect() waited for something else.
  struct Kept {
    TransportEvent event;
    std::vector<uint8_t> bytes;
  };

  TlsTransport(const TransportOptions& options, TlsContext context,
               std::unique_ptr<Transport> plain);

  Flow& flow(FlowId id) { return *flows_[Index(id)]; }
  absl::Status Begin(FlowId id, const SocketAddress& peer, Nanos timeout, MonoTime deadline);
  absl::Status Handshake(FlowId id, const std::string& peer, Nanos timeout, MonoTime deadline);
  // One event of the flow under way. `*done`: the handshake is over.
  absl::Status Advance(const TransportEvent& event, const std::string& peer, bool* done);
  void Keep(const TransportEvent& event, Bytes bytes);

  bool Seal(Flow* flow, const OutgoingFrame& frame, std::vector<uint8_t>* out);
  uint32_t TakeBuffer(FlowId id);
  void FreeBuffer(uint32_t index);
  void SendOwed(FlowId id);

  // Room in the arena for all that `events` may decrypt to.
  template <typename Events>
  void MakeRoom(const Events& events);
  void TakeKept();
  void Take(const TransportEvent& event);
  void TakeSent(const TransportEvent& event);
  void TakeReceived(const TransportEvent& event);
  void End(FlowId id, int error);

  const TlsContext context_;
  const std::string server_name_;
  const std::atomic<bool>* const cancelled_;
  std::vector<Sealed> sealed_;
  std::vector<uint32_t> free_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::vector<uint8_t> first_record_;  // a frame's head with the beginning of its value
  std::vector<Kept> kept_;
  std::vector<TransportEvent> events_;
  std::unique_ptr<uint8_t[]> arena_;
  size_t arena_size_ = 0;
  size_t arena_used_ = 0;
  FactList tls_facts_;
  std::unique_ptr<Transport> plain_;  // the first to go: the kernel may still read our buffers
};

}  // namespace kbench
