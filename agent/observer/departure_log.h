// When answers left and when their requests had come, in the order of departure, in about six bytes
// each: what the sums over a window are made of, for a window that may be known only later.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "agent/observer/packet_observer.h"
#include "base/clock.h"

namespace kbench::observer {

// Sums over [from, until) of intervals in the order of their ends.
class SumBuilder {
 public:
  SumBuilder() = default;
  SumBuilder(RealTime from, RealTime until);
  void Add(RealTime arrived, RealTime departed);
  WireSums Sums() const;

 private:
  struct Interval {
    RealTime begin, end;
  };
  void Cover(RealTime begin, RealTime end);

  RealTime from_, until_;
  RealTime last_departed_;
  WireSums sums_;
  std::vector<Interval> busy_;  // apart from each other, ascending; not yet in sums_.busy
};

class DepartureLog {
 public:
  // Departures that are kept for a change of the window; older ones count as it was when they
  // became so old.
  static constexpr size_t kKept = 16u << 20;

  explicit DepartureLog(size_t kept = kKept) : kept_(kept) {}

  // By default everything. Once, and before the window begins, where more than `kept` departures
  // are to come.
  void SetWindow(RealTime from, RealTime until);
  // In about the order of departure: one that is up to kChunk departures late finds its place.
  void Add(RealTime arrived, RealTime departed);
  WireSums Sums() const;

  static constexpr size_t kChunk = 4096;

 private:
  struct Entry {
    RealTime arrived, departed;
  };
  struct Chunk {
    RealTime base;
    std::string bytes;  // of each: varint of departed - the one before, zigzag departed - arrived
  };
  static void Decode(const Chunk& chunk, SumBuilder* builder);
  void PackOldest();

  size_t kept_;
  RealTime from_ = RealTime(INT64_MIN);
  RealTime until_ = RealTime(INT64_MAX);
  std::vector<Entry> open_;  // by departure
  RealTime packed_until_ = RealTime(INT64_MIN);
  std::deque<Chunk> chunks_;
  RealTime folded_until_ = RealTime(INT64_MIN);  // departures up to here are in folded_
  SumBuilder folded_ = SumBuilder(from_, until_);
};

}  // namespace kbench::observer
