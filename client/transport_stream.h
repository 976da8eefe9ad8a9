// A stream over one flow of a transport that the load is driven with, so that one request at a time
// can be tried over the very code that a run would use. A Send() returns when the kernel has all of
// it.
//
// A uring transport belongs to the thread that made it, and so does a stream over it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/tls.h"
#include "client/stream.h"
#include "transport/transport.h"

namespace kbench::client {

class TransportStream final : public Stream {
 public:
  // Unavailable: this machine refuses the transport, nobody listens, or the host cannot be reached.
  // `context`, `name` and `cancelled` are those of SocketStream::Connect().
  static absl::StatusOr<std::unique_ptr<Stream>> Connect(
      TransportKind kind, const SocketAddress& server, const std::string& name,
      const TlsContext* context, MonoTime deadline, const std::atomic<bool>* cancelled = nullptr);

  absl::Status Send(absl::string_view bytes, MonoTime deadline) override;
  absl::StatusOr<Bytes> Receive(MutableBytes room, MonoTime deadline) override;
  bool tls() const override { return tls_; }

 private:
  TransportStream(std::unique_ptr<Transport> transport, FlowId flow, bool tls,
                  const std::atomic<bool>* cancelled)
      : transport_(std::move(transport)), flow_(flow), tls_(tls), cancelled_(cancelled) {}

  // Takes what happens until there is something or the deadline passes.
  absl::Status Wait(MonoTime deadline);
  absl::Status Ended() const;

  SendStamps stamps_;  // nobody reads them; outlives the transport
  std::unique_ptr<Transport> transport_;
  FlowId flow_;
  bool tls_;
  const std::atomic<bool>* cancelled_;
  bool sent_ = false;  // the frame's last byte is in the kernel
  bool open_ = true;
  int error_ = 0;                // why not open
  std::vector<uint8_t> unread_;  // came, and was not asked for yet
  size_t read_ = 0;              // of these
};

}  // namespace kbench::client
