// Sums over windows against a count of every nanosecond.
#include "agent/observer/departure_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace kbench::observer {
namespace {

struct Stay {
  int64_t arrived, departed;
};

void ExpectSums(std::vector<Stay> stays, int64_t from, int64_t until, const WireSums& got) {
  std::stable_sort(stays.begin(), stays.end(),
                   [](const Stay& a, const Stay& b) { return a.departed < b.departed; });
  int64_t service = 0, inside = 0, busy = 0, before = 0;
  uint64_t departures = 0;
  std::vector<uint32_t> there(2'000'000);
  for (const Stay& one : stays) {
    if (one.departed >= from && one.departed < until) {
      ++departures;
      service += one.departed - std::max(before, one.arrived);
    }
    before = one.departed;
    for (int64_t t = std::max(one.arrived, from); t < std::min(one.departed, until); ++t) {
      ++there[static_cast<size_t>(t)];
      ++inside;
    }
  }
  for (const uint32_t n : there) busy += n > 0 ? 1 : 0;
  EXPECT_EQ(got.departures, departures);
  EXPECT_EQ(got.service_sum.count(), service);
  EXPECT_EQ(got.service.count(), departures);
  EXPECT_EQ(got.inside.count(), inside);
  EXPECT_EQ(got.busy.count(), busy);
}

std::vector<Stay> RandomStays(uint64_t seed, size_t count, int64_t spread) {
  Random random(seed);
  std::vector<Stay> stays;
  int64_t now = 1000;
  for (size_t i = 0; i < count; ++i) {
    now += static_cast<int64_t>(random.Below(60));
    stays.push_back(
        {.arrived = now,
         .departed = now + 1 + static_cast<int64_t>(random.Below(static_cast<uint64_t>(spread)))});
  }
  return stays;
}

TEST(DepartureLog, SumsAreExactForEveryWindow) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<Stay> stays = RandomStays(seed, 20'000, seed % 2 == 0 ? 40 : 2000);
    DepartureLog log;
    for (const Stay& one : stays) log.Add(RealTime(one.arrived), RealTime(one.departed));
    ExpectSums(stays, INT64_MIN, INT64_MAX, log.Sums());
    const int64_t end = stays.back().departed;
    Random random(seed);
    for (int i = 0; i < 3; ++i) {
      const auto from = static_cast<int64_t>(random.Below(static_cast<uint64_t>(end)));
      const int64_t until =
          from + static_cast<int64_t>(random.Below(static_cast<uint64_t>(end - from) + 1));
      log.SetWindow(RealTime(from), RealTime(until));
      ExpectSums(stays, from, until, log.Sums());
    }
  }
}

TEST(DepartureLog, OldDeparturesCountByTheWindowOfTheirTime) {
  const std::vector<Stay> stays = RandomStays(9, 30'000, 500);
  DepartureLog log(2 * DepartureLog::kChunk);
  const int64_t from = stays[5000].departed, until = stays[25'000].departed;
  log.SetWindow(RealTime(from), RealTime(until));
  for (const Stay& one : stays) log.Add(RealTime(one.arrived), RealTime(one.departed));
  ExpectSums(stays, from, until, log.Sums());
}

TEST(DepartureLog, AWindowAfterWhatIsFoldedIsCountedAlone) {
  const std::vector<Stay> stays = RandomStays(10, 40'000, 500);
  DepartureLog log(2 * DepartureLog::kChunk);
  for (size_t i = 0; i < 20'000; ++i) {
    log.Add(RealTime(stays[i].arrived), RealTime(stays[i].departed));
  }
  const int64_t from = stays[20'000].departed, until = stays[38'000].departed;
  log.SetWindow(RealTime(from), RealTime(until));
  for (size_t i = 20'000; i < stays.size(); ++i) {
    log.Add(RealTime(stays[i].arrived), RealTime(stays[i].departed));
  }
  log.SetWindow(RealTime(from), RealTime(until));  // as at the end of an observation
  ExpectSums(stays, from, until, log.Sums());
}

TEST(DepartureLog, NothingIsNothing) {
  const WireSums sums = DepartureLog().Sums();
  EXPECT_EQ(sums.departures, 0u);
  EXPECT_EQ(sums.busy, Nanos());
  EXPECT_EQ(sums.inside, Nanos());
}

}  // namespace
}  // namespace kbench::observer
