#include "tests/e2e/packet_delay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <string>

namespace kbench::e2e {
namespace {

constexpr size_t kPacketMost = 65536;

struct Held {
  MonoTime due;
  std::string packet;
};

timespec Until(const std::deque<Held>& held) {
  const Nanos left = std::max(Nanos(0), held.front().due - MonoNow());
  return {.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
}

}  // namespace

PacketDelay::PacketDelay(const char* interface, Nanos delay)
    : delay_(delay),
      tun_(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  ifreq request = {};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  const bool made = ioctl(tun_.get(), TUNSETIFF, &request) == 0;
  EXPECT_TRUE(made) << interface << ": " << std::strerror(errno);
  if (made) thread_ = std::thread([this] { Loop(); });
}

PacketDelay::~PacketDelay() {
  const uint64_t one = 1;
  EXPECT_EQ(write(stop_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  if (thread_.joinable()) thread_.join();
}

void PacketDelay::Loop() {
  prctl(PR_SET_TIMERSLACK, 1);  // ns: else every packet is 50 us late
  std::deque<Held> held;
  std::string buffer(kPacketMost, '\0');
  for (;;) {
    pollfd wanted[] = {{.fd = tun_.get(), .events = POLLIN}, {.fd = stop_.get(), .events = POLLIN}};
    const timespec wait = held.empty() ? timespec{} : Until(held);
    if (ppoll(wanted, 2, held.empty() ? nullptr : &wait, nullptr) < 0 && errno != EINTR) return;
    if (wanted[1].revents != 0) return;
    for (ssize_t n = 0; (n = read(tun_.get(), buffer.data(), buffer.size())) > 0;) {
      held.push_back({MonoNow() + delay_, buffer.substr(0, static_cast<size_t>(n))});
    }
    while (!held.empty() && held.front().due <= MonoNow()) {
      const std::string& packet = held.front().packet;
      // What cannot be written is lost, as on any path.
      if (write(tun_.get(), packet.data(), packet.size()) < 0 && errno == EBADF) return;
      held.pop_front();
    }
  }
}

}  // namespace kbench::e2e
