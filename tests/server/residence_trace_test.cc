#include "server/residence_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace kbench::server {
namespace {

using kinetic::Residence;
using kinetic::ResidenceLog;

constexpr size_t kMiB = 1 << 20;

Residence Numbered(uint64_t sequence) {
  return {.sequence = sequence,
          .received = ServerTime(static_cast<int64_t>(sequence) * 1000),
          .sent = ServerTime(static_cast<int64_t>(sequence) * 1000 + 7)};
}

ResidenceLog Read(ResidenceTrace* trace, absl::string_view suffix, size_t max = kMiB) {
  const auto bytes = trace->Read(absl::StrCat(kinetic::kResidenceLogPrefix, suffix), max);
  EXPECT_TRUE(bytes.has_value()) << suffix;
  auto log = kinetic::DecodeResidenceLog(AsBytes(bytes.value_or("")));
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? *log : ResidenceLog();
}

TEST(ResidenceRing, KeepsTheLatestOldestFirstAndCountsTheRest) {
  ResidenceRing ring(4);
  EXPECT_TRUE(ring.empty());
  for (uint64_t s = 1; s <= 11; ++s) ring.Record(Numbered(s));
  EXPECT_EQ(ring.overwritten(), 7u);
  const auto records = ring.Read(0, 100);
  ASSERT_EQ(records.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(records[i].sequence, 8 + i);
  EXPECT_EQ(ring.Read(10, 100).size(), 2u);
  EXPECT_EQ(ring.Read(9, 1).at(0).sequence, 9u);
}

TEST(ResidenceRing, GoesRoundInAnySize) {
  for (const size_t capacity : {1, 2047, 2048, 2049, 10'000}) {
    ResidenceRing ring(capacity);
    for (uint64_t s = 1; s <= 25'000; ++s) ring.Record(Numbered(s));
    EXPECT_EQ(ring.overwritten(), 25'000 - capacity);
    const auto records = ring.Read(0, 100'000);
    ASSERT_EQ(records.size(), capacity);
    for (size_t i = 0; i < capacity; ++i) {
      ASSERT_EQ(records[i].sequence, 25'000 - capacity + 1 + i) << capacity;
    }
  }
}

// Answers that were held back are recorded late; who reads the log goes on at the next sequence.
TEST(ResidenceRing, ReadsBySequenceWhateverTheOrderOfTheAnswers) {
  ResidenceRing ring(6);
  for (const uint64_t s : {2, 4, 1, 3, 6, 8, 5, 7}) ring.Record(Numbered(s));
  EXPECT_EQ(ring.overwritten(), 2u) << "2 and 4, which were answered first";
  const auto sequences = [&ring](uint64_t from, size_t max) {
    std::vector<uint64_t> out;
    for (const auto& record : ring.Read(from, max)) out.push_back(record.sequence);
    return out;
  };
  EXPECT_EQ(sequences(0, 100), (std::vector<uint64_t>{1, 3, 5, 6, 7, 8}));
  EXPECT_EQ(sequences(0, 2), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(sequences(4, 2), (std::vector<uint64_t>{5, 6}));
  EXPECT_EQ(sequences(9, 2), (std::vector<uint64_t>{}));
}

TEST(ResidenceRing, WithoutRoomRecordsNothing) {
  ResidenceRing ring(0);
  ring.Record(Numbered(1));
  EXPECT_EQ(ring.overwritten(), 0u);
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.Read(0, 10).empty());
}

TEST(ResidenceTrace, WithoutRecordsHasNoLog) {
  ResidenceTrace trace(0, "");
  trace.Open(42)->Record(Numbered(1));
  EXPECT_FALSE(trace.Read(absl::StrCat(kinetic::kResidenceLogPrefix, 42), kMiB).has_value());
}

TEST(ResidenceTrace, AnswersOnlyToTheNamesOfItsLogs) {
  ResidenceTrace trace(10, "get=500us");
  trace.Open(42)->Record(Numbered(3));
  EXPECT_EQ(Read(&trace, "42").records.size(), 1u);
  EXPECT_EQ(Read(&trace, "42").service_spec, "get=500us");
  const std::string prefix(kinetic::kResidenceLogPrefix);
  for (const std::string& name :
       {std::string(), prefix, prefix + "43", prefix + "42x", prefix + "42/", prefix + "42/-1",
        prefix + "42/1/2", std::string("com.example.nope"), prefix + " 4 2"}) {
    EXPECT_FALSE(trace.Read(name, kMiB).has_value()) << name;
  }
}

TEST(ResidenceTrace, PagesThroughALogThatOneAnswerCannotHold) {
  ResidenceTrace trace(1000, "");
  ResidenceRing* ring = trace.Open(1);
  for (uint64_t s = 1; s <= 1000; ++s) ring->Record(Numbered(s * 2));
  uint64_t from = 0;
  size_t seen = 0, pages = 0;
  while (true) {
    const size_t page_bytes = 28 + 300 * 32 + 31;
    const ResidenceLog page = Read(&trace, absl::StrCat("1/", from), page_bytes);
    if (page.records.empty()) break;
    EXPECT_LE(page.records.size(), 300u);
    for (const Residence& record : page.records) EXPECT_EQ(record.sequence, ++seen * 2);
    from = page.records.back().sequence + 1;
    ++pages;
  }
  EXPECT_EQ(seen, 1000u);
  EXPECT_EQ(pages, 4u);
}

TEST(ResidenceTrace, KeepsTheLatestClosedConnectionsThatServedRequests) {
  ResidenceTrace trace(10, "");
  const int64_t last = 100 + static_cast<int64_t>(ResidenceTrace::kClosedKept);
  for (int64_t id = 100; id <= last; ++id) {
    trace.Open(id)->Record(Numbered(1));
    trace.Retire(id);
    trace.Open(-id);  // served nothing: costs no place
    trace.Retire(-id);
  }
  const std::string prefix(kinetic::kResidenceLogPrefix);
  EXPECT_FALSE(trace.Read(absl::StrCat(prefix, 100), kMiB).has_value());
  EXPECT_EQ(Read(&trace, "101").records.size(), 1u);
  EXPECT_EQ(Read(&trace, absl::StrCat(last)).records.size(), 1u);
  EXPECT_FALSE(trace.Read(absl::StrCat(prefix, -last), kMiB).has_value());
}

TEST(ResidenceTrace, KeepsFewerClosedConnectionsWhenTheyAreLarge) {
  constexpr size_t kHalf = ResidenceTrace::kClosedRecordsKept / 2 + 1;
  ResidenceTrace trace(kHalf, "");
  for (int64_t id = 1; id <= 3; ++id) {
    ResidenceRing* ring = trace.Open(id);
    for (uint64_t s = 1; s <= kHalf; ++s) ring->Record(Numbered(s));
    trace.Retire(id);
  }
  EXPECT_FALSE(trace.Read(absl::StrCat(kinetic::kResidenceLogPrefix, 2), kMiB).has_value());
  EXPECT_FALSE(Read(&trace, "3").records.empty());
}

}  // namespace
}  // namespace kbench::server
