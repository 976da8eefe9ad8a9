// Which keys are asked for, against the distributions that they are of, by theory. Bounds are four
// deviations of a count.
#include "agent/load/key_order.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "agent/load/workload.h"

namespace kbench {
namespace {

constexpr int kDraws = 400'000;

double Deviations(double count, double p) {
  return (count - kDraws * p) / std::sqrt(kDraws * p * (1 - p));
}

TEST(ZipfRanks, HaveTheProbabilitiesOfZipf) {
  for (const double theta : {0.5, 0.99, 1.0, 1.4}) {
    for (const uint64_t n : {1ull, 2ull, 10ull, 1000ull}) {
      std::vector<double> p(n);
      double sum = 0;
      for (uint64_t i = 0; i < n; ++i) sum += p[i] = std::pow(static_cast<double>(i + 1), -theta);
      const ZipfRanks zipf(n, theta);
      Random random(9);
      std::vector<double> counts(n);
      for (int i = 0; i < kDraws; ++i) {
        const uint64_t rank = zipf.Draw(&random);
        ASSERT_LT(rank, n);
        ++counts[rank];
      }
      // Chi-squared over all ranks, n - 1 degrees of freedom: mean n - 1, variance 2 (n - 1).
      double chi = 0;
      for (uint64_t i = 0; i < n; ++i) {
        const double expected = kDraws * p[i] / sum;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
      }
      const double freedom = static_cast<double>(n - 1);
      EXPECT_LE(std::abs(chi - freedom), 4 * std::sqrt(2 * freedom)) << theta << " " << n;
    }
  }
}

TEST(ZipfRanks, TakeManyKeys) {
  const ZipfRanks zipf(uint64_t{1} << 39, 0.99);
  Random random(1);
  double first = 0;
  uint64_t most = 0;
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t rank = zipf.Draw(&random);
    first += rank == 0;
    most = std::max(most, rank);
  }
  EXPECT_GT(first, 0);
  EXPECT_GT(most, uint64_t{1} << 36);
  EXPECT_LT(most, uint64_t{1} << 39);
}

TEST(Scramble, IsAPermutationThatSeparatesNeighbours) {
  for (const uint64_t n : {1u, 2u, 3u, 10u, 97u, 1000u, 1024u}) {
    const Scramble scramble(n);
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < n; ++i) {
      EXPECT_LT(scramble(i), n);
      seen.insert(scramble(i));
    }
    EXPECT_EQ(seen.size(), n);
  }
  const Scramble scramble(1'000'000);
  EXPECT_GT(std::abs(static_cast<int64_t>(scramble(1) - scramble(2))), 100'000);
}

std::vector<double> CountsOf(SkewedKeys::Options options) {
  SkewedKeys keys(options);
  std::vector<double> counts(options.keys);
  for (int i = 0; i < kDraws; ++i) ++counts.at(keys.Draw(0));
  return counts;
}

TEST(SkewedKeys, TheHotOnesGetTheirShare) {
  const auto counts = CountsOf(
      {.order = KeyOrder::kHotspot, .keys = 1000, .hot_keys = 0.1, .hot_requests = 0.9, .seed = 3});
  const Scramble scramble(1000);
  double hot = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    hot += counts[scramble(i)];
    EXPECT_LE(std::abs(Deviations(counts[scramble(i)], 0.9 / 100)), 4.5);
  }
  EXPECT_LE(std::abs(Deviations(hot, 0.9)), 4);
  for (uint64_t i = 100; i < 1000; ++i) {
    EXPECT_LE(std::abs(Deviations(counts[scramble(i)], 0.1 / 900)), 4.5);
  }
}

TEST(SkewedKeys, EverythingMayBeHot) {
  for (const double count : CountsOf({.order = KeyOrder::kHotspot,
                            .keys = 10,
                            .hot_keys = 1,
                            .hot_requests = 0.5,
                            .seed = 3})) {
    EXPECT_LE(std::abs(Deviations(count, 0.1)), 4);
  }
  EXPECT_EQ(CountsOf({.order = KeyOrder::kHotspot, .keys = 1, .hot_keys = 0.01}).at(0), kDraws);
}

OpStream::Options Latest() {
  return {.ops = {{.kind = OpKind::kGet, .weight = 1}, {.kind = OpKind::kPut, .weight = 1}},
          .keys = 100,
          .order = KeyOrder::kLatest,
          .zipf_theta = 1,
          .seed = 5,
          .first_key = 30};
}

TEST(OpStream, LatestWritesInSequenceAndReadsWhatWasWrittenLast) {
  OpStream stream(Latest());
  uint64_t next = 30;
  double reads = 0, of_the_last = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Op op = stream.Next();
    ASSERT_LT(op.key, 100u);
    if (op.kind == OpKind::kPut) {
      EXPECT_EQ(op.key, next);
      next = (next + 1) % 100;
    } else {
      ++reads;
      of_the_last += op.key == (next + 99) % 100;
    }
  }
  double sum = 0;
  for (int i = 1; i <= 100; ++i) sum += 1.0 / i;
  const double p = 1 / sum;
  EXPECT_NEAR(of_the_last / reads, p, 4 * std::sqrt(p / reads));
}

// Any slice can be made again, and the keys do not depend on what is done with them.
TEST(OpStream, SkewedKeysAreAFunctionOfSeedAndNumber) {
  for (const KeyOrder order : {KeyOrder::kZipf, KeyOrder::kHotspot}) {
    OpStream::Options options = Latest();
    options.order = order;
    OpStream::Options other = options;
    other.ops[0].weight = 9;
    OpStream a(options), b(options), c(other);
    options.seed = 6;
    OpStream d(options);
    int differ = 0;
    for (int i = 0; i < 1000; ++i) {
      const uint64_t key = a.Next().key;
      EXPECT_EQ(b.Next().key, key);
      EXPECT_EQ(c.Next().key, key);
      differ += d.Next().key != key;
    }
    EXPECT_GT(differ, 0);
  }
}

TEST(KeyOrder, NamesAreRead) {
  EXPECT_EQ(*ParseKeyOrder("hotspot"), KeyOrder::kHotspot);
  EXPECT_EQ(*ParseKeyOrder("uniform"), KeyOrder::kUniform);
  EXPECT_FALSE(ParseKeyOrder("zpif").ok());
}

}  // namespace
}  // namespace kbench
