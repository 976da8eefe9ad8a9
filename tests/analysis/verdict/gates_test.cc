// Gates against cells whose numbers are known: what holds, what does not, and what nobody can say.
#include "analysis/verdict/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "analysis/report/report.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::HasSubstr;

Gate P99(double bound_ns, const std::string& op = "get") {
  return {.text = "p99",
          .what = Gate::What::kPercentile,
          .percentile = 99,
          .op = op,
          .bound = bound_ns};
}

// One cell; every request of repetition i takes response[i].
CampaignEvidence Cell(const std::vector<int64_t>& response, int requests = 200) {
  CampaignEvidence campaign = MakeCampaign(
      {"epoll"}, static_cast<int>(response.size()), [&](const CellInfo&, int repetition) {
        return MakeAgent({.requests = {},
                          .unsampled = std::vector<int64_t>(static_cast<size_t>(requests),
                                                            response[repetition])});
      });
  campaign.constants["mode"] = "open";
  return campaign;
}

GateResult Judged(CampaignEvidence* campaign, const Gate& gate) {
  campaign->gates = {gate};
  const CampaignAnalysis analysis = Analyse(*campaign);
  const std::vector<GateResult> results = JudgeGates(analysis);
  EXPECT_EQ(results.size(), 1u);
  return results.empty() ? GateResult{} : results.front();
}

void SetCounts(CampaignEvidence* campaign, uint64_t due, uint64_t unsent, uint64_t failed) {
  for (RunEvidence& run : campaign->runs) {
    for (result::RunResult& agent : run.agents) {
      result::OpResult& op = *agent.mutable_ops(0);
      result::Counts& counts = *op.mutable_counts();
      counts.set_due(due);
      counts.set_unsent(unsent);
      counts.set_sent(due - unsent);
      counts.set_failed(failed);
      counts.set_answered(due - unsent - failed);
      op.set_answered_in_window(due - unsent - failed);
      *agent.mutable_counts() = counts;
    }
  }
}

TEST(Gates, TheWholeIntervalDecides) {
  CampaignEvidence campaign = Cell({1'000'000, 1'100'000, 1'200'000});
  EXPECT_EQ(Judged(&campaign, P99(2e6)).verdict, GateVerdict::kPassed);
  EXPECT_EQ(Judged(&campaign, P99(0.9e6)).verdict, GateVerdict::kFailed);
  const GateResult across = Judged(&campaign, P99(1.15e6));
  EXPECT_EQ(across.verdict, GateVerdict::kInconclusive);
  EXPECT_THAT(across.reason, HasSubstr("3 repetitions"));
  EXPECT_NEAR(across.value.value, 1.1e6, 1.1e6 / 100);
}

TEST(Gates, BelowThreeRepetitionsTheExtremesDecide) {
  CampaignEvidence two = Cell({1'000'000, 3'000'000});
  EXPECT_EQ(Judged(&two, P99(4e6)).verdict, GateVerdict::kPassed);
  EXPECT_EQ(Judged(&two, P99(2e6)).verdict, GateVerdict::kInconclusive);
  EXPECT_EQ(Judged(&two, P99(0.5e6)).verdict, GateVerdict::kFailed);
  CampaignEvidence one = Cell({1'000'000});
  EXPECT_EQ(Judged(&one, P99(2e6)).verdict, GateVerdict::kPassed);
}

TEST(Gates, TheOtherDirectionAndTheBoundItself) {
  CampaignEvidence campaign = Cell({1'000'000, 1'000'000, 1'000'000});
  Gate gate = P99(2e6);
  gate.below = false;
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kFailed);
  gate = {.text = "errors <= 0%", .what = Gate::What::kErrors, .op = "all", .strict = false};
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kPassed);
  gate.strict = true;
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kFailed);
}

TEST(Gates, APercentileThatTooFewRequestsCarryIsNotJudged) {
  CampaignEvidence campaign = Cell({1'000'000, 1'000'000, 1'000'000}, 50);
  const GateResult result = Judged(&campaign, P99(2e6));
  EXPECT_EQ(result.verdict, GateVerdict::kInconclusive);
  EXPECT_THAT(result.reason, HasSubstr("too few requests"));
  EXPECT_EQ(result.ValueText(), "-");
}

TEST(Gates, ErrorsAreOfWhatWasSentAndNeedEnoughRequests) {
  CampaignEvidence campaign = Cell({1'000'000, 1'000'000, 1'000'000});
  const Gate gate = {.text = "errors", .what = Gate::What::kErrors, .op = "all", .bound = 0.02};
  SetCounts(&campaign, 1000, 500, 10);  // 2 % of the 500 sent, and 0.02 is not below 0.02
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kFailed);
  SetCounts(&campaign, 1000, 500, 9);
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kPassed);
  SetCounts(&campaign, 10, 0, 0);  // 30 requests without an error say nothing about 2 %
  const GateResult few = Judged(&campaign, gate);
  EXPECT_EQ(few.verdict, GateVerdict::kInconclusive);
  EXPECT_THAT(few.reason, HasSubstr("it takes 50"));
}

TEST(Gates, AchievedIsGoodAnswersInTheWindowOverRequestsDue) {
  CampaignEvidence campaign = Cell({1'000'000, 1'000'000, 1'000'000});
  Gate gate = {.text = "achieved/offered",
               .what = Gate::What::kAchieved,
               .op = "all",
               .below = false,
               .bound = 0.98};
  SetCounts(&campaign, 1000, 10, 5);
  EXPECT_DOUBLE_EQ(Judged(&campaign, gate).value.value, 0.985);
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kPassed);
  gate.bound = 0.99;
  EXPECT_EQ(Judged(&campaign, gate).verdict, GateVerdict::kFailed);
  const Gate unsent = {.text = "unsent", .what = Gate::What::kUnsent, .op = "all", .bound = 0.011};
  EXPECT_DOUBLE_EQ(Judged(&campaign, unsent).value.value, 0.01);
}

TEST(Gates, HaveNoResultWhereTheyMeanNothing) {
  CampaignEvidence campaign = Cell({1'000'000, 1'000'000, 1'000'000});
  campaign.constants["mode"] = "closed";
  campaign.gates = {{.text = "achieved/offered", .what = Gate::What::kAchieved, .op = "all"},
                    P99(2e6, "put"),
                    P99(2e6, "all")};
  const CampaignAnalysis analysis = Analyse(campaign);
  const std::vector<GateResult> results = JudgeGates(analysis);
  ASSERT_EQ(results.size(), 1u) << "no open loop, no put";
  EXPECT_EQ(results[0].gate->op, "all");
}

TEST(Gates, ACellWithoutACompleteRunIsInconclusive) {
  CampaignEvidence campaign = Cell({1'000'000});
  campaign.runs[0].status = RunStatus::kFailed;
  const GateResult result = Judged(&campaign, P99(2e6, "all"));
  EXPECT_EQ(result.verdict, GateVerdict::kInconclusive);
  EXPECT_EQ(result.reason, "no complete run");
}

TEST(Gates, StandInEveryFormOfTheReport) {
  CampaignEvidence campaign = Cell({1'000'000, 1'100'000, 1'200'000});
  campaign.gates = {P99(2e6), P99(0.9e6), P99(1.15e6)};
  campaign.gates[1].text = "p99(get) < 900us";
  const char* line = "gates: 1 passed, 1 failed, 1 inconclusive";
  for (const std::string& report :
       {TextReport(campaign, {}), MarkdownReport(campaign), HtmlReport(campaign)}) {
    EXPECT_THAT(report, HasSubstr(line));
  }
  EXPECT_THAT(HtmlReport(campaign), HasSubstr("p99(get) &lt; 900us"));
  const nlohmann::json json = nlohmann::json::parse(SummaryJson(campaign)).at("gates");
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[1].at("verdict"), "failed");
  EXPECT_EQ(json[1].at("unit"), "ns");
  EXPECT_EQ(json[1].at("bound"), 0.9e6);
  EXPECT_LE(json[1].at("low"), json[1].at("value"));
  EXPECT_EQ(json[2].at("verdict"), "inconclusive");
  campaign.gates.clear();
  EXPECT_THAT(TextReport(campaign, {}), testing::Not(HasSubstr("gates:")));
}

}  // namespace
}  // namespace kbench::analysis
