// Measures a network path without the workload: how long a small message takes there and back from
// user space to user space, and what a bulk of bytes gets, each way. The other end is another
// agent's echo port (agent/path/echo_port.h), or a Kinetic server, which answers NOOPs instead and
// is sent no bulk.
//
// Blocks its thread, with blocking sockets, pinned to no CPU. Bulk of each direction is measured by
// whoever receives it, without the first fifth.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "kinetic/types.h"
#include "transport/transport.h"

namespace kbench {

struct PathProbe {
  enum class Kind { kAgent, kServer };
  static constexpr uint32_t kMostEchoes = 1'000'000;
  static constexpr Nanos kMostBulk = Seconds(60);
  static constexpr Nanos kMostTime = Seconds(600);
  static constexpr uint32_t kEchoBytes = 64;

  HostPort target;
  Kind kind = Kind::kAgent;
  uint32_t echoes = 0;
  Nanos bulk;     // in each direction
  Nanos timeout;  // of the whole
  // Of a server:
  int64_t identity = kinetic::kFactoryIdentity;
  std::string hmac_key;  // secret
  std::optional<TlsOptions> tls;
  // Once true (null: never), the probe ends soon, Cancelled.
  const std::atomic<bool>* cancelled = nullptr;
};

struct PathBaseline {
  uint64_t echoes = 0;
  Nanos echo_floor;  // p0.1
  Nanos echo_p50;
  Nanos echo_p99;
  Nanos min_rtt;  // TCP_INFO; zero: not known
  Nanos connect;
  double sent_bytes_per_s = 0;  // payload that arrived there; 0: not measured
  double received_bytes_per_s = 0;
  std::string reason;  // what could not be measured, and why
};

// An error when nothing could be measured: Unavailable, DeadlineExceeded, PermissionDenied (a
// server that refuses), Cancelled.
absl::StatusOr<PathBaseline> ProbePath(const PathProbe& probe);

}  // namespace kbench
