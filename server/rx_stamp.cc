#include "server/rx_stamp.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace kbench::server {

absl::Status EnableRxStamps(int fd) {
  const int flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("the kernel refuses receive stamps (SO_TIMESTAMPING): ", std::strerror(errno)));
}

RealTime FindRxStamp(const msghdr& message) {
  msghdr* mutable_message = const_cast<msghdr*>(&message);  // CMSG_NXTHDR's signature
  for (cmsghdr* c = CMSG_FIRSTHDR(mutable_message); c != nullptr;
       c = CMSG_NXTHDR(mutable_message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING) continue;
    scm_timestamping stamps;
    std::memcpy(&stamps, CMSG_DATA(c), sizeof(stamps));
    return RealTime(int64_t{stamps.ts[0].tv_sec} * 1'000'000'000 + stamps.ts[0].tv_nsec);
  }
  return RealTime();
}

}  // namespace kbench::server
