#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/varint.h"

namespace kbench {
namespace {

constexpr uint8_t kFormat = 1;

}  // namespace

Histogram::Histogram() : counts_(kBucketCount, 0) {}

int Histogram::BucketIndex(int64_t value) {
  if (value < 2 * kHalfCount) return static_cast<int>(value);
  const int shift = std::bit_width(static_cast<uint64_t>(value)) - kSubBucketBits;
  return shift * kHalfCount + static_cast<int>(value >> shift);
}

int64_t Histogram::BucketLow(int index) {
  if (index < 2 * kHalfCount) return index;
  const int shift = index / kHalfCount - 1;
  return static_cast<int64_t>(index - shift * kHalfCount) << shift;
}

int64_t Histogram::BucketHigh(int index) {
  return index + 1 < kBucketCount ? BucketLow(index + 1) - 1 : kHighest;
}

void Histogram::Record(Nanos value) {
  const int64_t ns = value.count();
  min_ = std::min(min_, ns);
  max_ = std::max(max_, ns);
  sum_ += ns;
  if (ns < 0) {
    ++underflow_;
  } else if (ns > kHighest) {
    ++overflow_;
  } else {
    ++counts_[BucketIndex(ns)];
    ++total_;
  }
}

void Histogram::Add(const Histogram& other) {
  for (int i = 0; i < kBucketCount; ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
  overflow_ += other.overflow_;
  underflow_ += other.underflow_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

void Histogram::Clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  total_ = overflow_ = underflow_ = 0;
  min_ = INT64_MAX;
  max_ = INT64_MIN;
  sum_ = 0;
}

Nanos Histogram::min() const { return Nanos(count() == 0 ? 0 : min_); }
Nanos Histogram::max() const { return Nanos(count() == 0 ? 0 : max_); }

double Histogram::mean_ns() const {
  return count() == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count());
}

Nanos Histogram::Percentile(double p) const {
  if (count() == 0) return Nanos(0);
  const double exact = std::clamp(p, 0.0, 100.0) / 100.0 * static_cast<double>(count());
  // Guards against 99.9 / 100 * 1000 = 999.0000000000001.
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(exact - 1e-9)));
  uint64_t seen = underflow_;
  if (rank <= seen) return min();
  for (int i = 0; i < kBucketCount; ++i) {
    seen += counts_[i];
    if (seen >= rank) return Nanos(std::min(BucketHigh(i), max_));
  }
  return max();
}

// format, total, overflow, underflow, [min, max, sum low, sum high], then runs: (gap, count)...
std::string Histogram::Encode() const {
  std::string out(1, static_cast<char>(kFormat));
  AppendVarint(&out, total_);
  AppendVarint(&out, overflow_);
  AppendVarint(&out, underflow_);
  if (count() == 0) return out;
  AppendVarint(&out, ZigZag(min_));
  AppendVarint(&out, ZigZag(max_));
  AppendVarint(&out, static_cast<uint64_t>(sum_));
  AppendVarint(&out, static_cast<uint64_t>(sum_ >> 64));
  int next = 0;
  for (int i = 0; i < kBucketCount; ++i) {
    if (counts_[i] == 0) continue;
    AppendVarint(&out, static_cast<uint64_t>(i - next));
    AppendVarint(&out, counts_[i]);
    next = i + 1;
  }
  return out;
}

absl::StatusOr<Histogram> Histogram::Decode(absl::string_view bytes) {
  const absl::Status bad = absl::DataLossError("histogram bytes are damaged or of another format");
  if (bytes.empty() || static_cast<uint8_t>(bytes[0]) != kFormat) return bad;
  bytes.remove_prefix(1);
  Histogram h;
  uint64_t total = 0;
  if (!ConsumeVarint(&bytes, &total) || !ConsumeVarint(&bytes, &h.overflow_) ||
      !ConsumeVarint(&bytes, &h.underflow_)) {
    return bad;
  }
  if (total == 0 && h.overflow_ == 0 && h.underflow_ == 0) {
    if (bytes.empty()) return h;
    return bad;
  }
  uint64_t min = 0, max = 0, sum_low = 0, sum_high = 0;
  if (!ConsumeVarint(&bytes, &min) || !ConsumeVarint(&bytes, &max) ||
      !ConsumeVarint(&bytes, &sum_low) || !ConsumeVarint(&bytes, &sum_high)) {
    return bad;
  }
  h.min_ = UnZigZag(min);
  h.max_ = UnZigZag(max);
  h.sum_ = static_cast<__int128>((static_cast<unsigned __int128>(sum_high) << 64) | sum_low);
  uint64_t index = 0;
  while (!bytes.empty()) {
    uint64_t gap = 0, samples = 0;
    if (!ConsumeVarint(&bytes, &gap) || !ConsumeVarint(&bytes, &samples)) return bad;
    if (gap >= kBucketCount || (index += gap) >= kBucketCount || samples == 0) return bad;
    h.counts_[index++] = samples;
    h.total_ += samples;
  }
  if (h.total_ != total) return bad;
  return h;
}

}  // namespace kbench
