// One connected TCP socket for a flow: connected within a time limit, its options applied and read
// back, since what the kernel granted is what was measured.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "transport/transport.h"

namespace kbench {

// How often a wait of Connect() looks at options.cancelled.
constexpr Nanos kCancelSlice = Millis(50);

struct FlowSocket {
  Fd fd;                // blocking
  bool stamps = false;  // kernel stamps were asked for and granted
  int send_buffer_bytes = 0;
  FactList facts;
};

// Blocks up to `timeout`. TCP_NODELAY is always on: a benchmark never waits for Nagle. Unavailable
// or DeadlineExceeded when the peer cannot be had, InvalidArgument when the kernel refuses an
// option that `options` asks for. Kernel stamps that are refused are a fact, not an error.
absl::StatusOr<FlowSocket> ConnectFlow(const SocketAddress& peer, Nanos timeout,
                                       const TransportOptions& options);

// "127.0.0.1:8123", for messages.
std::string ToString(const SocketAddress& address);

}  // namespace kbench
