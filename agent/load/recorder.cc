#include "agent/load/recorder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace kbench {

void Counts::Add(const Counts& other) {
  due += other.due;
  sent += other.sent;
  unsent += other.unsent;
  answered += other.answered;
  failed += other.failed;
  lost += other.lost;
}

absl::string_view Name(Phase phase) {
  static constexpr absl::string_view kNames[kPhaseCount] = {
      "wait",        "client_user",     "submit_to_receive", "decode",
      "kernel_send", "wire_and_server", "kernel_receive"};
  return kNames[static_cast<int>(phase)];
}

int StatusSlot(kinetic::StatusCode status, Verdict verdict) {
  if (verdict == Verdict::kWrongHmac) return kWrongHmacSlot;
  if (verdict == Verdict::kWrongValueLength) return kWrongLengthSlot;
  if (verdict == Verdict::kUnexpectedHit) return kUnexpectedHitSlot;
  if (verdict == Verdict::kWrongValue) return kWrongValueSlot;
  if (verdict == Verdict::kWrongMessageType) return kWrongTypeSlot;
  if (verdict == Verdict::kUnexpectedValue) return kUnexpectedValueSlot;
  const int slot = static_cast<int>(status) + 1;
  return slot >= 0 && slot < kinetic::kStatusCodeCount ? slot : kUnknownStatusSlot;
}

std::string StatusSlotName(int slot) {
  if (slot == kWrongHmacSlot) return "WRONG_HMAC";
  if (slot == kWrongLengthSlot) return "WRONG_VALUE_LENGTH";
  if (slot == kUnexpectedHitSlot) return "UNEXPECTED_HIT";
  if (slot == kWrongValueSlot) return "WRONG_VALUE";
  if (slot == kWrongTypeSlot) return "WRONG_MESSAGE_TYPE";
  if (slot == kUnexpectedValueSlot) return "UNEXPECTED_VALUE";
  if (slot == kUnknownStatusSlot) return "UNKNOWN";
  return kinetic::Name(static_cast<kinetic::StatusCode>(slot - 1));
}

void OpStats::Add(const OpStats& other) {
  counts.Add(other.counts);
  response.Add(other.response);
  service.Add(other.service);
  failed.Add(other.failed);
  lost.Add(other.lost);
  for (int i = 0; i < kPhaseCount; ++i) phases[i].Add(other.phases[i]);
  for (int i = 0; i < kStatusSlots; ++i) statuses[i] += other.statuses[i];
  for (int i = 0; i < kLostWhyCount; ++i) lost_by[i] += other.lost_by[i];
  request_bytes += other.request_bytes;
  response_bytes += other.response_bytes;
  answered_in_window += other.answered_in_window;
  response_bytes_in_window += other.response_bytes_in_window;
  untagged += other.untagged;
  for (const std::string& text : other.first_errors) {
    if (!text.empty() && first_errors.size() < kErrorTextsMax) first_errors.push_back(text);
  }
}

Recorder::Recorder(const Options& options)
    : ops_(options.ops),
      samples_max_(options.samples_max),
      clocks_(options.clocks),
      window_from_(options.window_from),
      window_until_(options.window_until) {
  samples_.reserve(samples_max_);
  for (int i = 0; i < kStatusSlots; ++i) status_names_.push_back(StatusSlotName(i));
  // Room for the texts is made now; they come in the window. An empty text is a free place.
  for (OpStats& stats : ops_) {
    stats.first_errors.resize(kErrorTextsMax);
    for (std::string& text : stats.first_errors) text.reserve(kErrorTextSize);
  }
}

void Recorder::Sent(uint32_t op, uint64_t request_bytes) {
  OpStats& stats = ops_[op];
  ++stats.counts.due;
  ++stats.counts.sent;
  stats.request_bytes += request_bytes;
  progress_.request_bytes += request_bytes;
  ++progress_.due;
}

void Recorder::Unsent(uint32_t op) {
  ++ops_[op].counts.due;
  ++ops_[op].counts.unsent;
  ++progress_.due;
}

void Recorder::Answered(const OpRecord& record, const Completion& completion, bool measured) {
  OpStats& stats = ops_[record.op];
  const bool good = record.outcome == OpOutcome::kAnswered;
  if (InWindow(record.decoded)) {
    stats.answered_in_window += good;
    stats.response_bytes_in_window += completion.response_bytes;
    ++(good ? progress_.completed : progress_.failed);
    progress_.response_bytes += completion.response_bytes;
  }
  if (!measured) return;
  const int slot = StatusSlot(completion.status, completion.verdict);
  ++stats.statuses[slot];
  stats.response_bytes += completion.response_bytes;
  if (!good) {
    ++stats.counts.failed;
    stats.failed.Record(record.response());
    KeepError(&stats, status_names_[slot], completion.text);
    return;
  }
  ++stats.counts.answered;
  stats.untagged += completion.untagged;
  stats.response.Record(record.response());
  stats.service.Record(record.service());
  const auto phase = [&stats](Phase p) -> Histogram& { return stats.phases[static_cast<int>(p)]; };
  phase(Phase::kWait).Record(record.started - record.intended);
  phase(Phase::kClientUser).Record(record.send.submitted - record.started);
  phase(Phase::kSubmitToReceive).Record(record.received - record.send.submitted);
  phase(Phase::kDecode).Record(record.decoded - record.received);
}

void Recorder::Lost(const OpRecord& record, MonoTime given_up, LostWhy why,
                    absl::string_view text) {
  OpStats& stats = ops_[record.op];
  ++stats.counts.lost;
  ++stats.lost_by[static_cast<int>(why)];
  stats.lost.Record(given_up - record.intended);
  progress_.failed += InWindow(given_up);
  KeepError(&stats, "LOST", text);
}

void Recorder::Sample(const OpRecord& record) {
  if (samples_.size() < samples_max_) {
    samples_.push_back(record);
  } else {
    ++samples_dropped_;
  }
  if (record.outcome != OpOutcome::kAnswered) return;
  // A stamp that belongs to another byte, to several answers, or to the last of several segments
  // (it contains waiting for the transport window) is kept in the trace with its flag, but it is no
  // duration of this request.
  const bool own_send =
      record.send.kernel_sent.is_set() &&
      (record.flags & (kMergedSendStamp | kMultiSegmentRequest | kRetransmitted)) == 0;
  const bool own_receive =
      record.kernel_received.is_set() && (record.flags & kSharedReceiveStamp) == 0;
  std::array<Histogram, kPhaseCount>& phases = ops_[record.op].phases;
  const auto phase = [&phases](Phase p) -> Histogram& { return phases[static_cast<int>(p)]; };
  if (own_send) {
    phase(Phase::kKernelSend)
        .Record(clocks_.ToMono(record.send.kernel_sent) - record.send.submitted);
  }
  if (own_send && own_receive) {
    phase(Phase::kWireAndServer).Record(record.kernel_received - record.send.kernel_sent);
  }
  if (own_receive) {
    phase(Phase::kKernelReceive).Record(record.received - clocks_.ToMono(record.kernel_received));
  }
}

Counts Recorder::totals() const {
  Counts totals;
  for (const OpStats& stats : ops_) totals.Add(stats.counts);
  return totals;
}

void Recorder::KeepError(OpStats* stats, absl::string_view what, absl::string_view text) {
  for (std::string& kept : stats->first_errors) {
    if (!kept.empty()) continue;
    kept.assign(what.data(), what.size());
    if (text.empty()) return;
    kept.append(": ");
    kept.append(text.data(), std::min(text.size(), kErrorTextSize - kept.size()));
    return;
  }
}

}  // namespace kbench
