// A stream over plain system calls: a socket that never blocks, and poll().
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/tls.h"
#include "client/stream.h"

namespace kbench::client {

class SocketStream final : public Stream {
 public:
  // Unavailable: nobody listens, or the host cannot be reached. `context` null: plain TCP; it is
  // needed during this call only. `name` is the server's name for the certificate check.
  // Once `*cancelled` (may be null; outlives the stream) is true, every wait ends soon, Cancelled.
  static absl::StatusOr<std::unique_ptr<Stream>> Connect(
      const SocketAddress& server, const std::string& name, const TlsContext* context,
      MonoTime deadline, const std::atomic<bool>* cancelled = nullptr);

  absl::Status Send(absl::string_view bytes, MonoTime deadline) override;
  absl::StatusOr<Bytes> Receive(MutableBytes room, MonoTime deadline) override;
  bool tls() const override { return tls_ != nullptr; }

 private:
  SocketStream(Fd fd, const std::atomic<bool>* cancelled)
      : fd_(std::move(fd)), cancelled_(cancelled) {}

  absl::Status WaitFor(short events, MonoTime deadline) const;
  // Waits for what TLS needs; an error when it cannot go on.
  absl::Status WaitFor(const TlsStream::Outcome& outcome, MonoTime deadline) const;

  Fd fd_;
  const std::atomic<bool>* cancelled_;
  std::unique_ptr<TlsStream> tls_;  // destroyed before fd_ is closed
};

}  // namespace kbench::client
