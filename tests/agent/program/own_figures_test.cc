// What programs print of themselves is read where its form is known, and never guessed.
#include "agent/program/own_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(OwnFigures, OfACsvOfRequestsAreSummedUpByOp) {
  const OwnFigures own = ReadOwnFigures(
      "connecting\nop,latency_us\nput,100\nget,10.5\nput,300\ndone: 3\n", FigureFormat::kAuto);
  EXPECT_EQ(own.problem, "");
  ASSERT_EQ(own.figures.size(), 2u);
  EXPECT_EQ(own.figures[0].op, "put");
  EXPECT_EQ(own.figures[0].count, 2u);
  EXPECT_EQ(own.figures[0].mean_ns, 200'000);
  EXPECT_EQ(own.figures[0].p50_ns, 100'000);
  EXPECT_FALSE(own.figures[0].p99_ns.has_value()) << "of two requests";
  EXPECT_THAT(own.figures[0].each_ns, ElementsAre(100'000, 300'000));
  EXPECT_EQ(own.figures[0].source, "csv, latency_us of each request");
  EXPECT_EQ(own.figures[1].mean_ns, 10'500);
}

TEST(OwnFigures, HaveTheUnitsThatTheirColumnsName) {
  for (const auto& [column, ns] : {std::pair("latency_ns", 2),
                                   {"latency_us", 2'000},
                                   {"latency_ms", 2'000'000},
                                   {"latency_s", 2'000'000'000}}) {
    const OwnFigures own = ReadOwnFigures(std::string(column) + "\n2\n", FigureFormat::kCsv);
    ASSERT_EQ(own.figures.size(), 1u) << column;
    EXPECT_EQ(own.figures[0].mean_ns, ns) << column;
    EXPECT_EQ(own.figures[0].op, "") << column;
  }
  EXPECT_TRUE(ReadOwnFigures("latency\n2\n", FigureFormat::kCsv).figures.empty()) << "no unit";
}

TEST(OwnFigures, OfASummaryHaveWhatItHas) {
  const OwnFigures own = ReadOwnFigures(
      "op, count, mean_us, p99_us, stddev\nget, 1000, 12.5, 80, 3\nput, 10, 20, 90, 4\n",
      FigureFormat::kAuto);
  ASSERT_EQ(own.figures.size(), 2u);
  EXPECT_EQ(own.figures[0].count, 1000u);
  EXPECT_EQ(own.figures[0].mean_ns, 12'500);
  EXPECT_FALSE(own.figures[0].p50_ns.has_value());
  EXPECT_EQ(own.figures[0].p99_ns, 80'000);
  EXPECT_EQ(own.figures[1].op, "put");
}

TEST(OwnFigures, OfFioAreThoseOfItsDirections) {
  const OwnFigures own = ReadOwnFigures(
      R"(fio: a note
{"jobs": [{"read": {"total_ios": 100, "clat_ns": {"mean": 900}, "lat_ns": {"mean": 1000,
   "percentile": {"50.000000": 950, "99.000000": 2000}}}, "write": {"total_ios": 0}},
  {"read": {"total_ios": 300, "lat_ns": {"mean": 2000}}, "write": {"total_ios": 5,
   "lat_ns": {"mean": 7000}, "clat_ns": {"mean": 6950, "percentile": {"50.000000": 5000}}},
   "mixed": 3}]}
)",
      FigureFormat::kAuto);
  ASSERT_EQ(own.figures.size(), 2u);
  EXPECT_EQ(own.figures[0].op, "get");
  EXPECT_EQ(own.figures[0].count, 400u);
  EXPECT_EQ(own.figures[0].mean_ns, 1750);
  EXPECT_FALSE(own.figures[0].p50_ns.has_value()) << "percentiles of two jobs do not add up";
  EXPECT_EQ(own.figures[1].op, "put");
  EXPECT_EQ(own.figures[1].mean_ns, 7000);
  EXPECT_EQ(own.figures[1].p50_ns, 5000);
  EXPECT_EQ(own.figures[1].source, "fio, lat_ns of write, percentiles of clat_ns");
}

// An engine that submits apart: what passes before is in lat_ns alone.
TEST(OwnFigures, OfFioHaveNoPercentilesOfAPartOfTheirTime) {
  const OwnFigures own = ReadOwnFigures(
      R"({"jobs": [{"write": {"total_ios": 5, "slat_ns": {"mean": 2000}, "lat_ns": {"mean": 8000},
          "clat_ns": {"mean": 6000, "percentile": {"50.000000": 5000}}}}]})",
      FigureFormat::kFio);
  ASSERT_EQ(own.figures.size(), 1u);
  EXPECT_EQ(own.figures[0].mean_ns, 8000);
  EXPECT_FALSE(own.figures[0].p50_ns.has_value());
  EXPECT_EQ(own.figures[0].source, "fio, lat_ns of write");
}

TEST(OwnFigures, OfFioAreThoseOfDirectionsTogetherWhereItMixesThem) {
  const OwnFigures own = ReadOwnFigures(
      R"({"jobs": [{"mixed": {"total_ios": 5, "lat_ns": {"mean": 8000}}}]})", FigureFormat::kAuto);
  ASSERT_EQ(own.figures.size(), 1u);
  EXPECT_EQ(own.figures[0].op, "");
  EXPECT_EQ(own.figures[0].count, 5u);
}

TEST(OwnFigures, OfFioAreFoundInWhateverTextStandsAround) {
  const auto json = [](const char* mean) {
    return std::string(
               R"({"note": "a \"brace\" } in a string", "jobs": [{"write": {"total_ios": 5,)") +
           R"( "lat_ns": {"mean": )" + mean + "}}}]}";
  };
  const auto mean = [](const std::string& text) {
    const OwnFigures own = ReadOwnFigures(text, FigureFormat::kAuto);
    return own.figures.empty() ? 0 : own.figures[0].mean_ns;
  };
  EXPECT_EQ(mean("warning: {host} is \"odd\n" + json("7") + "\ndone {1}\n"), 7);
  EXPECT_EQ(mean("result: " + json("7") + " (ok)"), 7);
  EXPECT_EQ(mean("{unfinished: { \n" + json("7")), 7);
  EXPECT_EQ(mean("{}\n{\"jobs\": 3}\n" + json("7") + "\n{\"other\": 1}"), 7);
  EXPECT_EQ(mean(json("5") + "\n" + json("7")), 7) << "of several the last";
  EXPECT_EQ(mean(json("7") + "\n" + json("9").substr(0, 60)), 7) << "the last whole one";
}

// However hostile: it is read in time that grows with its length.
TEST(OwnFigures, AreNotLookedForForeverInBraces) {
  const OwnFigures own = ReadOwnFigures(std::string(4 << 20, '{'), FigureFormat::kFio);
  EXPECT_TRUE(own.figures.empty());
  EXPECT_THAT(own.problem, HasSubstr("jobs"));
}

TEST(OwnFigures, AreNoneWhereNothingIsKnownAndSayWhy) {
  for (const char* text :
       {"", "hello\nworld\n", "{", "{}", "[1, 2]", "}{", "{\"jobs\": 3}",
        "{\"jobs\": [3, {}, {\"read\": 4}]}", "op,latency_us\n", "op,latency_us\nget,fast\n",
        "latency_us\n-1\n", "latency_us\nnan\n", "latency_us\n1e300\n", "latency_us,op\n1\n"}) {
    const OwnFigures own = ReadOwnFigures(text, FigureFormat::kAuto);
    EXPECT_TRUE(own.figures.empty()) << text;
    EXPECT_THAT(own.problem, HasSubstr("CSV")) << text;
    EXPECT_THAT(own.problem, HasSubstr("fio")) << text;
  }
  EXPECT_EQ(ReadOwnFigures("latency_us\n1\n", FigureFormat::kNone).problem, "");
  EXPECT_TRUE(ReadOwnFigures("latency_us\n1\n", FigureFormat::kNone).figures.empty());
  EXPECT_TRUE(ReadOwnFigures("latency_us\n1\n", FigureFormat::kFio).figures.empty());
}

TEST(OwnFigures, EndWhereTheTableDoes) {
  const OwnFigures own = ReadOwnFigures("latency_us\n1\n2\nsum 3\n4\n", FigureFormat::kCsv);
  ASSERT_EQ(own.figures.size(), 1u);
  EXPECT_EQ(own.figures[0].count, 2u);
}

}  // namespace
}  // namespace kbench
