// Latency histogram with a bounded relative error, merged by adding.
//
// The layout is HdrHistogram's with 2 significant digits and a lowest value of 1 ns: 256 linear
// buckets, then 128 per power of two, so that every bucket is at most 1/128 (0.8 %) of its value
// wide. A value above kHighest is counted in `overflow`, never dropped and never clamped into a
// bucket. Negative values are a bug of the caller and counted in `underflow`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace kbench {

class Histogram {
 public:
  static constexpr int kSubBucketBits = 8;
  static constexpr int kHalfCount = 1 << (kSubBucketBits - 1);
  static constexpr int64_t kHighest = (int64_t{1} << 40) - 1;  // 18.3 minutes
  static constexpr int kBucketCount = (40 - kSubBucketBits + 2) * kHalfCount;

  Histogram();

  // Constant time, no allocation.
  void Record(Nanos value);
  void Add(const Histogram& other);
  void Clear();

  // Everything recorded, overflow and underflow included.
  uint64_t count() const { return total_ + overflow_ + underflow_; }
  uint64_t overflow() const { return overflow_; }
  uint64_t underflow() const { return underflow_; }
  Nanos min() const;  // Exact; zero when empty.
  Nanos max() const;  // Exact; zero when empty.
  // Exact mean of every recorded value, overflow included; zero when empty.
  double mean_ns() const;
  // The highest value of the bucket that holds the sample of rank ceil(p/100 * count), as
  // HdrHistogram does; never above max(). A rank that falls into the overflow gives max().
  Nanos Percentile(double p) const;

  // Number of samples in bucket `index`, and the bucket's inclusive bounds.
  uint64_t bucket(int index) const { return counts_[index]; }
  static int BucketIndex(int64_t value);
  static int64_t BucketLow(int index);
  static int64_t BucketHigh(int index);

  // Run-length bytes (format: docs/formats.md, "Histogram bytes").
  std::string Encode() const;
  static absl::StatusOr<Histogram> Decode(absl::string_view bytes);

 private:
  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
  uint64_t overflow_ = 0;
  uint64_t underflow_ = 0;
  int64_t min_ = INT64_MAX;
  int64_t max_ = INT64_MIN;
  __int128 sum_ = 0;
};

}  // namespace kbench
