#include "server/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/rx_stamp.h"

namespace kbench::server {
namespace {

constexpr int kBacklog = 4096;

absl::Status Failed(absl::string_view what, const HostPort& address) {
  const absl::string_view hint =
      errno == EADDRINUSE ? "; does another server run there? Port 0 takes a free one" : "";
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", address.ToString(), ": ", std::strerror(errno), hint));
}

Fd OpenSpare() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

absl::StatusOr<Listener> Listener::Open(const Options& options) {
  ASSIGN_OR_RETURN(const SocketAddress address, Resolve(options.address));
  if (!IsLoopback(address) && !options.allow_remote) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.address.ToString(),
                     " is not a loopback address: whoever reaches it and knows a key can "
                     "read and write; --allow-remote listens there all the same"));
  }
  Listener listener;
  listener.fd_ = Fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = listener.fd_.get();
  if (fd < 0) return Failed("open a socket for", options.address);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  listener.stamps_ = options.rx_stamps && EnableRxStamps(fd).ok();
  if (bind(fd, address.get(), address.length) != 0) return Failed("bind", options.address);
  if (listen(fd, kBacklog) != 0) return Failed("listen on", options.address);
  ASSIGN_OR_RETURN(listener.address_, LocalAddress(fd));
  listener.spare_ = OpenSpare();
  return listener;
}

Listener::Outcome Listener::Accept(Fd* connection) {
  while (true) {
    *connection = Fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection->valid()) {
      const int on = 1;
      setsockopt(connection->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      return Outcome::kAccepted;
    }
    switch (errno) {
      case EAGAIN:
        return Outcome::kNone;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: {
        spare_.Reset();
        Fd turned_away(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const Outcome outcome = turned_away.valid() ? Outcome::kRefused
                                : errno == EAGAIN   ? Outcome::kNone
                                                    : Outcome::kExhausted;
        turned_away.Reset();
        spare_ = OpenSpare();
        return outcome;
      }
      default:
        continue;  // the one who waited is gone: ECONNABORTED, EPROTO, a network error
    }
  }
}

}  // namespace kbench::server
