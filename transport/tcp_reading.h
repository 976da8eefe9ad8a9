// The kernel's own account of one connection (TCP_INFO), as far as it says something of who limits
// it. The times count in jiffies, and a server that thinks counts as busy.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace kbench {

struct TcpReading {
  Nanos min_rtt;  // of acknowledgements; zero: none yet
  uint64_t retransmits = 0;
  // Over the connection's life: bytes were unacknowledged; of that, the peer's window was full; our
  // send buffer was.
  Nanos busy;
  Nanos receive_window_limited;
  Nanos send_buffer_limited;
};

// Of a connected TCP socket. False: it is none. One system call; allocates nothing.
bool ReadTcpInfo(int fd, TcpReading* reading);

}  // namespace kbench
