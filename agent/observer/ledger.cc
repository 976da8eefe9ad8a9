#include "agent/observer/ledger.h"

#include <algorithm>

namespace kbench::observer {

uint32_t Ledger::NewRecord() {
  if (!keeping_) return kNoRecord;
  if (!records_.full()) return records_.Add();
  ++counters.records_lost;
  return kNoRecord;
}

// Gap rule: the server worked on this one since it had come and the one before had left.
void Ledger::FillService() {
  std::vector<std::pair<RealTime, uint32_t>> answered;
  for (uint32_t i = 0; i < records_.size(); ++i) {
    const WireRecord& one = *record(i);
    if (one.response_first.is_set() && one.request_last.is_set()) {
      answered.emplace_back(one.response_first, i);
    }
  }
  std::sort(answered.begin(), answered.end());
  RealTime before;
  for (const auto& [departed, index] : answered) {
    WireRecord& one = *record(index);
    one.service = departed - std::max(one.request_last, before);
    before = departed;
  }
}

void Ledger::FillInside() {
  std::vector<std::pair<RealTime, uint32_t>> arrivals;
  std::vector<RealTime> ends;
  for (uint32_t i = 0; i < records_.size(); ++i) {
    const WireRecord& one = *record(i);
    if (!one.request_last.is_set()) continue;
    arrivals.emplace_back(one.request_last, i);
    if (one.response_first.is_set()) ends.push_back(one.response_first);
  }
  for (const auto& [index, when] : gone_) {
    const WireRecord& one = *record(index);
    if (one.request_last.is_set() && !one.response_first.is_set()) ends.push_back(when);
  }
  std::sort(arrivals.begin(), arrivals.end());
  std::sort(ends.begin(), ends.end());
  size_t come = 0, left = 0;
  for (const auto& [arrived, index] : arrivals) {
    while (left < ends.size() && ends[left] <= arrived) ++left;
    record(index)->inside = static_cast<uint32_t>(come > left ? come - left : 0);
    ++come;
  }
}

std::vector<WireRecord> Ledger::Conclude(
    const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted) {
  FillService();
  FillInside();
  std::vector<WireRecord> chosen;
  for (uint32_t i = 0; i < records_.size(); ++i) {
    const WireRecord& one = *record(i);
    if (wanted(one.connection_id, one.sequence)) chosen.push_back(one);
  }
  return chosen;
}

}  // namespace kbench::observer
