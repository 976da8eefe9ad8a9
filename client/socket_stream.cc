#include "client/socket_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench::client {
namespace {

absl::Status Unavailable(absl::string_view what, int error) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Stream>> SocketStream::Connect(const SocketAddress& server,
                                                              const std::string& name,
                                                              const TlsContext* context,
                                                              MonoTime deadline,
                                                              const std::atomic<bool>* cancelled) {
  auto stream = std::unique_ptr<SocketStream>(new SocketStream(
      Fd(::socket(server.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), cancelled));
  if (!stream->fd_.valid()) return Unavailable("socket", errno);
  const int on = 1;
  ::setsockopt(stream->fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(stream->fd_.get(), server.get(), server.length) != 0) {
    if (errno != EINPROGRESS) return Unavailable("connect", errno);
    RETURN_IF_ERROR(Annotate(stream->WaitFor(POLLOUT, deadline), "connect"));
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(stream->fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return Unavailable("connect", error);
  }
  if (context != nullptr) {
    stream->tls_ =
        std::make_unique<TlsStream>(TlsStream::Side::kClient, *context, stream->fd_.get(), name);
  }
  return stream;
}

absl::Status SocketStream::Send(absl::string_view bytes, MonoTime deadline) {
  while (!bytes.empty()) {
    if (tls_ != nullptr) {
      const TlsStream::Outcome outcome = tls_->Send(AsBytes(bytes));
      if (outcome.kind != TlsStream::Kind::kDone) {
        RETURN_IF_ERROR(WaitFor(outcome, deadline));
      }
      bytes.remove_prefix(outcome.bytes);
      continue;
    }
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      RETURN_IF_ERROR(WaitFor(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return Unavailable("send", errno);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> SocketStream::Receive(MutableBytes room, MonoTime deadline) {
  while (true) {
    if (tls_ != nullptr) {
      const TlsStream::Outcome outcome = tls_->Receive(room);
      if (outcome.kind == TlsStream::Kind::kDone) return Bytes(room.first(outcome.bytes));
      RETURN_IF_ERROR(WaitFor(outcome, deadline));
      continue;
    }
    const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), 0);
    if (n > 0) return Bytes(room.first(static_cast<size_t>(n)));
    if (n == 0) return absl::UnavailableError("the server closed the connection");
    if (errno == EAGAIN) {
      RETURN_IF_ERROR(WaitFor(POLLIN, deadline));
    } else if (errno != EINTR) {
      return Unavailable("recv", errno);
    }
  }
}

absl::Status SocketStream::WaitFor(const TlsStream::Outcome& outcome, MonoTime deadline) const {
  switch (outcome.kind) {
    case TlsStream::Kind::kWantRead:
      return WaitFor(POLLIN, deadline);
    case TlsStream::Kind::kWantWrite:
      return WaitFor(POLLOUT, deadline);
    case TlsStream::Kind::kEnded:
      return absl::UnavailableError("the server closed the connection");
    case TlsStream::Kind::kFailed:
    case TlsStream::Kind::kDone:
      break;
  }
  return absl::UnavailableError(tls_->error());
}

absl::Status SocketStream::WaitFor(short events, MonoTime deadline) const {
  while (true) {
    if (cancelled_ != nullptr && cancelled_->load()) return absl::CancelledError("cancelled");
    const Nanos left = deadline - MonoNow();
    const int64_t ms = std::max<int64_t>((left.count() + 999'999) / 1'000'000, 0);
    const int64_t slice = cancelled_ == nullptr ? INT32_MAX : 50;
    pollfd waited = {.fd = fd_.get(), .events = events, .revents = 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::min(ms, slice)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return Unavailable("poll", errno);
    if (ready == 0 && MonoNow() >= deadline) {
      return absl::DeadlineExceededError("nothing within the time-out");
    }
  }
}

}  // namespace kbench::client
