// Two campaigns against each other, with differences planted: the same gives no difference, ten
// percent is found, and what the runs cannot settle is called inconclusive.
#include "analysis/report/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "analysis/evidence/statistics.h"
#include "base/random.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct Planted {
  double latency = 1;     // factor on every response time
  double tail = 1;        // factor on the slowest 2 %
  double throughput = 1;  // factor on answers per second
  double noise = 0.005;   // half width of each repetition's own factor
  int repetitions = 6;
  uint64_t seed = 1;
  std::vector<std::string> transports = {"epoll", "uring"};
};

CampaignEvidence CampaignWith(const Planted& planted) {
  auto random = std::make_shared<Random>(planted.seed);
  const auto own_factor = [=] { return 1 + planted.noise * (2 * random->Uniform() - 1); };
  return MakeCampaign(
      planted.transports, planted.repetitions, [=](const CellInfo& cell, int) mutable {
        const double speed = (1 + cell.index) * planted.latency * own_factor();
        std::vector<int64_t> responses;
        for (int i = 0; i < 1000; ++i) {
          const double tail = i < 980 ? 1 : planted.tail;
          responses.push_back(std::llround((100'000 + 100 * i) * speed * tail));
        }
        const double seconds = 1e9 / planted.throughput / own_factor();
        return MakeAgent(
            {.requests = {}, .unsampled = responses, .measured_ns = std::llround(seconds)});
      });
}

Comparison CompareWith(const Planted& base, const Planted& candidate) {
  return Compare(CampaignWith(base), CampaignWith(candidate));
}

TEST(Compare, TheSameTwiceIsNoDifferenceAndSettled) {
  const Comparison c = CompareWith({.seed = 1}, {.seed = 2});
  EXPECT_FALSE(c.significant_regression) << c.text;
  EXPECT_FALSE(c.inconclusive) << c.text;
  EXPECT_THAT(c.text, HasSubstr("no regression beyond the margin"));
  EXPECT_THAT(c.text, HasSubstr("equivalent within 5 %"));
  EXPECT_THAT(c.text, HasSubstr("Config does not differ."));
}

TEST(Compare, FindsTenPercentMoreLatencyInEveryCell) {
  const Comparison c = CompareWith({.seed = 1}, {.latency = 1.10, .seed = 2});
  EXPECT_TRUE(c.significant_regression);
  EXPECT_FALSE(c.inconclusive);
  const json report = json::parse(c.json);
  EXPECT_EQ(report["conclusion"], "significant regression");
  int regressions = 0;
  for (const json& one : report["comparisons"]) {
    if (one["metric"] != "response_p50_ns") continue;
    EXPECT_TRUE(one["regression"]) << one;
    EXPECT_NEAR(one["ratio"], 1.10, 0.012);  // a bucket's width and the noise
    EXPECT_LT(one["low_90"], one["ratio"]);
    EXPECT_GT(one["high_90"], one["ratio"]);
    ++regressions;
  }
  EXPECT_EQ(regressions, 2);
}

TEST(Compare, TenPercentLessLatencyIsADifferenceAndNoRegression) {
  const Comparison c = CompareWith({.seed = 1}, {.latency = 0.90, .seed = 2});
  EXPECT_FALSE(c.significant_regression);
  EXPECT_FALSE(c.inconclusive);
  EXPECT_THAT(c.text, Not(HasSubstr("REGRESSION")));
  EXPECT_THAT(c.text, HasSubstr("different"));
}

TEST(Compare, LessThroughputIsARegressionAndMoreIsNot) {
  EXPECT_TRUE(CompareWith({.seed = 1}, {.throughput = 0.88, .seed = 2}).significant_regression);
  EXPECT_FALSE(CompareWith({.seed = 1}, {.throughput = 1.12, .seed = 2}).significant_regression);
}

TEST(Compare, ASlowerTailAloneIsARegression) {
  const Comparison c = CompareWith({.seed = 1}, {.tail = 1.5, .seed = 2});
  EXPECT_TRUE(c.significant_regression) << c.text;
  const json report = json::parse(c.json);
  for (const json& one : report["comparisons"]) {
    EXPECT_EQ(one["regression"], one["metric"] == "response_p99_ns") << one;
  }
}

TEST(Compare, TwoPercentIsSmallAndNoRegression) {
  const Comparison c =
      CompareWith({.noise = 0.002, .seed = 1}, {.latency = 1.025, .noise = 0.002, .seed = 2});
  EXPECT_FALSE(c.significant_regression);
  EXPECT_FALSE(c.inconclusive) << c.text;
  EXPECT_THAT(c.text, HasSubstr("different but small"));
}

TEST(Compare, TooFewRepetitionsAreInconclusiveHoweverLargeTheDifference) {
  const Comparison c =
      CompareWith({.repetitions = 2, .seed = 1}, {.latency = 2, .repetitions = 2, .seed = 2});
  EXPECT_FALSE(c.significant_regression);
  EXPECT_TRUE(c.inconclusive);
  EXPECT_THAT(c.text, HasSubstr("2 repetitions: not enough for a verdict"));
}

TEST(Compare, NoiseThatHidesADifferenceIsInconclusiveAndSaysWhatWouldBeNeeded) {
  const Comparison c = CompareWith({.noise = 0.30, .seed = 1}, {.noise = 0.30, .seed = 2});
  EXPECT_FALSE(c.significant_regression);
  EXPECT_TRUE(c.inconclusive);
  EXPECT_THAT(c.text, HasSubstr("repetitions needed"));
}

TEST(Compare, RaisesFewFalseAlarmsOverManyIdenticalPairs) {
  constexpr int kPairs = 60;
  int alarms = 0;
  for (int i = 0; i < kPairs; ++i) {
    const Planted a = {
        .noise = 0.08, .repetitions = 4, .seed = 100u + 2 * i, .transports = {"epoll"}};
    Planted b = a;
    b.seed = 101u + 2 * i;
    alarms += CompareWith(a, b).significant_regression;
  }
  // One-sided 5 % at the most for a pair, by Holm: 3 of 60; four deviations above are 9.75.
  EXPECT_LE(alarms, 9);
}

TEST(Compare, CellsThatOnlyOneCampaignHasAreNamedNotCompared) {
  const Comparison c = CompareWith({.transports = {"epoll", "socket"}},
                                   {.seed = 2, .transports = {"epoll", "uring"}});
  const json report = json::parse(c.json);
  EXPECT_EQ(report["comparisons"].size(), 3u);  // p50, p99 and ops/s of epoll
  EXPECT_EQ(report["only_in_base"], json::array({"get transport=socket"}));
  EXPECT_EQ(report["only_in_candidate"], json::array({"get transport=uring"}));
  EXPECT_THAT(c.text, HasSubstr("only in base: get transport=socket"));
  EXPECT_TRUE(c.inconclusive) << "what the candidate did not measure may be slower";
}

TEST(Compare, MoreFailuresAreARegressionHoweverFastTheAnswersAre) {
  const CampaignEvidence base = CampaignWith({.seed = 1});
  CampaignEvidence candidate = CampaignWith({.seed = 2});
  for (RunEvidence& run : candidate.runs) {
    for (result::RunResult& agent : run.agents) {
      result::Counts* counts = agent.mutable_ops(0)->mutable_counts();
      const uint64_t failed = counts->sent() / 50;
      for (result::Counts* of : {counts, agent.mutable_counts()}) {
        of->set_failed(failed);
        of->set_sent(of->sent() + failed);
        of->set_due(of->due() + failed);
      }
    }
  }
  const Comparison c = Compare(base, candidate);
  EXPECT_TRUE(c.significant_regression);
  EXPECT_THAT(c.text, HasSubstr("of requests got no good answer"));
  EXPECT_EQ(json::parse(c.json)["more_failures"].size(), 2u);
}

TEST(Compare, DesignsWithoutACommonCellAreNotCompared) {
  const Comparison c =
      CompareWith({.transports = {"epoll"}}, {.latency = 2, .seed = 2, .transports = {"uring"}});
  EXPECT_TRUE(c.inconclusive);
  EXPECT_FALSE(c.significant_regression);
  EXPECT_THAT(c.text, HasSubstr("No cell is in both: nothing could be compared."));
}

TEST(Compare, CellsMatchByTheirLevelsNotByTheirNumberOrOrder) {
  CampaignEvidence base = CampaignWith({.seed = 1});
  CampaignEvidence candidate = CampaignWith({.seed = 2});
  std::swap(candidate.cells[0].index, candidate.cells[1].index);
  for (RunEvidence& run : candidate.runs) run.cell = 1 - run.cell;
  EXPECT_FALSE(Compare(base, candidate).significant_regression);
  for (CellInfo& cell : candidate.cells) cell.levels.push_back({"value_size", "4KiB"});
  for (CellInfo& cell : base.cells) {
    cell.levels.insert(cell.levels.begin(), {"value_size", "4KiB"});
  }
  EXPECT_FALSE(Compare(base, candidate).inconclusive);
}

TEST(Compare, SaysEveryDifferenceInHowTheTwoWereRunBeforeAnyNumber) {
  const CampaignEvidence base = CampaignWith({.seed = 1});
  CampaignEvidence candidate = CampaignWith({.seed = 2});
  candidate.constants["value_size"] = "64KiB";
  candidate.seed = 99;
  candidate.runs.back().agents[0].mutable_host()->set_kernel("6.5.0");
  const Comparison c = Compare(base, candidate);
  EXPECT_THAT(c.text, HasSubstr("value_size: 4KiB -> 64KiB"));
  EXPECT_THAT(c.text, HasSubstr("seed: 1 -> 99"));
  EXPECT_THAT(c.text, HasSubstr("kernel: 6.1.0 -> 6.1.0; 6.5.0"));  // an upgrade half-way
  EXPECT_LT(c.text.find("64KiB"), c.text.find("p50 us"));
  EXPECT_EQ(json::parse(c.json)["config_differences"].size(), 3u);
}

TEST(Compare, CaveatsOfEitherSideComeBeforeTheNumbers) {
  const CampaignEvidence base = CampaignWith({.seed = 1});
  CampaignEvidence candidate = CampaignWith({.seed = 2});
  result::Caveat* caveat = candidate.runs[0].agents[0].add_caveats();
  caveat->set_code("client_saturated");
  caveat->set_text("the busiest worker used 97 % of a core");
  const std::string text = Compare(base, candidate).text;
  EXPECT_THAT(text, HasSubstr("candidate, client_saturated: in 1 of 12 runs"));
  EXPECT_LT(text.find("client_saturated"), text.find("p50 us"));
}

}  // namespace
}  // namespace kbench::analysis
