// A connected byte stream, plain or TLS, whose every wait ends at a deadline. Blocks its thread.
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

namespace kbench::client {

class Stream {
 public:
  // Unavailable: nobody listens, or the host cannot be reached. `context` null: plain TCP; it is
  // needed during this call only. `name` is the server's name for the certificate check.
  // Once `*cancelled` (may be null; outlives the stream) is true, every wait ends soon, Cancelled.
  static absl::StatusOr<Stream> Connect(const SocketAddress& server, const std::string& name,
                                        const TlsContext* context, MonoTime deadline,
                                        const std::atomic<bool>* cancelled = nullptr);

  // All of it, or an error: DeadlineExceeded, or Unavailable when the connection is gone.
  absl::Status Send(absl::string_view bytes, MonoTime deadline);
  // At least one byte. Unavailable at the end of the stream.
  absl::StatusOr<Bytes> Receive(MutableBytes room, MonoTime deadline);

  bool tls() const { return tls_ != nullptr; }

 private:
  Stream(Fd fd, const std::atomic<bool>* cancelled) : fd_(std::move(fd)), cancelled_(cancelled) {}

  absl::Status WaitFor(short events, MonoTime deadline) const;
  // Waits for what TLS needs; an error when it cannot go on.
  absl::Status WaitFor(const TlsStream::Outcome& outcome, MonoTime deadline) const;

  Fd fd_;
  const std::atomic<bool>* cancelled_;
  std::unique_ptr<TlsStream> tls_;  // destroyed before fd_ is closed
};

}  // namespace kbench::client
