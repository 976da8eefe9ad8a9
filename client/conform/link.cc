#include "client/conform/link.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "client/socket_stream.h"

namespace kbench::conform {
namespace {

constexpr size_t kReceiveBytes = 64 * 1024;
// Of what a server may send: more than any server's own limits, and no more than a test can hold.
constexpr kinetic::FrameLimits kAccepted = {.max_message_size = 8u << 20,
                                            .max_value_size = 64u << 20};

}  // namespace

Link::Link(std::unique_ptr<client::Stream> stream)
    : stream_(std::move(stream)), frames_(kAccepted), buffer_(kReceiveBytes) {}

absl::StatusOr<std::unique_ptr<Link>> Link::Open(const SocketAddress& server,
                                                 const std::string& server_name,
                                                 const TlsContext* tls, MonoTime deadline) {
  ASSIGN_OR_RETURN(std::unique_ptr<client::Stream> stream,
                   client::SocketStream::Connect(server, server_name, tls, deadline));
  return std::unique_ptr<Link>(new Link(std::move(stream)));
}

bool Link::Send(absl::string_view bytes, size_t piece, MonoTime deadline) {
  while (!bytes.empty()) {
    const size_t size = piece == 0 ? bytes.size() : std::min(piece, bytes.size());
    if (!stream_->Send(bytes.substr(0, size), deadline).ok()) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

Heard Link::Receive(MonoTime deadline) {
  while (true) {
    const absl::StatusOr<bool> complete =
        unread_.empty() ? absl::StatusOr<bool>(false) : frames_.Consume(&unread_);
    if (!complete.ok()) {
      return {.kind = Heard::Kind::kNoKinetic, .why = std::string(complete.status().message())};
    }
    if (*complete) break;
    if (MonoNow() >= deadline) return {.kind = Heard::Kind::kSilent};
    const absl::StatusOr<Bytes> received = stream_->Receive(buffer_, deadline);
    if (absl::IsDeadlineExceeded(received.status())) return {.kind = Heard::Kind::kSilent};
    if (!received.ok()) {
      return {.kind = Heard::Kind::kClosed, .why = std::string(received.status().message())};
    }
    unread_ = *received;
  }
  Heard heard = {.kind = Heard::Kind::kPdu, .pdu = std::make_shared<kinetic::Decoder>()};
  if (const absl::Status decoded = heard.pdu->Decode(frames_.message()); !decoded.ok()) {
    return {.kind = Heard::Kind::kNoKinetic, .why = std::string(decoded.message())};
  }
  heard.value = std::string(AsText(frames_.value()));
  return heard;
}

}  // namespace kbench::conform
