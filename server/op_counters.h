// What the statistics of GETLOG count, per message type.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clock.h"
#include "kinetic/types.h"

namespace kbench::server {

class OpCounters {
 public:
  struct Count {
    uint64_t count = 0;  // requests answered
    uint64_t bytes = 0;  // that came and went with them; which ones: Dialect::counts_messages
    uint64_t max_latency_ms = 0;
  };
  static constexpr int kTypes = 64;

  void Add(kinetic::MessageType request, uint64_t bytes) {
    if (Count* count = Of(request)) ++count->count, count->bytes += bytes;
  }
  void AddBytes(kinetic::MessageType request, uint64_t bytes) {
    if (Count* count = Of(request)) count->bytes += bytes;
  }
  // From the request's arrival to its answer's departure.
  void AddLatency(kinetic::MessageType request, Nanos latency) {
    const auto ms = static_cast<uint64_t>(std::max<int64_t>(latency.count(), 0) / 1'000'000);
    if (Count* count = Of(request)) count->max_latency_ms = std::max(count->max_latency_ms, ms);
  }
  const Count& of(int request) const { return counts_[static_cast<size_t>(request)]; }

 private:
  Count* Of(kinetic::MessageType request) {
    const auto index = static_cast<uint32_t>(request);
    return index < kTypes ? &counts_[index] : nullptr;
  }

  std::array<Count, kTypes> counts_ = {};
};

}  // namespace kbench::server
