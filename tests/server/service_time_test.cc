#include "server/service_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace kbench::server {
namespace {

using kinetic::MessageType;
using ::testing::HasSubstr;

constexpr uint64_t kSeed = 20'240'611;
constexpr int kSamples = 100'000;

ServiceTime Make(absl::string_view spec, uint64_t seed = kSeed) {
  auto service = ServiceTime::Parse(spec, seed);
  EXPECT_TRUE(service.ok()) << service.status();
  return *std::move(service);
}

double MeanOf(absl::string_view spec) {
  ServiceTime service = Make(spec);
  double sum = 0;
  for (int i = 0; i < kSamples; ++i) {
    sum += static_cast<double>(service.Sample(MessageType::kGet).count());
  }
  return sum / kSamples;
}

TEST(ServiceTime, IsNothingWithoutASpec) {
  ServiceTime service = Make("");
  EXPECT_FALSE(service.enabled());
  EXPECT_EQ(service.Sample(MessageType::kGet), Nanos(0));
}

TEST(ServiceTime, GivesEachOpItsOwnRuleAndTheRestTheRuleForAll) {
  ServiceTime service = Make("get=500us,all=1ms,noop=0");
  EXPECT_EQ(service.Sample(MessageType::kGet), Micros(500));
  EXPECT_EQ(service.Sample(MessageType::kPut), Millis(1));
  EXPECT_EQ(service.Sample(MessageType::kFlushAllData), Millis(1));
  EXPECT_EQ(service.Sample(MessageType::kNoop), Nanos(0));
  ServiceTime bare = Make("2ms");
  EXPECT_EQ(bare.Sample(MessageType::kDelete), Millis(2));
  ServiceTime only_get = Make("get=500us");
  EXPECT_EQ(only_get.Sample(MessageType::kPut), Nanos(0));
}

TEST(ServiceTime, LeavesTypesThatAreNoOpsAlone) {
  ServiceTime service = Make("all=1ms");
  EXPECT_EQ(service.Sample(MessageType::kSetPowerLevel), Nanos(0));
  EXPECT_EQ(service.Sample(MessageType::kInvalid), Nanos(0));
  EXPECT_EQ(service.Sample(MessageType::kSecurity), Nanos(0));
}

TEST(ServiceTime, TheSameSeedGivesTheSameTimes) {
  ServiceTime a = Make("exp:1ms"), b = Make("exp:1ms"), other = Make("exp:1ms", kSeed + 1);
  int differ = 0;
  for (int i = 0; i < 100; ++i) {
    const Nanos sample = a.Sample(MessageType::kGet);
    EXPECT_EQ(sample, b.Sample(MessageType::kGet));
    differ += sample != other.Sample(MessageType::kGet);
  }
  EXPECT_GT(differ, 90);
}

// Bounds are four standard errors of the mean; the seed is fixed.
TEST(ServiceTime, MeansAreThoseOfTheirDistributions) {
  const double n = std::sqrt(kSamples);
  EXPECT_NEAR(MeanOf("exp:2ms"), 2e6, 4 * 2e6 / n);
  EXPECT_NEAR(MeanOf("uniform:100us..300us"), 2e5, 4 * (2e5 / std::sqrt(12)) / n);
  const double sigma = 0.5;
  const double mean = 2e5 * std::exp(sigma * sigma / 2);
  const double deviation = mean * std::sqrt(std::exp(sigma * sigma) - 1);
  EXPECT_NEAR(MeanOf("lognormal:200us:0.5"), mean, 4 * deviation / n);
}

TEST(ServiceTime, HalfOfALognormalIsBelowItsMedian) {
  ServiceTime service = Make("lognormal:200us:1.5");
  int below = 0;
  for (int i = 0; i < kSamples; ++i) below += service.Sample(MessageType::kGet) < Micros(200);
  EXPECT_NEAR(below, kSamples / 2.0, 4 * std::sqrt(kSamples) / 2);
}

TEST(ServiceTime, UniformStaysWithinItsEnds) {
  ServiceTime service = Make("uniform:100us..300us");
  for (int i = 0; i < kSamples; ++i) {
    const Nanos sample = service.Sample(MessageType::kGet);
    ASSERT_GE(sample, Micros(100));
    ASSERT_LE(sample, Micros(300));
  }
}

TEST(ServiceTime, RefusesWhatItDoesNotUnderstandAndQuotesIt) {
  const struct {
    const char* spec;
    const char* says;
  } cases[] = {
      {"fetch=1ms", "no op \"fetch\""},
      {"get=1ms,get=2ms", "has a rule already"},
      {"1ms,all=2ms", "has a rule already"},
      {"get=500", "get=500"},
      {"get=-1ms", "get=-1ms"},
      {"get=11s", "between 0 and 10s"},
      {"get=", "get="},
      {"get=1ms,", "rule \"\""},
      {"exp:", "exp:"},
      {"uniform:1ms", "LOW..HIGH"},
      {"uniform:3ms..1ms", "above its high end"},
      {"lognormal:1ms", "MEDIAN:SIGMA"},
      {"lognormal:1ms:9", "sigma"},
      {"lognormal:1ms:nan", "sigma"},
  };
  for (const auto& c : cases) {
    const auto service = ServiceTime::Parse(c.spec, kSeed);
    ASSERT_FALSE(service.ok()) << c.spec;
    EXPECT_THAT(std::string(service.status().message()), HasSubstr(c.says)) << c.spec;
  }
}

TEST(ServiceModel, IsSleepOrBusy) {
  EXPECT_EQ(*ParseServiceModel("sleep"), ServiceModel::kSleep);
  EXPECT_EQ(*ParseServiceModel("busy"), ServiceModel::kBusy);
  EXPECT_FALSE(ParseServiceModel("idle").ok());
}

}  // namespace
}  // namespace kbench::server
