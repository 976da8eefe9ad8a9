#include "server/residence_trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "kinetic/residence.h"

namespace kbench::server {
namespace {

constexpr size_t kRecordBytes = 32;

struct LogName {
  int64_t connection_id = 0;
  uint64_t from_sequence = 0;
};

// "<prefix><connectionID>" or "<prefix><connectionID>/<fromSequence>".
std::optional<LogName> ParseLogName(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, kinetic::kResidenceLogPrefix)) return std::nullopt;
  LogName parsed;
  const size_t slash = name.find('/');
  if (!absl::SimpleAtoi(name.substr(0, slash), &parsed.connection_id)) return std::nullopt;
  if (slash != absl::string_view::npos &&
      !absl::SimpleAtoi(name.substr(slash + 1), &parsed.from_sequence)) {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace

ResidenceTrace::ResidenceTrace(size_t records, std::string service_spec)
    : records_(records), service_spec_(std::move(service_spec)), looked_at_(ReadClockPair()) {}

ResidenceRing* ResidenceTrace::Open(int64_t connection_id) {
  auto& ring = rings_[connection_id];
  ring = std::make_unique<ResidenceRing>(records_, &blocks_left_);
  return ring.get();
}

void ResidenceTrace::Retire(int64_t connection_id) {
  const auto it = rings_.find(connection_id);
  if (it == rings_.end()) return;
  if (it->second->empty()) {
    rings_.erase(it);
    return;
  }
  closed_.push_back(connection_id);
  closed_records_ += it->second->size();
  while (closed_.size() > kClosedKept ||
         (closed_.size() > 1 && closed_records_ > kClosedRecordsKept)) {
    const auto first = rings_.find(closed_.front());
    closed_records_ -= first->second->size();
    rings_.erase(first);
    closed_.pop_front();
  }
}

void ResidenceTrace::WatchClocks() {
  const ClockPair now = ReadClockPair();
  const Nanos step = (now.real - looked_at_.real) - (now.mono - looked_at_.mono);
  // What the reads themselves leave open is no step.
  const Nanos size = std::max(step, -step) - (now.error + looked_at_.error);
  looked_at_ = now;
  if (size <= Nanos()) return;
  if (steps_.size() == kStepsKept) steps_.erase(steps_.begin());
  steps_.push_back({.seen = now.mono, .size = size});
}

Nanos ResidenceTrace::LargestStepSince(MonoTime when) const {
  Nanos largest;
  for (const Step& step : steps_) {
    if (step.seen >= when) largest = std::max(largest, step.size);
  }
  return largest;
}

std::optional<std::string> ResidenceTrace::Read(absl::string_view name, size_t max_bytes) {
  const std::optional<LogName> wanted = ParseLogName(name);
  if (!wanted.has_value() || records_ == 0) return std::nullopt;
  const auto it = rings_.find(wanted->connection_id);
  if (it == rings_.end()) return std::nullopt;
  WatchClocks();
  kinetic::ResidenceLog log;
  log.overwritten = it->second->overwritten();
  log.clock_step = LargestStepSince(it->second->opened());
  log.service_spec = service_spec_;
  const size_t head = kinetic::EncodeResidenceLog(log).size();
  const size_t room = max_bytes > head ? (max_bytes - head) / kRecordBytes : 0;
  log.records = it->second->Read(wanted->from_sequence, room);
  return kinetic::EncodeResidenceLog(log);
}

}  // namespace kbench::server
