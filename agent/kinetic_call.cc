#include "agent/kinetic_call.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/status_macros.h"

namespace kbench {
namespace {

constexpr size_t kReadSize = 256 * 1024;

absl::Status Unavailable(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

KineticCall::KineticCall(int64_t identity, absl::string_view hmac_key, Nanos timeout)
    : identity_(identity), key_(hmac_key), timeout_(timeout) {}

absl::StatusOr<std::unique_ptr<KineticCall>> KineticCall::Connect(const SocketAddress& server,
                                                                  int64_t identity,
                                                                  absl::string_view hmac_key,
                                                                  Nanos timeout) {
  std::unique_ptr<KineticCall> call(new KineticCall(identity, hmac_key, timeout));
  const MonoTime deadline = MonoNow() + timeout;
  call->fd_ = Fd(::socket(server.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!call->fd_.valid()) return Unavailable("socket");
  if (::connect(call->fd_.get(), server.get(), server.length) != 0) {
    if (errno != EINPROGRESS) return Unavailable("connect");
    RETURN_IF_ERROR(Annotate(call->WaitFor(POLLOUT, deadline), "connect"));
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(call->fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      errno = error;
      return Unavailable("connect");
    }
  }
  RETURN_IF_ERROR(Annotate(call->ReadPdu(deadline), "waiting for the Kinetic handshake"));
  const kinetic::Message& hello = call->decoder_.message();
  if (hello.auth_type != kinetic::AuthType::kUnsolicitedStatus) {
    return absl::UnavailableError("the first PDU is no handshake");
  }
  call->connection_id_ = hello.command.header.connection_id.value_or(0);
  call->cluster_version_ = hello.command.header.cluster_version.value_or(0);
  return call;
}

absl::StatusOr<KineticCall::Answer> KineticCall::Call(kinetic::Command command) {
  const MonoTime deadline = MonoNow() + timeout_;
  command.has_header = true;
  command.header.connection_id = connection_id_;
  command.header.cluster_version = cluster_version_;
  command.header.sequence = ++sequence_;
  std::string pdu;
  encoder_.Append(command, kinetic::Signature::Hmac(identity_, &key_), 0, &pdu);
  RETURN_IF_ERROR(Annotate(Write(pdu, deadline), "sending the request"));
  while (true) {
    RETURN_IF_ERROR(Annotate(ReadPdu(deadline), "waiting for the answer"));
    const kinetic::Message& message = decoder_.message();
    Answer answer;
    if (message.command.status.has_value()) {
      answer.status = message.command.status->code.value_or(kinetic::StatusCode::kInvalid);
      answer.text = std::string(message.command.status->message.value_or(""));
    }
    if (message.auth_type == kinetic::AuthType::kUnsolicitedStatus) {
      return absl::UnavailableError(
          absl::StrCat("the server said ", kinetic::Name(answer.status), ": ", answer.text));
    }
    if (message.command.header.ack_sequence.value_or(sequence_) != sequence_) continue;
    if (answer.status == kinetic::StatusCode::kSuccess && !kinetic::VerifyHmac(message, key_)) {
      return absl::UnauthenticatedError("the answer's HMAC is not of our key");
    }
    answer.value = std::string(AsText(frames_.value()));
    return answer;
  }
}

absl::Status KineticCall::WaitFor(short events, MonoTime deadline) {
  while (true) {
    const Nanos left = deadline - MonoNow();
    const int64_t ms = std::max<int64_t>((left.count() + 999'999) / 1'000'000, 0);
    pollfd waited = {.fd = fd_.get(), .events = events};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::min<int64_t>(ms, INT32_MAX)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return Unavailable("poll");
    if (ready == 0 && MonoNow() >= deadline) {
      return absl::DeadlineExceededError("nothing within the time-out");
    }
  }
}

absl::Status KineticCall::ReadPdu(MonoTime deadline) {
  while (true) {
    while (!unread_.empty()) {
      ASSIGN_OR_RETURN(const bool complete, frames_.Consume(&unread_));
      if (complete) return decoder_.Decode(frames_.message());
    }
    RETURN_IF_ERROR(WaitFor(POLLIN, deadline));
    received_.resize(kReadSize);
    const ssize_t size = ::recv(fd_.get(), received_.data(), received_.size(), 0);
    if (size == 0) return absl::UnavailableError("the server closed the connection");
    if (size < 0 && errno != EAGAIN && errno != EINTR) return Unavailable("recv");
    unread_ = AsBytes(received_).first(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  }
}

absl::Status KineticCall::Write(absl::string_view bytes, MonoTime deadline) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size >= 0) {
      bytes.remove_prefix(static_cast<size_t>(size));
    } else if (errno == EAGAIN) {
      RETURN_IF_ERROR(WaitFor(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return Unavailable("send");
    }
  }
  return absl::OkStatus();
}

}  // namespace kbench
