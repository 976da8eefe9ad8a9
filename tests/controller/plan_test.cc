#include "controller/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace kbench {
namespace {

Campaign MakeCampaign(uint64_t seed) {
  const auto campaign = ParseCampaign("c.yaml",
                                      "name: p\n"
                                      "transport: [socket, epoll, uring]\n"
                                      "workload: {value_size: [1KiB, 4KiB], op: [get, put], "
                                      "keys: 10}\n"
                                      "run: {warmup: 1s, duration: 2s, repetitions: 4, seed: " +
                                          std::to_string(seed) + "}\n",
                                      {.local_agents = 2});
  EXPECT_TRUE(campaign.ok()) << campaign.status();
  return *campaign;
}

std::vector<int> Order(const Plan& plan) {
  std::vector<int> order;
  for (const PlannedRun& run : plan.runs) order.push_back(run.cell);
  return order;
}

TEST(Plan, EveryBlockHoldsEachCellOnce) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Campaign campaign = MakeCampaign(seed);
    const Plan plan = MakePlan(campaign, 2);
    ASSERT_EQ(plan.runs.size(), 48u);
    for (int block = 0; block < 4; ++block) {
      std::set<int> cells;
      for (int i = 0; i < 12; ++i) {
        const PlannedRun& run = plan.runs.at(12u * block + i);
        EXPECT_EQ(run.repetition, block);
        EXPECT_EQ(run.ordinal, block * 12 + i);
        cells.insert(run.cell);
      }
      EXPECT_EQ(cells.size(), 12u) << "seed " << seed << " block " << block;
    }
  }
}

TEST(Plan, TheSameSeedGivesTheSamePlanAndAnotherSeedAnother) {
  const Plan a = MakePlan(MakeCampaign(5), 2);
  EXPECT_EQ(Order(a), Order(MakePlan(MakeCampaign(5), 2)));
  EXPECT_NE(Order(a), Order(MakePlan(MakeCampaign(6), 2)));
  EXPECT_EQ(a.runs[0].seed, MakePlan(MakeCampaign(5), 2).runs[0].seed);
}

TEST(Plan, BlocksDifferInOrder) {
  const std::vector<int> order = Order(MakePlan(MakeCampaign(1), 2));
  const std::vector<int> first(order.begin(), order.begin() + 12);
  const std::vector<int> second(order.begin() + 12, order.begin() + 24);
  EXPECT_NE(first, second);
}

// Two cells' order within a block is a fair coin: over n = 2000 seeds x 4 blocks the count of
// "cell 0 before cell 1" has deviation sqrt(n)/2; four of them are allowed.
TEST(Plan, NoCellIsFavoured) {
  int before = 0, n = 0;
  const Campaign base = MakeCampaign(0);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Campaign campaign = base;
    campaign.seed = seed;
    const std::vector<int> order = Order(MakePlan(campaign, 1));
    for (size_t block = 0; block < 4; ++block) {
      const auto begin = order.begin() + static_cast<int64_t>(block) * 12;
      before += std::find(begin, begin + 12, 0) < std::find(begin, begin + 12, 1);
      ++n;
    }
  }
  EXPECT_NEAR(before, n / 2.0, 4 * std::sqrt(n) / 2);
}

TEST(Plan, CellsOfABlockShareTheirWorkAndBlocksDoNot) {
  const Plan plan = MakePlan(MakeCampaign(1), 2);
  std::set<uint64_t> seeds;
  for (const PlannedRun& run : plan.runs) {
    seeds.insert(run.seed);
    EXPECT_EQ(run.seed, plan.runs[static_cast<size_t>(run.repetition) * 12].seed);
  }
  EXPECT_EQ(seeds.size(), 4u);
}

TEST(Plan, AddsUpTimeAndBytes) {
  const Plan plan = MakePlan(MakeCampaign(1), 2);
  EXPECT_EQ(plan.measuring, Seconds(48 * 3));
  // Gets load: 3 transports x 4 repetitions x 10 keys x (1 KiB + 4 KiB) x 2 agents.
  EXPECT_EQ(plan.load_bytes, 3u * 4 * 10 * 5 * 1024 * 2);
}

TEST(Plan, IsDescribedAndResolved) {
  const Campaign campaign = MakeCampaign(1);
  const Plan plan = MakePlan(campaign, 2);
  const std::string text = DescribePlan(campaign, plan, 2);
  EXPECT_THAT(text, ::testing::HasSubstr("12 cells x 4 repetitions = 48 runs on 2 agents"));
  EXPECT_THAT(text, ::testing::HasSubstr("144.0 s"));
  EXPECT_THAT(text, ::testing::HasSubstr("transport=uring,value_size=4KiB,op=put"));
  const nlohmann::json json = nlohmann::json::parse(PlanJson(campaign, plan, 2));
  EXPECT_EQ(json["runs"].size(), 48u);
  EXPECT_EQ(json["cells"][3]["settings"]["run.op_timeout"], "10s");
  EXPECT_EQ(json["cells"][3]["levels"]["op"], "put");
}

}  // namespace
}  // namespace kbench
