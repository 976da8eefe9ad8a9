// An accepted socket as a stream of bytes, plain or TLS, without waiting. On a plain one the kernel
// says when bytes came; TLS reads whole records, whose bytes came at some time before.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/fd.h"
#include "base/tls.h"

namespace kbench::server {

class Channel {
 public:
  enum class Kind {
    kDone,
    kBlocked,  // try again when the socket has one of wanted_events()
    kEnded,    // the peer closed
    kFailed,
  };
  struct Received {
    Kind kind = Kind::kDone;
    size_t bytes = 0;
    RealTime stamp;  // the kernel's, of the last packet of `bytes`; not set: there is none
  };
  struct Sent {
    Kind kind = Kind::kDone;
    size_t bytes = 0;
  };

  Channel(Fd fd, std::unique_ptr<TlsStream> tls) : fd_(std::move(fd)), tls_(std::move(tls)) {}

  int fd() const { return fd_.get(); }
  bool tls() const { return tls_ != nullptr; }

  // Fills `parts` from the front; at most two.
  Received Receive(std::span<iovec> parts);
  Sent Send(std::span<const iovec> parts);
  // Bytes were received that epoll does not know of: receive again without waiting.
  bool has_more() const { return tls_ != nullptr && (tls_->pending() > 0 || ended_.has_value()); }
  // TLS only: the last kBlocked of Receive() waits for room to write, or of Send() for bytes.
  bool receive_wants_write() const { return receive_wants_write_; }
  bool send_wants_read() const { return send_wants_read_; }

  // No more will be sent.
  void ShutdownWrites();

 private:
  Fd fd_;
  std::unique_ptr<TlsStream> tls_;  // destroyed before fd_ is closed
  std::optional<Kind> ended_;       // what came right behind the last bytes that were received
  bool receive_wants_write_ = false;
  bool send_wants_read_ = false;
};

}  // namespace kbench::server
