// The ways to a server that a client has, for tests that go all of them: plain or TLS, over the
// client's own system calls or over a transport of the load's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "transport/transport.h"

namespace kbench::client {

struct Way {
  bool tls = false;
  std::optional<TransportKind> transport;
};

inline std::vector<Way> Ways() {
  std::vector<Way> ways;
  for (const bool tls : {false, true}) {
    ways.push_back({.tls = tls});
    for (const TransportKind kind :
         {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring}) {
      ways.push_back({.tls = tls, .transport = kind});
    }
  }
  return ways;
}

// Fit for a test's name.
inline std::string NameOf(const Way& way) {
  return absl::StrCat(way.tls ? "Tls" : "Plain",
                      way.transport ? absl::StrCat("_", Name(*way.transport)) : "");
}

// Why this machine cannot go it.
inline absl::Status Possible(const Way& way) {
  return way.transport.has_value() ? MakeTransport(*way.transport, {}).status() : absl::OkStatus();
}

}  // namespace kbench::client
