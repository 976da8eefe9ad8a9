// The seam between the client and what carries its bytes: a connected byte stream, plain or TLS,
// whose every wait ends at a deadline. Blocks its thread.
//
//   SocketStream      system calls of its own (client/socket_stream.h)
//   TransportStream   one of the transports that the load is driven with
//   (client/transport_stream.h)
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/clock.h"

namespace kbench::client {

class Stream {
 public:
  virtual ~Stream() = default;

  // All of it, or an error: DeadlineExceeded, Cancelled, or Unavailable when the connection is
  // gone. After an error the stream is of no use.
  virtual absl::Status Send(absl::string_view bytes, MonoTime deadline) = 0;
  // At least one byte, in `room`. Unavailable at the end of the stream.
  virtual absl::StatusOr<Bytes> Receive(MutableBytes room, MonoTime deadline) = 0;

  virtual bool tls() const = 0;
};

}  // namespace kbench::client
