#include "controller/fleet/path_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "analysis/verdict/server_path.h"

namespace kbench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<result::NetworkBaseline> Two() {
  std::vector<result::NetworkBaseline> paths(2);
  paths[0].set_from("a:1");
  paths[0].set_to("b:2");
  paths[0].set_kind(result::NetworkBaseline::AGENT);
  paths[0].set_echoes(2000);
  paths[0].set_echo_floor_ns(21'000);
  paths[0].set_echo_p50_ns(32'000);
  paths[0].set_echo_p99_ns(98'000);
  paths[0].set_min_rtt_ns(11'000);
  paths[0].set_connect_ns(150'000);
  paths[0].set_sent_bytes_per_s(125e6);  // 1 Gbit/s
  paths[0].set_received_bytes_per_s(2.5e9);
  paths[1].set_from("a:1");
  paths[1].set_to("drive:8123");
  paths[1].set_kind(result::NetworkBaseline::SERVER);
  paths[1].set_reason("nobody\x1b[2J answers");
  return paths;
}

TEST(PathTable, SerialisationIsBytesOverRate) {
  EXPECT_EQ(analysis::SerialisationNs(1e6, 1e9), 1e6);
  EXPECT_EQ(analysis::SerialisationNs(1e6, 0), 0) << "not measured, not infinite";
}

TEST(PathTable, ShowsTimesRatesAndWhatIsMissing) {
  const std::string text = PathsText(Two(), 160);
  for (const char* part : {"21.0 us", "32.0 us", "98.0 us", "11.0 us", "150 us", "125.0 MB/s",
                           "2.50 GB/s", "32.8 us", "524 us", "8.39 ms", "echo", "noop"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, HasSubstr("! a:1 to drive:8123: nobody?[2J answers")) << "and no escape";
  EXPECT_THAT(text, Not(HasSubstr("0 ns")));
}

TEST(PathTable, JsonHasUnitsAndNulls) {
  const nlohmann::json json = nlohmann::json::parse(PathsJson(Two()));
  const nlohmann::json& path = json.at("paths").at(0);
  EXPECT_EQ(path.at("by"), "echo");
  EXPECT_EQ(path.at("echoes"), 2000);
  EXPECT_EQ(path.at("echo_floor_ns"), 21'000);
  EXPECT_EQ(path.at("sent_bytes_per_s"), 125e6);
  EXPECT_EQ(path.at("serialisation_out_ns").at("64KiB"), 524'288);
  EXPECT_EQ(path.at("serialisation_in_ns").at("4KiB"), 4096 / 2.5);
  const nlohmann::json& none = json.at("paths").at(1);
  EXPECT_EQ(none.at("by"), "noop");
  for (const char* key : {"echo_floor_ns", "min_rtt_ns", "sent_bytes_per_s"}) {
    EXPECT_TRUE(none.at(key).is_null()) << key;
  }
  EXPECT_TRUE(none.at("serialisation_out_ns").at("1MiB").is_null());
  EXPECT_THAT(none.at("reason").get<std::string>(), HasSubstr("nobody"));
}

}  // namespace
}  // namespace kbench
