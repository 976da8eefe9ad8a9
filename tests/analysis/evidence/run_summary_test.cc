// How agents become a run and runs a cell: counts and histograms add, percentiles are read from the
// sum, and cells take medians over repetitions. Nothing is averaged over percentiles.
#include "analysis/evidence/run_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/report/report_tables.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/verdicts.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kFast = 100'000, kSlow = 10'000'000;

// 900 fast answers on one agent and 100 slow ones on the other.
RunEvidence UnequalAgents() {
  return MakeRun({MakeAgent({.requests = {}, .unsampled = std::vector<int64_t>(900, kFast)}),
                  MakeAgent({.name = "agent-1",
                             .requests = {},
                             .unsampled = std::vector<int64_t>(100, kSlow),
                             .measured_ns = 500'000'000})});
}

TEST(RunSummary, ReadsPercentilesFromTheMergedHistogramAndAveragesNone) {
  const RunSummary summary = Summarize(UnequalAgents());
  ASSERT_EQ(summary.ops.size(), 1u);
  const Histogram& response = summary.ops[0].response;
  EXPECT_EQ(response.count(), 1000u);
  // Averages of the agents' percentiles would be 5.05 ms, all three.
  EXPECT_NEAR(response.Percentile(50).count(), kFast, kFast / 128.0);
  EXPECT_NEAR(response.Percentile(90).count(), kFast,
              kFast / 128.0);  // rank 900 is the last fast one
  EXPECT_NEAR(response.Percentile(90.1).count(), kSlow, kSlow / 128.0);
  EXPECT_DOUBLE_EQ(response.mean_ns(), (900.0 * kFast + 100.0 * kSlow) / 1000);
}

TEST(RunSummary, AddsCountsBytesAndRatesOverAgents) {
  const RunSummary summary = Summarize(UnequalAgents());
  EXPECT_EQ(summary.all.counts.answered, 1000u);
  EXPECT_TRUE(summary.all.counts.AddUp());
  EXPECT_EQ(summary.ops[0].request_bytes, 100'000u);
  EXPECT_EQ(summary.ops[0].statuses.at("SUCCESS"), 1000u);
  // 900 in one second and 100 in half a second, each in its own window.
  EXPECT_DOUBLE_EQ(summary.ops[0].answered_per_s, 900 + 200);
  EXPECT_EQ(summary.measured_ns, 1'000'000'000);
  EXPECT_EQ(summary.workers, 2u);
  EXPECT_EQ(summary.usage.system_ns(), 2 * 200'000'000);
  EXPECT_THAT(summary.caveats, IsEmpty());
}

TEST(RunSummary, ALostRequestIsInTheHeadlineAtTheTimeUntilItWasGivenUp) {
  RunEvidence run = UniformRun(98);
  result::RunResult& agent = run.agents[0];
  result::OpResult& op = *agent.mutable_ops(0);
  op.set_lost_ns(EncodedHistogram({10'000'000'000, 10'000'000'000}));
  op.mutable_counts()->set_lost(2);
  op.mutable_counts()->set_sent(100);
  op.mutable_counts()->set_due(100);
  *agent.mutable_counts() = op.counts();
  const RunSummary summary = Summarize(run);
  EXPECT_THAT(summary.caveats, IsEmpty());
  for (const OpSummary* s : {&summary.ops[0], &summary.all}) {
    EXPECT_EQ(s->response.count(), 100u);
    EXPECT_GE(s->response.Percentile(99).seconds(), 9.9);
    EXPECT_EQ(s->answered.count(), 98u);
    EXPECT_EQ(s->lost.count(), 2u);
  }
  EXPECT_DOUBLE_EQ(Decompose(run, summary, "get").residual_ns, 0) << "parts are of the answered";
}

TEST(RunSummary, AFailedRequestIsNotInTheHeadline) {
  RunEvidence run = UniformRun(10);
  run.agents[0].mutable_ops(0)->set_failed_ns(EncodedHistogram({1, 2, 3}));
  const RunSummary summary = Summarize(run);
  EXPECT_EQ(summary.all.response.count(), 10u);
  EXPECT_EQ(summary.all.failed.count(), 3u);
}

TEST(RunSummary, AnswersOfTheDrainAreNoThroughput) {
  RunEvidence run = UniformRun(100);
  run.agents[0].mutable_ops(0)->set_answered_in_window(60);
  run.agents[0].mutable_ops(0)->set_response_bytes_in_window(6'000);
  const RunSummary summary = Summarize(run);
  EXPECT_DOUBLE_EQ(summary.all.answered_per_s, 60);
  EXPECT_DOUBLE_EQ(summary.all.response_bytes_per_s, 6'000);
  EXPECT_EQ(summary.all.counts.answered, 100u);
}

TEST(RunSummary, OverflowIsCountedAndStaysInTheTail) {
  RunEvidence run = UnequalAgents();
  run.agents[1].mutable_ops(0)->set_response_ns(
      EncodedHistogram(std::vector<int64_t>(100, int64_t{1} << 41)));
  const RunSummary summary = Summarize(run);
  const Histogram& response = summary.ops[0].response;
  EXPECT_EQ(response.overflow(), 100u);
  EXPECT_EQ(response.count(), 1000u);
  EXPECT_EQ(response.Percentile(95).count(), int64_t{1} << 41);
}

TEST(RunSummary, ABrokenHistogramIsSaidAndTheOthersStillCount) {
  RunEvidence run = UnequalAgents();
  run.agents[1].mutable_ops(0)->set_response_ns("\x07not a histogram");
  const RunSummary summary = Summarize(run);
  EXPECT_EQ(summary.ops[0].response.count(), 900u);
  ASSERT_EQ(summary.caveats.size(), 1u);
  EXPECT_EQ(summary.caveats[0].code(), "histogram_unreadable");
  EXPECT_THAT(summary.caveats[0].text(), HasSubstr("agent agent-1, get, response"));
}

TEST(RunSummary, CountsThatDoNotAddUpAreNamedWithTheirAgent) {
  for (int broken = 0; broken < 4; ++broken) {
    RunEvidence run = UnequalAgents();
    result::RunResult& agent = run.agents[0];
    if (broken == 0) agent.mutable_counts()->set_unsent(1);  // due != sent + unsent
    if (broken == 1) agent.mutable_ops(0)->mutable_counts()->set_lost(1);
    if (broken == 2) {  // each adds up, but not to each other
      agent.mutable_counts()->set_due(901), agent.mutable_counts()->set_sent(901);
      agent.mutable_counts()->set_lost(1);
    }
    if (broken == 3) {  // the agent and its ops agree, and are both wrong
      agent.mutable_counts()->set_unsent(1);
      agent.mutable_ops(0)->mutable_counts()->set_unsent(1);
    }
    const RunSummary summary = Summarize(run);
    ASSERT_TRUE(HasCode(summary.caveats, "counts_do_not_add_up")) << broken;
    EXPECT_THAT(summary.caveats[0].text(), HasSubstr("agent-0")) << broken;
  }
}

TEST(RunSummary, SumsOpsIntoAll) {
  result::RunResult agent = MakeAgent({.requests = std::vector<Request>(10)});
  *agent.add_ops() = MakeAgent({.op = "put", .requests = std::vector<Request>(30)}).ops(0);
  agent.mutable_counts()->set_due(40);
  agent.mutable_counts()->set_sent(40);
  agent.mutable_counts()->set_answered(40);
  const RunSummary summary = Summarize(MakeRun({agent}));
  ASSERT_EQ(summary.ops.size(), 2u);
  EXPECT_EQ(summary.ops[1].op, "put");
  EXPECT_EQ(summary.all.response.count(), 40u);
  EXPECT_DOUBLE_EQ(summary.all.answered_per_s, 40);
  EXPECT_THAT(summary.caveats, IsEmpty());
}

CampaignEvidence ThreeRepetitions() {
  return MakeCampaign({"epoll"}, 3, [](const CellInfo&, int repetition) {
    const int64_t response = std::vector<int64_t>{100'000, 110'000, 900'000}[repetition];
    return MakeAgent({.requests = {}, .unsampled = std::vector<int64_t>(1000, response)});
  });
}

TEST(Cell, TakesTheMedianOverRepetitionsNotTheMean) {
  const CampaignEvidence campaign = ThreeRepetitions();
  const CampaignAnalysis analysis = Analyse(campaign);
  ASSERT_EQ(analysis.rows.size(), 1u);
  const CellOp& row = analysis.rows[0];
  EXPECT_NEAR(row.p99_ns.value, 110'000, 110'000 / 128.0);
  EXPECT_NEAR(row.mean_ns.value, 110'000, 1e-6);
  EXPECT_EQ(row.counts.answered, 3000u);
  EXPECT_EQ(row.repetitions, (std::vector<int>{0, 1, 2}));
  // As far as a thousand requests carry: one beyond p99.9, none beyond p99.95.
  EXPECT_EQ(row.curve.back().percentile, 99.9);
}

TEST(Cell, ShowsNoPercentileThatARepetitionHasTooFewRequestsFor) {
  const CampaignEvidence campaign = MakeCampaign({"epoll"}, 3, [](const CellInfo&, int repetition) {
    return MakeAgent({.requests = std::vector<Request>(repetition == 1 ? 99 : 1000)});
  });
  const CampaignAnalysis analysis = Analyse(campaign);
  const CellOp& row = analysis.rows[0];
  EXPECT_EQ(row.p50_ns.n(), 3);
  EXPECT_EQ(row.p99_ns.n(), 0);
  EXPECT_EQ(row.p999_ns.n(), 0);
  EXPECT_EQ(row.curve.back().percentile, 98);
  const Table table = LatencyTable(analysis, "get");
  const auto column = [&](const std::string& name) {
    return std::find(table.header.begin(), table.header.end(), name) - table.header.begin();
  };
  EXPECT_NE(table.rows[0][column("p50 us")], "-");
  EXPECT_EQ(table.rows[0][column("p99 us")], "-");
  EXPECT_EQ(table.rows[0][column("p99.9 us")], "-");
  EXPECT_EQ(table.rows[0][column("n")], "3");
}

TEST(Cell, WithoutAnyAnswerHasCountsAndNoTimes) {
  const CampaignEvidence campaign = MakeCampaign({"epoll", "uring"}, 3, [](const CellInfo&, int) {
    Request refused;
    refused.answered = false;
    return MakeAgent({.requests = std::vector<Request>(10, refused)});
  });
  const CampaignAnalysis analysis = Analyse(campaign);
  const CellOp& row = analysis.rows[0];
  EXPECT_EQ(row.counts.failed, 30u);
  EXPECT_EQ(row.mean_ns.n() + row.p50_ns.n() + row.p99_ns.n(), 0);
  EXPECT_EQ(CompareTransports(analysis)[0].p50.n, 0);
  EXPECT_EQ(CompareTransports(analysis)[0].verdict.verdict, Verdict::kInconclusive);
}

TEST(Cell, RunsOfFewerAgentsAreInNoStatistic) {
  CampaignEvidence campaign = ThreeRepetitions();
  campaign.runs[1].status = RunStatus::kDegraded;
  campaign.runs[1].status_text = "without b:7100";
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_EQ(analysis.runs_left_out, 1);
  EXPECT_THAT(analysis.rows[0].repetitions, ElementsAre(0, 2));
  EXPECT_THAT(analysis.runs[1].left_out, HasSubstr("degraded: without b:7100"));
}

TEST(Cell, LeavesOutRunsThatAreNotCompleteAndSaysWhichAndWhy) {
  CampaignEvidence campaign = ThreeRepetitions();
  campaign.runs[2].status = RunStatus::kFailed;
  campaign.runs[2].status_text = "agent b went away";
  campaign.runs[1].agents[0].set_aborted(true);
  campaign.runs[1].agents[0].set_abort_reason("the server closed every flow");
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_EQ(analysis.runs_left_out, 2);
  EXPECT_THAT(analysis.rows[0].repetitions, ElementsAre(0));
  EXPECT_EQ(analysis.rows[0].counts.answered, 1000u);
  EXPECT_FALSE(analysis.rows[0].p50_ns.interval.has_value());
  EXPECT_THAT(analysis.runs[2].left_out, HasSubstr("agent b went away"));
  EXPECT_THAT(analysis.runs[1].left_out, HasSubstr("the server closed every flow"));
  const std::vector<std::string> lines = LeftOut(analysis);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], HasSubstr("run-2 (transport=epoll, repetition 3) failed: agent b went"));
  EXPECT_THAT(CountsLine(analysis), HasSubstr("of the 1 complete runs: due 1000"));
}

TEST(Cell, CutsAllItsRepetitionsAlikeSoThatPartsOfOneNameMeanTheSame) {
  const CampaignEvidence campaign = MakeCampaign({"epoll"}, 3, [](const CellInfo&, int repetition) {
    Request request;
    request.send_stamp = repetition != 1;
    return MakeAgent({.requests = std::vector<Request>(100, request)});
  });
  const CampaignAnalysis analysis = Analyse(campaign);
  for (const Decomposition& d : analysis.rows[0].decompositions) {
    EXPECT_EQ(d.boundaries, Boundaries{.send = false});
  }
  EXPECT_EQ(analysis.rows[0].parts[3].name, "client_send+network");
  EXPECT_DOUBLE_EQ(analysis.rows[0].parts[3].mean_ns.value, 43'000);
  EXPECT_EQ(analysis.rows[0].parts[3].mean_ns.n(), 3);
}

}  // namespace
}  // namespace kbench::analysis
