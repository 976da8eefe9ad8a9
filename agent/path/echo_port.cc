#include "agent/path/echo_port.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

void PutBig32(uint32_t value, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

uint32_t GetBig32(const uint8_t* in) {
  return uint32_t{in[0]} << 24 | uint32_t{in[1]} << 16 | uint32_t{in[2]} << 8 | in[3];
}

// One connection, on a thread of its own, with blocking calls: an echo costs two of them.
class Echoer {
 public:
  explicit Echoer(int fd) : fd_(fd), in_(kBufferBytes), out_(echo::kMostBytes) {}

  void Serve() {
    while (true) {
      if (!Fill(echo::kHeaderBytes)) return;
      const uint8_t* header = in_.data() + begin_;
      const uint32_t request = GetBig32(header + 4), reply = GetBig32(header + 8);
      if (GetBig32(header) != echo::kMagic || request > echo::kMostBytes ||
          reply > echo::kMostBytes) {
        return;
      }
      begin_ += echo::kHeaderBytes;
      if (!Skip(request) || !Reply(reply)) return;
    }
  }

 private:
  // Until there are `bytes` in the buffer, which holds them.
  bool Fill(size_t bytes) {
    while (end_ - begin_ < bytes) {
      if (begin_ > 0) {
        std::memmove(in_.data(), in_.data() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
      }
      const ssize_t got = recv(fd_, in_.data() + end_, in_.size() - end_, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      end_ += static_cast<size_t>(got);
    }
    return true;
  }

  bool Skip(size_t bytes) {
    while (bytes > 0) {
      if (!Fill(1)) return false;
      const size_t taken = std::min(bytes, end_ - begin_);
      begin_ += taken;
      bytes -= taken;
    }
    return true;
  }

  bool Reply(size_t bytes) {
    const auto now = static_cast<uint64_t>(MonoNow().ns());
    PutBig32(static_cast<uint32_t>(now >> 32), out_.data());
    PutBig32(static_cast<uint32_t>(now), out_.data() + 4);
    for (size_t done = 0; done < bytes;) {
      const ssize_t sent = send(fd_, out_.data() + done, bytes - done, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      done += static_cast<size_t>(sent);
    }
    return true;
  }

  const int fd_;
  std::vector<uint8_t> in_;
  std::vector<uint8_t> out_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace

void echo::PutHeader(uint32_t request_bytes, uint32_t reply_bytes, uint8_t* out) {
  PutBig32(kMagic, out);
  PutBig32(request_bytes, out + 4);
  PutBig32(reply_bytes, out + 8);
}

absl::StatusOr<std::unique_ptr<EchoPort>> EchoPort::Open(const SocketAddress& address) {
  SocketAddress free = address;
  if (free.family() == AF_INET) reinterpret_cast<sockaddr_in*>(&free.storage)->sin_port = 0;
  if (free.family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&free.storage)->sin6_port = 0;
  std::unique_ptr<EchoPort> port(new EchoPort);
  port->listener_ = Fd(socket(free.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  port->stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  if (!port->listener_.valid() || !port->stop_.valid() ||
      bind(port->listener_.get(), free.get(), free.length) != 0 ||
      listen(port->listener_.get(), kConnectionsMost) != 0) {
    return absl::UnavailableError(
        absl::StrCat("no echo port can be opened on this agent's address: ", strerror(errno)));
  }
  const absl::StatusOr<HostPort> bound = LocalAddress(port->listener_.get());
  if (!bound.ok()) return bound.status();
  port->port_ = bound->port;
  port->thread_ = std::thread([raw = port.get()] { raw->Accept(); });
  return port;
}

EchoPort::~EchoPort() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
  for (Connection& connection : connections_) shutdown(connection.fd.get(), SHUT_RDWR);
  for (Connection& connection : connections_) connection.thread.join();
}

void EchoPort::Sweep() {
  connections_.remove_if([](Connection& connection) {
    if (!connection.over) return false;
    connection.thread.join();
    return true;
  });
}

void EchoPort::Accept() {
  bool full = false;  // of files: those who wait have to
  while (true) {
    pollfd fds[] = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                    {.fd = full ? -1 : listener_.get(), .events = POLLIN, .revents = 0}};
    poll(fds, 2, full ? 100 : -1);
    if (fds[0].revents != 0) return;
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    full = !fd.valid() && (errno == EMFILE || errno == ENFILE);
    Sweep();
    if (!fd.valid() || connections_.size() >= kConnectionsMost) continue;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const timeval idle = {.tv_sec = kIdle.count() / 1'000'000'000, .tv_usec = 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof(idle));
    Connection& connection = connections_.emplace_back();
    connection.fd = std::move(fd);
    connection.thread = std::thread([raw = &connection] {
      Echoer(raw->fd.get()).Serve();
      // The connector sees the end now; the descriptor goes with the sweep.
      shutdown(raw->fd.get(), SHUT_RDWR);
      raw->over = true;
    });
  }
}

}  // namespace kbench
