#include "transport/flow_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "transport/kernel_stamps.h"

namespace kbench {
namespace {

absl::Status CannotConnect(const SocketAddress& peer, int error) {
  const std::string what = absl::StrCat("cannot connect to ", ToString(peer), ": ");
  if (error == ECONNREFUSED) {
    return absl::UnavailableError(
        absl::StrCat(what, "connection refused; is the server running on that port?"));
  }
  return absl::UnavailableError(absl::StrCat(what, strerror(error)));
}

absl::Status SetInt(int fd, int level, int option, int value, absl::string_view name) {
  if (setsockopt(fd, level, option, &value, sizeof(value)) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the kernel refuses ", name, " = ", value, ": ", strerror(errno)));
}

absl::Status ApplyOptions(int fd, const TransportOptions& options) {
  RETURN_IF_ERROR(SetInt(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"));
  if (options.send_buffer_bytes > 0) {
    RETURN_IF_ERROR(SetInt(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes, "SO_SNDBUF"));
  }
  if (options.receive_buffer_bytes > 0) {
    RETURN_IF_ERROR(SetInt(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes, "SO_RCVBUF"));
  }
  const std::string& algorithm = options.congestion_control;
  if (!algorithm.empty() && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm.data(),
                                       static_cast<socklen_t>(algorithm.size())) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the kernel refuses congestion control '", algorithm, "': ", strerror(errno),
                     "; see /proc/sys/net/ipv4/tcp_available_congestion_control"));
  }
  return absl::OkStatus();
}

// Waits until a connect in progress is decided.
absl::Status FinishConnect(int fd, const SocketAddress& peer, Nanos timeout,
                           const std::atomic<bool>* cancelled) {
  const MonoTime deadline = MonoNow() + timeout;
  for (;;) {
    if (cancelled != nullptr && cancelled->load()) return absl::CancelledError("cancelled");
    pollfd wanted = {.fd = fd, .events = POLLOUT, .revents = 0};
    const Nanos left = std::max(deadline - MonoNow(), Nanos(0));
    const bool slice = cancelled != nullptr && left > kCancelSlice;
    const timespec limit = ToTimespec(slice ? kCancelSlice : left);
    const int ready = ppoll(&wanted, 1, &limit, nullptr);
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return CannotConnect(peer, errno);
    if (ready == 0 && !slice) {
      return absl::DeadlineExceededError(absl::StrCat(
          "cannot connect to ", ToString(peer), ": no answer within ", timeout.count() / 1'000'000,
          " ms; is a firewall in between, or is the server's accept queue full?"));
    }
  }
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? absl::OkStatus() : CannotConnect(peer, error);
}

int GetInt(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  return getsockopt(fd, level, option, &value, &size) == 0 ? value : -1;
}

FactList ReadFacts(int fd) {
  char algorithm[64] = {};
  socklen_t size = sizeof(algorithm) - 1;
  getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm, &size);
  return {{"tcp_nodelay", absl::StrCat(GetInt(fd, IPPROTO_TCP, TCP_NODELAY))},
          {"send_buffer_bytes", absl::StrCat(GetInt(fd, SOL_SOCKET, SO_SNDBUF))},
          {"receive_buffer_bytes", absl::StrCat(GetInt(fd, SOL_SOCKET, SO_RCVBUF))},
          {"congestion_control", algorithm}};
}

}  // namespace

std::string ToString(const SocketAddress& address) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(address.get(), address.length, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return absl::StrCat("an address of family ", address.family());
  }
  const bool v6 = address.family() == AF_INET6;
  return absl::StrCat(v6 ? "[" : "", host, v6 ? "]" : "", ":", port);
}

absl::StatusOr<FlowSocket> ConnectFlow(const SocketAddress& peer, Nanos timeout,
                                       const TransportOptions& options) {
  FlowSocket flow;
  flow.fd = Fd(socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = flow.fd.get();
  if (fd < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot make a socket for ", ToString(peer),
                                                     ": ", strerror(errno),
                                                     "; compare `ulimit -n` with the flows asked"));
  }
  RETURN_IF_ERROR(Annotate(ApplyOptions(fd, options), ToString(peer)));
  if (connect(fd, peer.get(), peer.length) != 0) {
    if (errno != EINPROGRESS) return CannotConnect(peer, errno);
    RETURN_IF_ERROR(FinishConnect(fd, peer, timeout, options.cancelled));
  }
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) != 0) {
    return absl::InternalError(absl::StrCat("cannot make a socket blocking: ", strerror(errno)));
  }
  flow.send_buffer_bytes = GetInt(fd, SOL_SOCKET, SO_SNDBUF);
  flow.facts = ReadFacts(fd);
  if (options.kernel_stamps) {
    const StampGrant grant = EnableKernelStamps(fd);
    flow.stamps = grant.granted;
    flow.facts.emplace_back("kernel_stamps", grant.text);
  }
  return flow;
}

}  // namespace kbench
