// What is printed of an observation, and the sentences about what is wrong with it.
#include "agent/observer/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/agent/observer/synthetic.h"

namespace kbench::observer {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Reported Sample() {
  Random random(1);
  Analysis analysis({.port = kPort});
  Play(Converse({.requests = 50}, &random), {}, &analysis);
  return {.port = kPort,
          .from = "a \"file\"",
          .view = View::kServer,
          .observation = Conclude(&analysis)};
}

std::string Printed(void (*print)(const Reported&, std::FILE*), const Reported& reported) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  print(reported, out);
  std::fclose(out);
  const std::string copy(text, size);
  std::free(text);
  return copy;
}

TEST(Report, Text) {
  const std::string text = TextReport(Sample());
  EXPECT_THAT(text, StartsWith("port 8123, a \"file\", view server, 0.000 s\n"));
  EXPECT_THAT(text, HasSubstr("requests      50, of which 0 in batches; answered 50 (100.000 %)"));
  EXPECT_THAT(text, HasSubstr("  residence     p50 "));
  EXPECT_THAT(text, Not(HasSubstr("note:")));
}

TEST(Report, JsonAndCsvSayTheSame) {
  const Reported reported = Sample();
  const nlohmann::json json = nlohmann::json::parse(Printed(WriteJson, reported));
  EXPECT_EQ(json.at("from"), "a \"file\"");
  EXPECT_EQ(json.at("view"), "server");
  EXPECT_EQ(json.at("counters").at("requests"), 50);
  EXPECT_EQ(json.at("match_rate"), 1.0);
  ASSERT_EQ(json.at("records").size(), 50u);
  std::string csv = Printed(WriteCsv, reported);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 51);
  const std::string names = csv.substr(0, csv.find('\n'));
  EXPECT_EQ(names,
            "connection_id,sequence,request_first,request_last,response_first,response_last,"
            "before_last,request_last_again,response_last_again,service_ns,inside,flags");
  const WireRecord& first = reported.observation.records[0];
  EXPECT_EQ(json.at("records")[0].at("request_last"), first.request_last.ns());
  EXPECT_THAT(csv, HasSubstr("\n4711,10," + std::to_string(first.request_first.ns()) + "," +
                             std::to_string(first.request_last.ns()) + ","));
}

TEST(Report, SaysWhyNumbersMayBeWrong) {
  EXPECT_THAT(Doubts(Sample()), IsEmpty());
  Reported bad = Sample();
  WireCounters& c = bad.observation.counters;
  c.ring_drops = 7;
  c.unmatched_answers = 3;
  c.answered = 40;
  bad.observation.clock_step = Millis(2);
  const auto doubts = Doubts(bad);
  EXPECT_EQ(doubts.size(), 4u);
  EXPECT_THAT(doubts, Contains(HasSubstr("7 packets were dropped")));
  EXPECT_THAT(doubts, Contains(HasSubstr("only 80.00 % of the requests have an answer")));
  EXPECT_THAT(doubts, Contains(HasSubstr("clock")));
}

TEST(Report, SaysWhenThereWasNothingToSee) {
  Reported none = {.port = kPort};
  EXPECT_THAT(Doubts(none), Contains(HasSubstr("no packet of TCP port 8123")));
  none.other_way = 12;
  EXPECT_THAT(Doubts(none), Contains(HasSubstr("is it the other --view?")));
  none.observation.counters.packets = 5;
  EXPECT_THAT(Doubts(none), Contains(HasSubstr("no Kinetic request in the clear")));
}

}  // namespace
}  // namespace kbench::observer
