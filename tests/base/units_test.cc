#include "base/units.h"

#include <gtest/gtest.h>

namespace kbench {
namespace {

TEST(Units, BitRates) {
  EXPECT_EQ(*ParseBitRate("2.5Gbit/s"), 2'500'000'000);
  EXPECT_EQ(*ParseBitRate("100 Mbit/s"), 100'000'000);
  EXPECT_EQ(*ParseBitRate("9kbit/s"), 9'000);
  for (const char* bad : {"1", "1Gb", "1GBit/s", "-1bit/s", "bit/s", ""}) {
    EXPECT_FALSE(ParseBitRate(bad).ok()) << bad;
  }
  EXPECT_EQ(FormatBitRate(2'500'000'000), "2500Mbit/s");
  EXPECT_EQ(FormatBitRate(1'000'000'000), "1Gbit/s");
  EXPECT_EQ(FormatBitRate(1001), "1001bit/s");
  EXPECT_EQ(FormatBitRate(0), "0bit/s");
}

TEST(Units, ReadsWhatPeopleWrite) {
  EXPECT_EQ(*ParseDuration("500us"), Micros(500));
  EXPECT_EQ(*ParseDuration("1.5s"), Millis(1500));
  EXPECT_EQ(*ParseDuration("2 ms"), Millis(2));
  EXPECT_EQ(*ParseDuration("0"), Nanos(0));
  EXPECT_EQ(*ParseSize("4KiB"), 4096);
  EXPECT_EQ(*ParseSize("1MiB"), 1048576);
  EXPECT_EQ(*ParseSize("2KB"), 2000);
  EXPECT_EQ(*ParseRate("20k/s"), 20'000);
  EXPECT_EQ(*ParseRate("1.5M"), 1.5e6);
}

TEST(Units, RefusesGuesses) {
  for (const char* bad : {"500", "", "us", "-1s", "1 fortnight", "1e3s", "nan s", "1MiBs"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
    EXPECT_FALSE(ParseSize(bad).ok()) << bad;
  }
  EXPECT_FALSE(ParseRate("fast").ok());
  EXPECT_FALSE(ParseRate("5q/s").ok());
  EXPECT_NE(ParseSize("4096").status().message().find("needs a unit"), absl::string_view::npos);
}

TEST(Units, WritesTheShortestExactForm) {
  EXPECT_EQ(FormatDuration(Micros(1500)), "1500us");
  EXPECT_EQ(FormatDuration(Seconds(2)), "2s");
  EXPECT_EQ(FormatSize(65536), "64KiB");
  EXPECT_EQ(FormatSize(1000), "1000B");
}

TEST(Units, ShowsThreeDigitsToPeople) {
  EXPECT_EQ(HumanDuration(999.4), "999 ns");
  EXPECT_EQ(HumanDuration(12'345), "12.3 us");
  EXPECT_EQ(HumanDuration(1'050'000), "1.05 ms");
  EXPECT_EQ(HumanDuration(123'456'789), "123 ms");
}

}  // namespace
}  // namespace kbench
