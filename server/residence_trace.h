// Every connection's residence records, and the device log by which they are fetched. Those of
// closed connections stay for a while, so that a trace can be fetched over another connection.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "server/residence_ring.h"

namespace kbench::server {

class ResidenceTrace {
 public:
  static constexpr size_t kClosedKept = 64;
  static constexpr size_t kStepsKept = 64;
  static constexpr size_t kBytesKept = size_t{1} << 30;  // over all connections
  static constexpr size_t kClosedRecordsKept = 1 << 22;  // over all closed connections: 128 MiB

  // Each connection keeps `records` records. `service_spec` is repeated in every log.
  ResidenceTrace(size_t records, std::string service_spec);

  size_t records_per_connection() const { return records_; }

  // The ring is valid until Retire() of the same connection.
  ResidenceRing* Open(int64_t connection_id);
  // Of the closed connections that served requests, the latest kClosedKept stay readable, or fewer
  // when they hold more than kClosedRecordsKept records; the last one always does.
  void Retire(int64_t connection_id);

  // Looks whether the realtime clock was stepped; to be called now and then.
  void WatchClocks();

  // The device log `name`, at most `max_bytes` long (format: kinetic/residence.h), or nothing
  // when no log has that name.
  std::optional<std::string> Read(absl::string_view name, size_t max_bytes);

 private:
  size_t blocks_left_ = kBytesKept / (ResidenceRing::kBlock * sizeof(kinetic::Residence));
  size_t records_;
  std::string service_spec_;
  std::unordered_map<int64_t, std::unique_ptr<ResidenceRing>> rings_;
  std::deque<int64_t> closed_;
  size_t closed_records_ = 0;
  struct Step {
    MonoTime seen;
    Nanos size;
  };
  Nanos LargestStepSince(MonoTime when) const;

  ClockPair looked_at_;      // by the last WatchClocks()
  std::vector<Step> steps_;  // the latest kStepsKept
};

}  // namespace kbench::server
