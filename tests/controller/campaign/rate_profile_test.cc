#include "controller/campaign/rate_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

using ::testing::HasSubstr;

RateProfile Good(const char* text) {
  const auto profile = RateProfile::Parse(text);
  EXPECT_TRUE(profile.ok()) << profile.status();
  return profile.ok() ? *profile : RateProfile();
}

std::string Error(const char* text) {
  const auto profile = RateProfile::Parse(text);
  EXPECT_FALSE(profile.ok()) << "accepted: " << text;
  return profile.ok() ? "" : std::string(profile.status().message());
}

TEST(RateProfile, OneRate) {
  const RateProfile rate = Good("5k/s");
  EXPECT_TRUE(rate.given());
  EXPECT_FALSE(rate.is_ramp() || rate.is_steps());
  EXPECT_EQ(rate.rate(), 5000);
  EXPECT_EQ(rate.MeanOver(Seconds(3)), 5000);
  EXPECT_EQ(rate.ToString(), "5000/s");
  EXPECT_FALSE(RateProfile().given());
}

TEST(RateProfile, ARamp) {
  const RateProfile ramp = Good("1k/s to 10k/s");
  EXPECT_TRUE(ramp.is_ramp());
  EXPECT_EQ(ramp.MeanOver(Seconds(2)), 5500);
  ASSERT_EQ(ramp.Over(Seconds(2)).size(), 1u);
  EXPECT_EQ(ramp.Over(Seconds(2))[0].length, Seconds(2));
  EXPECT_EQ(ramp.ToString(), "1000/s to 10000/s");
  EXPECT_EQ(ramp.FaultOver(Seconds(2)), "");
}

TEST(RateProfile, StepsFillTheWindowExactly) {
  for (const char* text :
       {"1k/s then 2k/s then 4k/s", "1k/s for 10% then 2k/s for 20% then 4k/s for 70%",
        "1k/s for 1s then 2k/s for 2s then 4k/s for 4s"}) {
    const RateProfile steps = Good(text);
    EXPECT_TRUE(steps.is_steps());
    EXPECT_EQ(steps.FaultOver(Seconds(7)), "");
    Nanos sum;
    for (const RatePart& part : steps.Over(Seconds(7))) sum += part.length;
    EXPECT_EQ(sum, Seconds(7)) << text;
    EXPECT_EQ(Good(steps.ToString().c_str()).ToString(), steps.ToString());
  }
  EXPECT_EQ(Good("1k/s for 1s then 4k/s for 2s").MeanOver(Seconds(3)), 3000);
  EXPECT_THAT(Good("1k/s for 1s then 4k/s for 2s").FaultOver(Seconds(5)),
              HasSubstr("run.duration is 5s"));
  EXPECT_THAT(Good("1k/s for 10% then 4k/s for 20%").FaultOver(Seconds(5)),
              HasSubstr("make it 100 %"));
}

TEST(RateProfile, RefusesWhatItCannotMean) {
  EXPECT_THAT(Error("1k/s for 2s"), HasSubstr("drop 'for"));
  EXPECT_THAT(Error("1k/s to 2k/s to 3k/s"), HasSubstr("more than one rate"));
  EXPECT_THAT(Error("1k/s for 1s then 2k/s"), HasSubstr("some steps a length"));
  EXPECT_THAT(Error("1k/s for 1s then 2k/s for 20%"), HasSubstr("another kind of length"));
  EXPECT_THAT(Error("1k/s to 2k/s then 3k/s"), HasSubstr("mixes steps with a ramp"));
  EXPECT_THAT(Error("0/s"), HasSubstr("out of range"));
  EXPECT_THAT(Error("1k/s then fast"), HasSubstr("is not a rate"));
  EXPECT_THAT(Error("1k/s for 0% then 2k/s for 100%"), HasSubstr("no share"));
  EXPECT_THAT(Error("1k/s for 0s then 2k/s for 1s"), HasSubstr("no time"));
}

}  // namespace
}  // namespace kbench
