#include "client/transport_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench::client {
namespace {

constexpr Nanos kSlice = Millis(50);  // how soon a wait sees that it is cancelled

}  // namespace

absl::StatusOr<std::unique_ptr<Stream>> TransportStream::Connect(
    TransportKind kind, const SocketAddress& server, const std::string& name,
    const TlsContext* context, MonoTime deadline, const std::atomic<bool>* cancelled) {
  TransportOptions options{.cancelled = cancelled};
  if (context != nullptr) options.tls = TlsOptions{.server_name = name, .context = context};
  ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, MakeTransport(kind, options));
  const Nanos left = std::max(deadline - MonoNow(), Nanos());
  const absl::StatusOr<FlowId> flow = transport->Connect(server, left);
  // A client has one word for whatever keeps it from being served.
  if (absl::IsPermissionDenied(flow.status())) {
    return absl::UnavailableError(flow.status().message());
  }
  RETURN_IF_ERROR(flow.status());
  return std::unique_ptr<Stream>(
      new TransportStream(std::move(transport), *flow, context != nullptr, cancelled));
}

absl::Status TransportStream::Send(absl::string_view bytes, MonoTime deadline) {
  if (bytes.empty()) return absl::OkStatus();
  if (!open_) return Ended();
  sent_ = false;
  transport_->Send(flow_, {.head = AsBytes(bytes), .stamps = &stamps_});
  while (!sent_) {
    absl::Status status = open_ ? Wait(deadline) : Ended();
    if (status.ok()) continue;
    if (open_) error_ = ECONNABORTED;
    open_ = false;
    transport_->Close(flow_);  // it must not read `bytes` any more
    return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> TransportStream::Receive(MutableBytes room, MonoTime deadline) {
  while (read_ == unread_.size()) {
    if (!open_) return Ended();
    RETURN_IF_ERROR(Wait(deadline));
  }
  const size_t bytes = std::min(room.size(), unread_.size() - read_);
  std::memcpy(room.data(), unread_.data() + read_, bytes);
  read_ += bytes;
  return Bytes(room.first(bytes));
}

absl::Status TransportStream::Wait(MonoTime deadline) {
  while (true) {
    if (cancelled_ != nullptr && cancelled_->load()) return absl::CancelledError("cancelled");
    const MonoTime now = MonoNow();
    const MonoTime until = cancelled_ == nullptr ? deadline : std::min(deadline, now + kSlice);
    const std::span<const TransportEvent> events = transport_->Poll(until);
    for (const TransportEvent& event : events) {
      switch (event.kind) {
        case TransportEvent::Kind::kSent:
          sent_ = true;
          break;
        case TransportEvent::Kind::kReceived:
          if (read_ == unread_.size()) {
            unread_.clear();
            read_ = 0;
          }
          unread_.insert(unread_.end(), event.bytes.begin(), event.bytes.end());
          break;
        case TransportEvent::Kind::kClosed:
          open_ = false;
          error_ = event.error;
          break;
      }
    }
    if (!events.empty()) return absl::OkStatus();
    if (now >= deadline) return absl::DeadlineExceededError("nothing within the time-out");
  }
}

absl::Status TransportStream::Ended() const {
  if (error_ == 0) return absl::UnavailableError("the server closed the connection");
  return absl::UnavailableError(absl::StrCat("connection lost: ", std::strerror(error_)));
}

}  // namespace kbench::client
