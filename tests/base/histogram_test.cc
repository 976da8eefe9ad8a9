#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace kbench {
namespace {

TEST(Histogram, BucketsTileTheRangeWithoutGapOrOverlap) {
  int64_t next = 0;
  for (int i = 0; i < Histogram::kBucketCount; ++i) {
    ASSERT_EQ(Histogram::BucketLow(i), next) << i;
    ASSERT_EQ(Histogram::BucketIndex(Histogram::BucketLow(i)), i);
    ASSERT_EQ(Histogram::BucketIndex(Histogram::BucketHigh(i)), i);
    next = Histogram::BucketHigh(i) + 1;
  }
  EXPECT_EQ(next, Histogram::kHighest + 1);
}

TEST(Histogram, IsNeverMoreThanOnePercentWide) {
  for (int i = 256; i < Histogram::kBucketCount; ++i) {
    const auto low = static_cast<double>(Histogram::BucketLow(i));
    ASSERT_LE(static_cast<double>(Histogram::BucketHigh(i)) - low, 0.01 * low) << i;
  }
}

TEST(Histogram, PercentilesAreWithinOnePercentOfTheSortedSamples) {
  Random random(7);
  Histogram h;
  std::vector<int64_t> sorted;
  for (int i = 0; i < 100'000; ++i) {
    sorted.push_back(static_cast<int64_t>(std::exp(random.Uniform() * 20)));
    h.Record(Nanos(sorted.back()));
  }
  std::sort(sorted.begin(), sorted.end());
  for (double p : {0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const auto rank = std::max<size_t>(1, static_cast<size_t>(std::ceil(p / 100 * 1e5 - 1e-9)));
    const auto exact = static_cast<double>(sorted[rank - 1]);
    const auto got = static_cast<double>(h.Percentile(p).count());
    EXPECT_GE(got, exact) << p;
    EXPECT_LE(got, exact * 1.01 + 1) << p;
  }
}

TEST(Histogram, CountsWhatItCannotHoldInsteadOfDroppingIt) {
  Histogram h;
  h.Record(Nanos(Histogram::kHighest + 1));
  h.Record(Nanos(-5));
  h.Record(Nanos(10));
  EXPECT_EQ(h.count(), 3u);
  EXPECT_EQ(h.overflow(), 1u);
  EXPECT_EQ(h.underflow(), 1u);
  EXPECT_EQ(h.min(), Nanos(-5));
  EXPECT_EQ(h.Percentile(100), Nanos(Histogram::kHighest + 1));
  EXPECT_EQ(h.Percentile(50), Nanos(10));
}

TEST(Histogram, MergingIsTheSameAsRecordingTogether) {
  Random random(11);
  Histogram together, a, b;
  for (int i = 0; i < 10'000; ++i) {
    const Nanos v(static_cast<int64_t>(random.Exponential(50'000)));
    together.Record(v);
    (i % 3 == 0 ? a : b).Record(v);
  }
  a.Add(b);
  EXPECT_EQ(a.Encode(), together.Encode());
}

TEST(Histogram, SurvivesItsBytesAndRefusesEveryTruncation) {
  Random random(13);
  Histogram h;
  for (int i = 0; i < 1'000; ++i) h.Record(Nanos(static_cast<int64_t>(random.Exponential(1e6))));
  h.Record(Nanos(Histogram::kHighest + 99));
  const std::string bytes = h.Encode();
  const absl::StatusOr<Histogram> back = Histogram::Decode(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->Encode(), bytes);
  EXPECT_DOUBLE_EQ(back->mean_ns(), h.mean_ns());
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(Histogram::Decode(absl::string_view(bytes).substr(0, n)).ok()) << n;
  }
  EXPECT_FALSE(Histogram::Decode(bytes + std::string("\x01\x01", 2)).ok());
}

TEST(Histogram, IsZeroWhenEmpty) {
  const Histogram h;
  EXPECT_EQ(h.Percentile(99), Nanos(0));
  EXPECT_EQ(h.mean_ns(), 0.0);
  EXPECT_TRUE(Histogram::Decode(h.Encode()).ok());
}

}  // namespace
}  // namespace kbench
