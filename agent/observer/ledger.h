// What an observation keeps: a record of each request while there is room, sums of all, and counts.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "agent/observer/departure_log.h"
#include "agent/observer/packet_observer.h"
#include "agent/observer/record_store.h"
#include "agent/observer/stream.h"

namespace kbench::observer {

class Ledger {
 public:
  static constexpr uint32_t kNoRecord = Pdu::kNoTag;

  explicit Ledger(size_t records_max) : records_(records_max) {}

  // Until Keep(), records and departures are not kept, nor counted as lost.
  void Await() { keeping_ = false; }
  void Keep() { keeping_ = true; }

  // kNoRecord, counted, when there is no room.
  uint32_t NewRecord();
  // nullptr for kNoRecord.
  WireRecord* record(uint32_t index) { return index == kNoRecord ? nullptr : &records_[index]; }
  // A request whose record this is left without an answer.
  void Gone(uint32_t index, RealTime when) {
    if (index != kNoRecord) gone_.emplace_back(index, when);
  }

  void Departed(RealTime arrived, RealTime departed) {
    if (keeping_) departures.Add(arrived, departed);
  }

  // Fills in `service` and `inside` of all records and returns those that are wanted, in the order
  // in which requests came. At the end.
  std::vector<WireRecord> Conclude(
      const std::function<bool(int64_t connection_id, uint64_t sequence)>& wanted);

  WireCounters counters;
  StreamTotals totals;
  DepartureLog departures;

 private:
  void FillService();
  void FillInside();

  bool keeping_ = true;
  RecordStore records_;
  std::vector<std::pair<uint32_t, RealTime>> gone_;
};

}  // namespace kbench::observer
