#include "controller/campaign/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "controller/campaign/run_spec.h"

namespace kbench {
namespace {

Campaign MakeCampaign(uint64_t seed, const std::string& passes = "[sampled]") {
  const auto campaign =
      ParseCampaign("c.yaml",
                    "name: p\n"
                    "transport: [socket, epoll, uring]\n"
                    "workload: {value_size: [1KiB, 4KiB], op: [get, put], "
                    "keys: 10}\n"
                    "run: {warmup: 1s, duration: 2s, repetitions: 4, seed: " +
                        std::to_string(seed) + "}\nprobes: {passes: " + passes + "}\n",
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

constexpr const char* kAll = "[bare, sampled, full]";

// Three runs in a row are one cell and repetition, each pass once, on the same work.
TEST(Plan, PassesOfACellRunNextToEachOther) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Plan plan = MakePlan(MakeCampaign(seed, kAll), 2);
    ASSERT_EQ(plan.runs.size(), 144u);
    for (size_t i = 0; i < plan.runs.size(); i += 3) {
      std::set<analysis::Pass> passes;
      for (size_t j = i; j < i + 3; ++j) {
        EXPECT_EQ(plan.runs[j].ordinal, static_cast<int>(j));
        EXPECT_EQ(plan.runs[j].cell, plan.runs[i].cell);
        EXPECT_EQ(plan.runs[j].repetition, plan.runs[i].repetition);
        EXPECT_EQ(plan.runs[j].seed, plan.runs[i].seed);
        passes.insert(plan.runs[j].pass);
      }
      EXPECT_EQ(passes.size(), 3u) << "seed " << seed << " run " << i;
    }
  }
}

// Each of the six orders comes as often as any other: of n draws a sixth, deviation sqrt(5 n) / 6;
// five of them are allowed, for six orders are looked at. The same for two neighbouring cells and
// for two neighbouring repetitions of one cell: they agree on their order in a sixth of the cases.
TEST(Plan, NoOrderOfPassesIsFavoured) {
  std::map<std::vector<analysis::Pass>, int> orders;
  int n = 0, pairs = 0, same_as_last = 0, same_as_last_block = 0;
  const Campaign base = MakeCampaign(0, kAll);
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Campaign campaign = base;
    campaign.seed = seed;
    const Plan plan = MakePlan(campaign, 1);
    std::map<int, std::vector<analysis::Pass>> last_block;
    std::vector<analysis::Pass> last;
    for (size_t i = 0; i < plan.runs.size(); i += 3) {
      const std::vector<analysis::Pass> order = {plan.runs[i].pass, plan.runs[i + 1].pass,
                                                 plan.runs[i + 2].pass};
      ++orders[order];
      ++n;
      const int cell = plan.runs[i].cell;
      if (last_block.contains(cell)) {
        ++pairs;
        same_as_last += order == last;
        same_as_last_block += order == last_block[cell];
      }
      last = last_block[cell] = order;
    }
  }
  ASSERT_EQ(orders.size(), 6u);
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, n / 6.0, 5 * std::sqrt(5.0 * n) / 6);
  EXPECT_NEAR(same_as_last, pairs / 6.0, 5 * std::sqrt(5.0 * pairs) / 6);
  EXPECT_NEAR(same_as_last_block, pairs / 6.0, 5 * std::sqrt(5.0 * pairs) / 6);
}

TEST(Plan, PassesDoNotDisturbTheOrderOfCells) {
  std::vector<int> cells;
  for (const PlannedRun& run : MakePlan(MakeCampaign(3, kAll), 2).runs) {
    if (run.ordinal % 3 == 0) cells.push_back(run.cell);
  }
  EXPECT_EQ(cells, Order(MakePlan(MakeCampaign(3), 2)));
}

TEST(Plan, AddsUpTimeAndBytesOfAllPasses) {
  const Plan one = MakePlan(MakeCampaign(1), 2);
  const Plan two = MakePlan(MakeCampaign(1, "[full, bare]"), 2);
  EXPECT_EQ(two.runs.size(), 96u);
  EXPECT_EQ(two.measuring, one.measuring * 2);
  EXPECT_EQ(two.load_bytes, one.load_bytes) << "what one pass has loaded is there for the other";
}

TEST(Plan, AddsUpTimeAndBytes) {
  const Plan plan = MakePlan(MakeCampaign(1), 2);
  EXPECT_EQ(plan.measuring, Seconds(48 * 3));
  // The first get of each size loads: 10 keys x (1 KiB + 4 KiB) x 2 agents.
  EXPECT_EQ(plan.loads, 2u);
  EXPECT_EQ(plan.load_keys, 2u * 10 * 2);
  EXPECT_EQ(plan.load_bytes, 10u * 5 * 1024 * 2);
}

// Twelve runs, as in the issue that asked for it: keys were written before each of them.
std::vector<bool> Loads(const std::string& yaml, const std::string& run_more = "") {
  const auto campaign = ParseCampaign(
      "c.yaml",
      "name: p\nprobes: {passes: [bare]}\nrun: {repetitions: 3, seed: 1" + run_more + "}\n" + yaml,
      {.local_agents = 1});
  EXPECT_TRUE(campaign.ok()) << campaign.status();
  std::vector<bool> loads;
  for (const PlannedRun& run : MakePlan(*campaign, 1).runs) loads.push_back(run.loads);
  return loads;
}

int Count(const std::vector<bool>& loads) {
  return static_cast<int>(std::count(loads.begin(), loads.end(), true));
}

TEST(Plan, LoadsEveryDataSetOncePerServer) {
  const std::vector<bool> twelve =
      Loads("transport: [socket, epoll]\nworkload: {value_size: [4KiB, 64KiB]}\n");
  EXPECT_EQ(twelve.size(), 12u);
  EXPECT_EQ(Count(twelve), 2);
  EXPECT_TRUE(twelve[0]);
  EXPECT_EQ(Count(Loads("transport: [socket, epoll, uring]\nload: {depth: [1, 8, 32]}\n")), 1);
  EXPECT_EQ(Count(Loads("server: {address: ['a:1', 'b:1']}\n")), 2);
  EXPECT_EQ(Count(Loads("server: {service_time: [1us, 2us]}\n")), 2) << "two embedded servers";
  EXPECT_EQ(Count(Loads("workload: {compressible: [0%, 50%]}\n")), 2);
  EXPECT_EQ(Count(Loads("workload: {key_size: [16B, 17B]}\n")), 2);
  EXPECT_EQ(Count(Loads("workload: {op: [put, noop]}\n")), 0);
  EXPECT_EQ(Count(Loads("transport: null\n")), 0);
}

TEST(Plan, LoadsAgainAfterDeletes) {
  EXPECT_EQ(Count(Loads("workload: {op: delete, load: true}\n")), 3);
  // get, delete and version, in a random order: whoever comes after the deletes loads.
  const std::vector<bool> loads = Loads("workload: {op: [get, delete, version], load: true}\n");
  EXPECT_GE(Count(loads), 4) << "three for the deletes' own sake";
  EXPECT_LE(Count(loads), 7);
  EXPECT_EQ(Count(Loads("workload: {op: delete, load: true}\n", ", warmup_ops: 10")), 3);
}

TEST(Plan, ValuesAlikeHaveKeysAlikeAndOthersHaveOthers) {
  const Campaign campaign = MakeCampaign(1);
  const Plan plan = MakePlan(campaign, 2);
  ASSERT_EQ(plan.key_seeds.size(), 12u);
  for (size_t a = 0; a < 12; ++a) {
    for (size_t b = 0; b < 12; ++b) {
      const bool alike = campaign.cells[a].settings.value_sizes.ToString() ==
                         campaign.cells[b].settings.value_sizes.ToString();
      EXPECT_EQ(plan.key_seeds[a] == plan.key_seeds[b], alike);
    }
  }
  // An earlier campaign's are found by its seed and its values, whatever else it sweeps.
  const auto alone =
      ParseCampaign("c.yaml", "name: q\nworkload: {value_size: 4KiB, keys: 99}\nrun: {seed: 1}\n",
                    {.local_agents = 1});
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_THAT(plan.key_seeds, ::testing::Contains(MakePlan(*alone, 1).key_seeds[0]));
  EXPECT_NE(plan.key_seeds[0], MakePlan(MakeCampaign(2), 2).key_seeds[0]);
}

TEST(Plan, SaysHowOftenHowMuchAndHowLongItLoads) {
  const auto campaign = ParseCampaign("c.yaml",
                                      "name: p\ntransport: [socket, epoll]\n"
                                      "workload: {value_size: 1KiB, keys: 12800}\n"
                                      "probes: {passes: [bare]}\nload: {flows: 4}\n",
                                      {.local_agents = 2});
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  const std::string text = DescribePlan(*campaign, MakePlan(*campaign, 2), 2);
  EXPECT_THAT(
      text, ::testing::HasSubstr("to load: 25.0 MiB of values in 25600 keys, before 1 of 6 runs;"));
  // Four connections of 128: 12800 keys in 25 round trips, and 8 until the windows are so wide.
  EXPECT_THAT(text, ::testing::HasSubstr("loading takes about 0.0 s over round trips of 1 ms, "
                                         "0.3 s over 10 ms"));
}

// Plans and runs ask the same: what a run's spec does not say, no agent does.
TEST(Plan, LoadsWhatItsRunsLoad) {
  const auto campaign = ParseCampaign("c.yaml",
                                      "name: p\ntransport: [socket, null]\n"
                                      "workload: {op: get, load: true, keys: 100}\n"
                                      "probes: {passes: [bare]}\n",
                                      {.local_agents = 1});
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  EXPECT_TRUE(MakeRunSpec(campaign->cells[0].settings, {}).load());
  EXPECT_FALSE(MakeRunSpec(campaign->cells[1].settings, {}).load());
  const Plan plan = MakePlan(*campaign, 1);
  EXPECT_EQ(plan.loads, 1u);
  EXPECT_EQ(plan.loads_most, 3u) << "of the socket's runs, where the server keeps nothing";
  EXPECT_THAT(DescribePlan(*campaign, plan, 1),
              ::testing::HasSubstr("is given keys 3 times, not 1:"));
  EXPECT_EQ(nlohmann::json::parse(PlanJson(*campaign, plan, 1))["loads_most"], 3);
}

TEST(Plan, IsDescribedAndResolved) {
  const Campaign campaign = MakeCampaign(1);
  const Plan plan = MakePlan(campaign, 2);
  const std::string text = DescribePlan(campaign, plan, 2);
  EXPECT_THAT(text, ::testing::HasSubstr(
                        "12 cells x 4 repetitions x 1 passes (sampled) = 48 runs on 2 agents"));
  EXPECT_THAT(text, ::testing::HasSubstr("144.0 s"));
  EXPECT_THAT(text, ::testing::HasSubstr("transport=uring,value_size=4KiB,op=put"));
  const nlohmann::json json = nlohmann::json::parse(PlanJson(campaign, plan, 2));
  EXPECT_EQ(json["runs"].size(), 48u);
  EXPECT_EQ(json["cells"][3]["settings"]["run.op_timeout"], "10s");
  EXPECT_EQ(json["cells"][3]["levels"]["op"], "put");
  EXPECT_EQ(json["runs"][7]["pass"], "sampled");
}

TEST(Plan, ShowsThePassesOfEveryCell) {
  const Campaign campaign = MakeCampaign(1, kAll);
  const Plan plan = MakePlan(campaign, 2);
  const std::string text = DescribePlan(campaign, plan, 2);
  EXPECT_THAT(text, ::testing::HasSubstr(
                        "12 cells x 4 repetitions x 3 passes (bare, sampled, full) = 144 runs"));
  EXPECT_THAT(text, ::testing::HasSubstr("432.0 s"));
  std::string order = " " + std::to_string(plan.runs[0].cell) + ":";
  for (size_t i = 0; i < 3; ++i) order += analysis::Name(plan.runs[i].pass).front();
  EXPECT_THAT(text, ::testing::HasSubstr("  repetition 0: " + order + " "));
}

}  // namespace
}  // namespace kbench
