// What is written as an HdrHistogram log is what another reader reads.
#include "analysis/report/hdr_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "analysis/report/run_files.h"
#include "base/random.h"
#include "tests/analysis/report/hdr_log_reader.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

using Counts = std::map<int64_t, uint64_t>;

struct Written {
  Histogram histogram;
  Counts counts;  // kept apart from the histogram

  void Record(int64_t ns) {
    histogram.Record(Nanos(ns));
    ++counts[HdrLowestEquivalent(ns, 2)];
  }
};

HdrInterval ReadBack(const Histogram& histogram) {
  const auto log = ReadHdrLog(HdrLogLine("get", Nanos(0), Seconds(5), histogram));
  EXPECT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->intervals.size(), 1u);
  return log->intervals.at(0);
}

TEST(HdrLog, ReturnsEveryCountInItsBucket) {
  Written w;
  Random random(5);
  for (int i = 0; i < 20'000; ++i) {  // all magnitudes alike, from 1 ns to 18 minutes
    w.Record(static_cast<int64_t>(random.Next() >> (24 + random.Below(40))));
  }
  const HdrInterval read = ReadBack(w.histogram);
  EXPECT_EQ(read.counts, w.counts);
  EXPECT_EQ(read.digits, 2);
  EXPECT_EQ(read.lowest, 1);
  EXPECT_EQ(read.highest, Histogram::kHighest);
}

TEST(HdrLog, ReturnsTheEdgesOfTheRangeAndOfTheBuckets) {
  Written w;
  for (int64_t v : {int64_t{0}, int64_t{1}, int64_t{127}, int64_t{128}, int64_t{255}, int64_t{256},
                    int64_t{257}, int64_t{258}, int64_t{511}, int64_t{512}, Histogram::kHighest}) {
    w.Record(v);
  }
  EXPECT_EQ(ReadBack(w.histogram).counts, w.counts);
}

TEST(HdrLog, ReturnsSingleAndLongRunsOfEmptyBuckets) {
  Written w;
  for (int64_t v : {10, 12, 13, 40, 1'000'000}) w.Record(v);
  EXPECT_EQ(ReadBack(w.histogram).counts, w.counts);
}

// Up to the nine bytes of the longest word.
TEST(HdrLog, ReturnsCountsThatNeedSeveralBytes) {
  Histogram histogram;
  histogram.Record(Nanos(1000));
  histogram.Record(Nanos(2000));
  for (int doubling = 1; doubling <= 62; ++doubling) {
    histogram.Add(Histogram(histogram));
    const uint64_t count = uint64_t{1} << doubling;
    EXPECT_EQ(ReadBack(histogram).counts, (Counts{{1000, count}, {2000, count}}));
  }
}

TEST(HdrLog, EncodesASingleEmptyBucketAsZeroAndMoreAsTheirNumber) {
  Histogram histogram;
  for (int64_t v : {10, 12, 12}) histogram.Record(Nanos(v));
  const std::string encoded = HdrEncode(histogram);
  ASSERT_EQ(encoded.size(), 44u);
  EXPECT_EQ(encoded.substr(0, 8), std::string("\x1c\x84\x93\x13\0\0\0\x04", 8));
  EXPECT_EQ(encoded.substr(40), std::string("\x13\x02\0\x04", 4));  // -10, 1, 0, 2 in ZigZag
}

TEST(HdrLog, AnEmptyHistogramIsReadable) { EXPECT_TRUE(ReadBack(Histogram()).counts.empty()); }

TEST(HdrLog, SaysWhichOpWhenAndHowLong) {
  Histogram histogram;
  histogram.Record(Micros(2500));
  const auto log = ReadHdrLog(HdrLogLine("put", Millis(250), Millis(5500), histogram));
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->intervals[0].tag, "put");
  EXPECT_DOUBLE_EQ(log->intervals[0].start_s, 0.25);
  EXPECT_DOUBLE_EQ(log->intervals[0].length_s, 5.5);
  EXPECT_DOUBLE_EQ(log->intervals[0].max_ms, 2.5);
}

TEST(HdrLog, SamplesOutsideTheBucketsGoIntoAComment) {
  Histogram histogram;
  histogram.Record(Nanos(1000));
  histogram.Record(Nanos(Histogram::kHighest + 1));
  histogram.Record(Nanos(-1));
  histogram.Record(Nanos(-2));
  const auto log = ReadHdrLog(HdrLogLine("get", Nanos(0), Seconds(1), histogram));
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_EQ(log->intervals[0].counts, (Counts{{1000, 1}}));
  EXPECT_THAT(log->comments, ElementsAre(HasSubstr("get: 1 samples above and 2 below")));
}

TEST(HdrLog, TheHeaderHasTheVersionAndTheStartInUnixTime) {
  const auto log = ReadHdrLog(HdrLogHeader("2026-11-23T23:36:00Z"));
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_THAT(log->comments, Contains("[Histogram log format version 1.3]"));
  EXPECT_THAT(log->comments, Contains(HasSubstr("StartTime: 1795476960.000 ")));
  EXPECT_EQ(log->header,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
            "\"Interval_Compressed_Histogram\"");
  EXPECT_THAT(HdrLogHeader("yesterday"), HasSubstr("StartTime: 0.000 "));
}

TEST(LatencyHlog, HasOneIntervalPerOpMergedOverTheAgents) {
  const std::vector<int64_t> fast(30, 100'000), slow(20, 900'000);
  result::RunResult first = MakeAgent({.requests = {}, .unsampled = fast});
  *first.add_ops() = MakeAgent({.op = "put", .requests = {}, .unsampled = slow}).ops(0);
  const RunEvidence run =
      MakeRun({first, MakeAgent({.name = "agent-1", .requests = {}, .unsampled = slow})});
  const auto log = ReadHdrLog(LatencyHlog(run, "2026-11-23T23:36:00Z"));
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_EQ(log->intervals.size(), 2u);
  EXPECT_EQ(log->intervals[0].tag, "get");
  EXPECT_EQ(log->intervals[0].counts,
            (Counts{{HdrLowestEquivalent(100'000, 2), 30}, {HdrLowestEquivalent(900'000, 2), 20}}));
  EXPECT_EQ(log->intervals[1].tag, "put");
  EXPECT_EQ(log->intervals[1].counts, (Counts{{HdrLowestEquivalent(900'000, 2), 20}}));
  EXPECT_DOUBLE_EQ(log->intervals[1].length_s, 1);
}

}  // namespace
}  // namespace kbench::analysis
