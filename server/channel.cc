#include "server/channel.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "server/rx_stamp.h"

namespace kbench::server {
namespace {

MutableBytes AsRoom(const iovec& part) {
  return {static_cast<uint8_t*>(part.iov_base), part.iov_len};
}

Channel::Kind KindOf(TlsStream::Kind kind) {
  switch (kind) {
    case TlsStream::Kind::kWantRead:
    case TlsStream::Kind::kWantWrite:
      return Channel::Kind::kBlocked;
    case TlsStream::Kind::kEnded:
      return Channel::Kind::kEnded;
    default:
      return Channel::Kind::kFailed;
  }
}

}  // namespace

Channel::Received Channel::Receive(std::span<iovec> parts) {
  if (tls_ == nullptr) {
    RxStampBuffer control;
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    const ssize_t n = recvmsg(fd_.get(), &message, 0);
    if (n > 0) return {.bytes = static_cast<size_t>(n), .stamp = FindRxStamp(message)};
    if (n == 0) return {.kind = Kind::kEnded};
    return {.kind = errno == EAGAIN || errno == EINTR ? Kind::kBlocked : Kind::kFailed};
  }
  if (ended_.has_value()) return {.kind = *std::exchange(ended_, std::nullopt)};
  receive_wants_write_ = false;
  Received received;
  for (const iovec& part : parts) {
    MutableBytes room = AsRoom(part);
    while (!room.empty()) {
      const TlsStream::Outcome outcome = tls_->Receive(room);
      if (outcome.kind == TlsStream::Kind::kDone) {
        received.bytes += outcome.bytes;
        room = room.subspan(outcome.bytes);
        continue;
      }
      receive_wants_write_ = outcome.kind == TlsStream::Kind::kWantWrite;
      const Kind kind = KindOf(outcome.kind);
      if (received.bytes == 0) return {.kind = kind};
      // A good-bye is read once: it is told after the bytes before it.
      if (kind != Kind::kBlocked) ended_ = kind;
      return received;
    }
  }
  return received;
}

Channel::Sent Channel::Send(std::span<const iovec> parts) {
  if (tls_ == nullptr) {
    msghdr message = {};
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = parts.size();
    while (true) {
      const ssize_t n = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
      if (n >= 0) return {.bytes = static_cast<size_t>(n)};
      if (errno == EINTR) continue;
      return {.kind = errno == EAGAIN ? Kind::kBlocked : Kind::kFailed};
    }
  }
  send_wants_read_ = false;
  Sent sent;
  for (const iovec& part : parts) {
    Bytes bytes = AsRoom(part);
    while (!bytes.empty()) {
      const TlsStream::Outcome outcome = tls_->Send(bytes);
      if (outcome.kind == TlsStream::Kind::kDone) {
        sent.bytes += outcome.bytes;
        bytes = bytes.subspan(outcome.bytes);
        continue;
      }
      send_wants_read_ = outcome.kind == TlsStream::Kind::kWantRead;
      const bool blocked =
          outcome.kind == TlsStream::Kind::kWantRead || outcome.kind == TlsStream::Kind::kWantWrite;
      if (!blocked) return {.kind = Kind::kFailed};
      if (sent.bytes > 0) return sent;
      return {.kind = Kind::kBlocked};
    }
  }
  return sent;
}

void Channel::ShutdownWrites() {
  if (tls_ != nullptr) tls_->Shutdown();
  shutdown(fd_.get(), SHUT_WR);
}

}  // namespace kbench::server
