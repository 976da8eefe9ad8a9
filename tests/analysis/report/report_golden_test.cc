// The reports of one small campaign, letter for letter. KBENCH_UPDATE_GOLDEN=1 rewrites the files,
// to be reviewed as a diff.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "analysis/report/report.h"
#include "analysis/report/run_files.h"
#include "tests/analysis/small_campaign.h"

namespace kbench::analysis {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

void ExpectGolden(const std::string& actual, const std::string& file) {
  const std::string path = std::string(KBENCH_SOURCE_DIR) + "/tests/analysis/report/golden/" + file;
  if (std::getenv("KBENCH_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(in) << "no golden file " << path << "; KBENCH_UPDATE_GOLDEN=1 writes it";
  std::stringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(actual, expected.str()) << file;
}

TEST(Golden, Text) { ExpectGolden(TextReport(SmallCampaign(), {}), "report.txt"); }
TEST(Golden, Csv) { ExpectGolden(CsvReport(SmallCampaign()), "report.csv"); }
TEST(Golden, Markdown) { ExpectGolden(MarkdownReport(SmallCampaign()), "report.md"); }
TEST(Golden, Json) { ExpectGolden(SummaryJson(SmallCampaign()), "summary.json"); }
TEST(Golden, Decomposition) {
  ExpectGolden(DecompositionJson(SmallCampaign().runs[1]), "decomposition.json");
}

TEST(Report, IsAFunctionOfTheEvidence) {
  EXPECT_EQ(HtmlReport(SmallCampaign()), HtmlReport(SmallCampaign()));
  EXPECT_EQ(TextReport(SmallCampaign(), {}), TextReport(SmallCampaign(), {}));
}

TEST(TextReport, SaysCaveatsBeforeAnyNumberAndKeepsToItsWidth) {
  for (int width : {100, 132}) {
    const std::string text = TextReport(SmallCampaign(), {.width = width});
    EXPECT_LT(text.find("Caveats ("), text.find("ops/s"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      EXPECT_LE(line.size(), static_cast<size_t>(width)) << line;
    }
  }
}

TEST(TextReport, ColoursAddEscapesAndNothingElse) {
  std::string colored = TextReport(SmallCampaign(), {.color = true});
  EXPECT_THAT(colored, HasSubstr("\x1b["));
  for (size_t at; (at = colored.find("\x1b[")) != std::string::npos;) {
    colored.erase(at, colored.find('m', at) - at + 1);
  }
  EXPECT_EQ(colored, TextReport(SmallCampaign(), {}));
}

TEST(TextReport, WithoutACompleteRunShowsNoNumbers) {
  CampaignEvidence campaign = SmallCampaign();
  for (RunEvidence& run : campaign.runs) run.status = RunStatus::kAborted;
  const std::string text = TextReport(campaign, {});
  EXPECT_THAT(text, HasSubstr("No complete run: nothing to show."));
  EXPECT_THAT(text, HasSubstr("runs_left_out: in 8 of 8 runs"));
  EXPECT_THAT(text, Not(HasSubstr("ops/s")));
}

TEST(TextReport, CannotBeMadeToSteerTheTerminal) {
  CampaignEvidence campaign = SmallCampaign();
  campaign.name = "quiet\x1b]0;title\x07\r\n";
  campaign.cells[0].levels[0].value = "epoll\x1b[2J";
  campaign.caveats.emplace_back();
  campaign.caveats.back().set_code("odd\x1b[1m");
  campaign.caveats.back().set_text("it said \x1b[31m");
  const std::string text = TextReport(campaign, {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\x07")));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
}

// Fields of one line of RFC 4180.
std::vector<std::string> CsvFields(absl::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

// A map of protobuf has another order in every process.
TEST(RunFiles, NameFactsInOneOrder) {
  RunEvidence run = SmallCampaign().runs[0];
  auto* facts = run.agents[0].mutable_transport()->mutable_facts();
  auto* sysctls = run.agents[0].mutable_host()->mutable_sysctls();
  for (const char* name : {"w", "c", "q", "a", "x", "m", "b", "z", "k", "d"}) {
    (*facts)[name] = (*sysctls)[name] = "1";
  }
  const auto summary = nlohmann::ordered_json::parse(RunSummaryJson(run));
  const auto& agent = summary.at("agents").at(0);
  for (const auto& object : {agent.at("transport_facts"), agent.at("host").at("sysctls")}) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    EXPECT_GE(names.size(), 10u);
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  }
}

TEST(CsvReport, HasOneRowPerRunAndOpWithEveryFieldInItsPlace) {
  CampaignEvidence campaign = SmallCampaign();
  campaign.cells[0].levels[0].value = "e,poll";
  campaign.cells[1].levels[0].value = "u\"ring";
  const std::string csv = CsvReport(campaign);
  std::vector<std::string> lines = absl::StrSplit(csv, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 9u);
  const std::vector<std::string> header = CsvFields(lines[0]);
  const auto field = [&](const std::string& line, const std::string& name) {
    return CsvFields(line)[std::find(header.begin(), header.end(), name) - header.begin()];
  };
  for (const std::string& line : lines) EXPECT_EQ(CsvFields(line).size(), header.size()) << line;
  EXPECT_EQ(field(lines[1], "transport"), "e,poll");
  EXPECT_EQ(field(lines[2], "transport"), "u\"ring");
  EXPECT_EQ(field(lines[1], "due"), "120");
  EXPECT_EQ(field(lines[1], "failed"), "2");
  EXPECT_EQ(field(lines[1], "server_mean_ns"), "500000.000");
  EXPECT_EQ(field(lines[1], "merged_part"), "");
  EXPECT_EQ(field(lines[2], "merged_part"), "network+client_receive");
  EXPECT_EQ(field(lines[2], "network_mean_ns"), "");  // not zero: not known
  EXPECT_EQ(field(lines[8], "status"), "failed");
  EXPECT_EQ(field(lines[8], "due"), "");
}

TEST(MarkdownReport, KeepsHostileTextOutOfItsTablesAndOutOfHtml) {
  CampaignEvidence campaign = SmallCampaign();
  campaign.name = "<script>alert(1)</script>";
  campaign.cells[0].levels[0].value = "a|b<img>";
  const std::string markdown = MarkdownReport(campaign);
  EXPECT_THAT(markdown, Not(HasSubstr("<script")));
  EXPECT_THAT(markdown, Not(HasSubstr("<img")));
  EXPECT_THAT(markdown, HasSubstr("| a\\|b&lt;img> |"));
}

TEST(SummaryJson, SurvivesBytesThatAreNotText) {
  CampaignEvidence campaign = SmallCampaign();
  campaign.name = "broken \xff \"quoted\" \n";
  const json summary = json::parse(SummaryJson(campaign));
  EXPECT_EQ(summary["name"], "broken \xef\xbf\xbd \"quoted\" \n");
}

TEST(RunFiles, HealthIsSuspectForWhatItNamesAndOkOtherwise) {
  const CampaignEvidence campaign = SmallCampaign();
  const json suspect = json::parse(HealthJson(campaign.runs[0]));
  EXPECT_EQ(suspect["verdict"], "suspect");
  EXPECT_EQ(suspect["suspect_because"], json::array({"client_saturated"}));
  const json ok = json::parse(HealthJson(campaign.runs[1]));
  EXPECT_EQ(ok["verdict"], "ok");
  EXPECT_TRUE(ok["counts_add_up"]);
  EXPECT_DOUBLE_EQ(ok["client_cpu_utilisation"], 0.3);  // 300 ms of one worker's second
}

TEST(RunFiles, IntervalsAreRatesOfTheirOwnLength) {
  RunEvidence run = UniformRun(1);
  result::Interval& interval = *run.agents[0].add_intervals();
  interval.set_start_offset_ns(500'000'000);
  interval.set_length_ns(250'000'000);
  interval.set_completed(100);
  interval.set_due(150);
  EXPECT_THAT(IntervalsCsv(run),
              HasSubstr("\n0,500000000,250000000,100,0,0,0,400.000,150,600.000\n"));
}

}  // namespace
}  // namespace kbench::analysis
