#include "transport/transport.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "transport/epoll_transport.h"
#include "transport/null_transport.h"
#include "transport/socket_transport.h"
#include "transport/tls_transport.h"
#include "transport/uring_transport.h"

namespace kbench {

absl::StatusOr<TransportKind> ParseTransportKind(absl::string_view name) {
  for (TransportKind kind : {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring,
                             TransportKind::kNull}) {
    if (name == Name(kind)) return kind;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no transport; there are socket, epoll, uring and null"));
}

absl::string_view Name(TransportKind kind) {
  switch (kind) {
    case TransportKind::kSocket:
      return "socket";
    case TransportKind::kEpoll:
      return "epoll";
    case TransportKind::kUring:
      return "uring";
    case TransportKind::kNull:
      return "null";
  }
  return "unknown";
}

absl::StatusOr<std::unique_ptr<Transport>> MakeTransport(TransportKind kind,
                                                         const TransportOptions& options) {
  if (options.flows_max == 0 || options.frames_max == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("transport ", Name(kind), ": flows_max and frames_max must be at least 1"));
  }
  if (options.tls.has_value()) {
    if (kind == TransportKind::kNull) {
      return absl::InvalidArgumentError(
          "the null transport has no peer to speak TLS with; take another, or do without TLS");
    }
    ASSIGN_OR_RETURN(std::unique_ptr<Transport> plain,
                     MakeTransport(kind, TlsTransport::PlainOptions(options)));
    return TlsTransport::Make(options, std::move(plain));
  }
  switch (kind) {
    case TransportKind::kSocket:
      return std::make_unique<SocketTransport>(options);
    case TransportKind::kEpoll:
      return EpollTransport::Make(options);
    case TransportKind::kUring:
      return UringTransport::Make(options);
    case TransportKind::kNull:
      return std::make_unique<NullTransport>(options);
  }
  return absl::InvalidArgumentError("unknown transport kind");
}

TransportCounters TransportCounters::Since(const TransportCounters& earlier) const {
  return {.system_calls = system_calls - earlier.system_calls,
          .waits = waits - earlier.waits,
          .short_sends = short_sends - earlier.short_sends,
          .short_receives = short_receives - earlier.short_receives,
          .stamps_drained = stamps_drained - earlier.stamps_drained,
          .stamps_asked = stamps_asked - earlier.stamps_asked,
          .stamps_missing = stamps_missing - earlier.stamps_missing,
          .stamps_abandoned = stamps_abandoned - earlier.stamps_abandoned};
}

void TransportCounters::Add(const TransportCounters& other) {
  system_calls += other.system_calls;
  waits += other.waits;
  short_sends += other.short_sends;
  short_receives += other.short_receives;
  stamps_drained += other.stamps_drained;
  stamps_asked += other.stamps_asked;
  stamps_missing += other.stamps_missing;
  stamps_abandoned += other.stamps_abandoned;
}

}  // namespace kbench
