#include "transport/tcp_reading.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace kbench {

bool ReadTcpInfo(int fd, TcpReading* reading) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  // An older kernel fills in less.
  if (size < offsetof(tcp_info, tcpi_sndbuf_limited) + sizeof(info.tcpi_sndbuf_limited)) {
    return false;
  }
  const bool measured = info.tcpi_min_rtt != ~0u;
  *reading = {.min_rtt = measured ? Micros(info.tcpi_min_rtt) : Nanos(),
              .retransmits = info.tcpi_total_retrans,
              .busy = Micros(static_cast<int64_t>(info.tcpi_busy_time)),
              .receive_window_limited = Micros(static_cast<int64_t>(info.tcpi_rwnd_limited)),
              .send_buffer_limited = Micros(static_cast<int64_t>(info.tcpi_sndbuf_limited))};
  return true;
}

}  // namespace kbench
