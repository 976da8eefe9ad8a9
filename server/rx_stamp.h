// When the kernel received the packets of a socket: SO_TIMESTAMPING's software receive stamps, on
// the host's realtime clock. The stamp that comes with a receive call is that of the last packet
// which the call touched.
#pragma once

#include <sys/socket.h>

#include "absl/status/status.h"
#include "base/clock.h"

namespace kbench::server {

// To be called on the listening socket: accepted sockets inherit it, and data that was queued
// before has no stamp.
absl::Status EnableRxStamps(int fd);

// Room for the control message that carries a stamp.
struct alignas(cmsghdr) RxStampBuffer {
  char bytes[128];
};

// The stamp in a received message's control data, or none.
RealTime FindRxStamp(const msghdr& message);

}  // namespace kbench::server
