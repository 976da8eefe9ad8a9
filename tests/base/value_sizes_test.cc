// Lengths of values against the distributions that they are of, by theory.
#include "base/value_sizes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace kbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ValueSizes Good(const char* text) {
  const auto sizes = ValueSizes::Parse(text);
  EXPECT_TRUE(sizes.ok()) << sizes.status();
  return sizes.ok() ? *sizes : ValueSizes::Fixed(0);
}

std::string Error(const char* text) {
  const auto sizes = ValueSizes::Parse(text);
  EXPECT_FALSE(sizes.ok()) << "accepted: " << text;
  return sizes.ok() ? "" : std::string(sizes.status().message());
}

// Share of the keys whose value is at most so long.
double CdfAt(const ValueSizes& sizes, uint32_t bytes, int keys = 200'000) {
  int below = 0;
  for (int i = 0; i < keys; ++i) below += sizes.Of(static_cast<uint64_t>(i) * 77) <= bytes;
  return static_cast<double>(below) / keys;
}
// Four deviations of a share over so many keys, and the step of the quantiles.
constexpr double kBound = 4 * 0.5 / 447 + 1.0 / ValueSizes::kQuantiles;

TEST(ValueSizes, OneSizeIsOfEveryKey) {
  const ValueSizes sizes = Good("4KiB");
  EXPECT_TRUE(sizes.fixed());
  EXPECT_EQ(sizes.Of(12345), 4096u);
  EXPECT_EQ(sizes.mean(), 4096);
  EXPECT_EQ(sizes.ToString(), "4KiB");
  EXPECT_EQ(Good("0").largest(), 0u);
}

TEST(ValueSizes, AreAFunctionOfTheKey) {
  const ValueSizes a = Good("uniform least 0B most 1MiB"), b = Good("uniform least 0B most 1MiB");
  for (uint64_t word = 0; word < 1000; ++word) EXPECT_EQ(a.Of(word), b.Of(word));
}

TEST(ValueSizes, WeightsAreShares) {
  const ValueSizes sizes = Good("64KiB=1,1KiB=9,2KiB=10");
  EXPECT_THAT(sizes.sizes(), ElementsAre(1024u, 2048u, 65536u));
  EXPECT_DOUBLE_EQ(sizes.mean(), (9 * 1024 + 10 * 2048 + 65536) / 20.0);
  EXPECT_NEAR(CdfAt(sizes, 1024), 0.45, kBound);
  EXPECT_NEAR(CdfAt(sizes, 2048), 0.95, kBound);
  EXPECT_EQ(CdfAt(sizes, 65536), 1);
  // The canonical form, which the agent is told, says the same.
  EXPECT_EQ(Good(sizes.ToString().c_str()).sizes(), sizes.sizes());
}

TEST(ValueSizes, UniformIsUniform) {
  const ValueSizes sizes = Good("uniform least 1000B most 9000B");
  EXPECT_NEAR(sizes.mean(), 5000, 1);
  for (uint32_t at : {2000u, 5000u, 8000u}) {
    EXPECT_NEAR(CdfAt(sizes, at), (at - 1000) / 8000.0, kBound);
  }
  EXPECT_GE(sizes.smallest(), 1000u);
  EXPECT_LE(sizes.largest(), 9000u);
}

TEST(ValueSizes, ParetoHasItsTailAndItsMean) {
  const double least = 1024, most = 1 << 20, alpha = 1.5;
  const ValueSizes sizes = Good("pareto least 1KiB alpha 1.5 most 1MiB");
  const auto cdf = [&](double x) {
    return (1 - std::pow(least / x, alpha)) / (1 - std::pow(least / most, alpha));
  };
  for (uint32_t at : {1500u, 3000u, 20'000u}) EXPECT_NEAR(CdfAt(sizes, at), cdf(at), kBound);
  // E = L^a / (1 - (L/H)^a) a/(a-1) (L^(1-a) - H^(1-a)); quantiles at the middle of 1024 shares
  // miss some of the tail.
  const double mean = std::pow(least, alpha) / (1 - std::pow(least / most, alpha)) * alpha /
                      (alpha - 1) * (std::pow(least, 1 - alpha) - std::pow(most, 1 - alpha));
  EXPECT_NEAR(sizes.mean() / mean, 1, 0.05);
  double sum = 0;
  for (uint64_t word = 0; word < 400'000; ++word) sum += sizes.Of(word);
  EXPECT_NEAR(sum / 400'000 / sizes.mean(), 1, 0.05) << "mean() is what keys have";
}

TEST(ValueSizes, LognormalHasItsMedianAndSpread) {
  const ValueSizes sizes = Good("lognormal median 4KiB sigma 1 most 1MiB");
  EXPECT_NEAR(CdfAt(sizes, 4096), 0.5, kBound);
  EXPECT_NEAR(CdfAt(sizes, static_cast<uint32_t>(4096 * std::exp(1))), 0.8413, kBound);
  EXPECT_NEAR(CdfAt(sizes, static_cast<uint32_t>(4096 * std::exp(-1))), 0.1587, kBound);
  EXPECT_NEAR(sizes.mean() / (4096 * std::exp(0.5)), 1, 0.03);
  // Cut off, the rest keeps its shape.
  const ValueSizes cut = Good("lognormal median 4KiB sigma 1 least 2KiB most 8KiB");
  EXPECT_GE(cut.smallest(), 2048u);
  EXPECT_LE(cut.largest(), 8192u);
  EXPECT_NEAR(CdfAt(cut, 4096), 0.5, kBound);
}

TEST(ValueSizes, ErrorsNameTheRemedy) {
  EXPECT_THAT(Error("4096"), HasSubstr("needs a unit"));
  EXPECT_THAT(Error("2MiB"), HasSubstr("above 1MiB"));
  EXPECT_THAT(Error("1KiB=0"), HasSubstr("is no weight"));
  EXPECT_THAT(Error("1KiB=1,1024B=2"), HasSubstr("twice"));
  EXPECT_THAT(Error("uniform"), HasSubstr("like 'uniform least"));
  EXPECT_THAT(Error("uniform least 1KiB"), HasSubstr("no 'most'"));
  EXPECT_THAT(Error("uniform least 2KiB most 1KiB"), HasSubstr("not below its most"));
  EXPECT_THAT(Error("uniform least 1KiB most"), HasSubstr("without its number"));
  EXPECT_THAT(Error("uniform median 1KiB most 2KiB"), HasSubstr("none of its words"));
  EXPECT_THAT(Error("pareto least 0B alpha 1 most 2KiB"), HasSubstr("least is 0"));
  EXPECT_THAT(Error("pareto least 1KiB alpha x most 2KiB"), HasSubstr("no number"));
  EXPECT_THAT(Error("lognormal median 4KiB sigma 1 most 2KiB"), HasSubstr("median is not between"));
  EXPECT_THAT(Error("gamma least 1KiB most 2KiB"), HasSubstr("is no distribution"));
}

}  // namespace
}  // namespace kbench
