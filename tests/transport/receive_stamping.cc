#include "tests/transport/receive_stamping.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

namespace kbench {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

}  // namespace

ReceiveStamping::ReceiveStamping() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  const int flags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE;
  ready_ = ::bind(socket_.get(), any, size) == 0 && ::getsockname(socket_.get(), any, &size) == 0 &&
           ::connect(socket_.get(), any, size) == 0 &&
           ::setsockopt(socket_.get(), SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0;
}

bool ReceiveStamping::Run() {
  if (!ready_) return false;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (Stamped()) return true;
    std::this_thread::yield();
  }
  return false;
}

bool ReceiveStamping::Stamped() {
  char byte = 0;
  if (::send(socket_.get(), &byte, 1, 0) != 1) return false;
  alignas(cmsghdr) char control[256];
  iovec data = {.iov_base = &byte, .iov_len = 1};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(socket_.get(), &message, 0) != 1) return false;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) return true;
  }
  return false;
}

}  // namespace kbench
