#include "controller/campaign/cpu_placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kbench {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Cpus = std::vector<uint32_t>;

Settings Workers(int64_t workers) {
  Settings settings;
  settings.workers = workers;
  settings.flows = workers;
  return settings;
}

std::vector<std::string> Texts(const Placement& placement) {
  std::vector<std::string> texts;
  for (const result::Caveat& caveat : placement.caveats) {
    EXPECT_EQ(caveat.code(), "shared_cpu");
    texts.push_back(caveat.text());
  }
  return texts;
}

AgentPlace Here(const std::vector<int>& cpus) {
  return {.host = "this host", .cpus = SplitCpus(cpus)};
}

TEST(SplitCpus, GivesTheServerTheLastOne) {
  const HostCpus split = SplitCpus({0, 2, 5});
  EXPECT_THAT(split.usable, ElementsAre(0, 2));
  EXPECT_EQ(split.server, 5);
}

TEST(SplitCpus, OneCpuIsNotSplit) {
  const HostCpus split = SplitCpus({3});
  EXPECT_THAT(split.usable, ElementsAre(3));
  EXPECT_FALSE(split.server.has_value());
}

TEST(LocalCpus, AreThoseOfThisProcess) {
  const HostCpus cpus = LocalCpus();
  EXPECT_FALSE(cpus.usable.empty());
  EXPECT_TRUE(std::is_sorted(cpus.usable.begin(), cpus.usable.end()));
  EXPECT_EQ(std::count(cpus.usable.begin(), cpus.usable.end(), cpus.server.value_or(-1)), 0);
}

// The picture in the header.
TEST(PlaceWorkers, FillsTheHostInTurnAndSaysWhoShares) {
  const Placement placement = PlaceWorkers(Workers(2), {Here({0, 1, 2, 3}), Here({0, 1, 2, 3})});
  EXPECT_THAT(placement.worker_cpus, ElementsAre(Cpus{0, 1}, Cpus{2, 0}));
  EXPECT_THAT(Texts(placement),
              ElementsAre(AllOf(HasSubstr("cpu 0 of this host"), HasSubstr("agent 0 worker 0"),
                                HasSubstr("agent 1 worker 1"))));
}

TEST(PlaceWorkers, SaysNothingWhenEverybodyHasACpu) {
  const Placement placement = PlaceWorkers(Workers(1), {Here({0, 1, 2}), Here({0, 1, 2})});
  EXPECT_THAT(placement.worker_cpus, ElementsAre(Cpus{0}, Cpus{1}));
  EXPECT_THAT(placement.caveats, IsEmpty());
}

TEST(PlaceWorkers, CountsEachHostByItself) {
  const Placement placement = PlaceWorkers(Workers(2), {{.host = "a", .cpus = {.usable = {0, 1}}},
                                                        {.host = "b", .cpus = {.usable = {0, 1}}}});
  EXPECT_THAT(placement.worker_cpus, ElementsAre(Cpus{0, 1}, Cpus{0, 1}));
  EXPECT_THAT(placement.caveats, IsEmpty());
}

TEST(PlaceWorkers, PinsNothingOnOneCpuAndSaysSoOnce) {
  const Placement placement = PlaceWorkers(Workers(1), {Here({0}), Here({0})});
  EXPECT_THAT(placement.worker_cpus, ElementsAre(IsEmpty(), IsEmpty()));
  EXPECT_THAT(Texts(placement), ElementsAre(HasSubstr("nothing is pinned")));
}

TEST(PlaceWorkers, PinsNothingWhenTheCampaignSaysNone) {
  Settings settings = Workers(2);
  settings.cpu_placement = CpuPlacement::kNone;
  const Placement placement = PlaceWorkers(settings, {Here({0, 1, 2})});
  EXPECT_THAT(placement.worker_cpus, ElementsAre(IsEmpty()));
  EXPECT_THAT(placement.caveats, IsEmpty());
}

TEST(PlaceWorkers, TakesTheCampaignsListAndTellsThatTheServerIsThereToo) {
  Settings settings = Workers(2);
  settings.cpu_placement = CpuPlacement::kList;
  settings.worker_cpus = {0, 3, 7};
  const Placement placement = PlaceWorkers(settings, {Here({0, 1, 2, 3})});
  EXPECT_THAT(placement.worker_cpus, ElementsAre(Cpus{0, 3})) << "one for each worker";
  EXPECT_THAT(Texts(placement), ElementsAre(AllOf(HasSubstr("cpu 3"), HasSubstr("the server"))));
}

// Every agent on a host gets the same list, so they meet; the server is named once however many
// agents see it.
TEST(PlaceWorkers, NamesTheServerOncePerCpu) {
  Settings settings = Workers(1);
  settings.cpu_placement = CpuPlacement::kList;
  settings.worker_cpus = {1};
  const Placement placement = PlaceWorkers(settings, {Here({0, 1}), Here({0, 1}), Here({0, 1})});
  EXPECT_THAT(Texts(placement), ElementsAre(HasSubstr("agent 0 worker 0, agent 1 worker 0, "
                                                      "agent 2 worker 0, the server;")));
}

}  // namespace
}  // namespace kbench
