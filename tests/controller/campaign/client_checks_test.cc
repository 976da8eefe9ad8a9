// Campaigns with an external client: what they say to the agents, which runs they make, and what
// is refused before anything is started.
#include "controller/campaign/client_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "controller/campaign/plan.h"
#include "controller/campaign/run_spec.h"
#include "controller/campaign/workload_use.h"

namespace kbench {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr char kClient[] =
    "client: {command: [mine, '--to', '{host}:{port}', '{value_size}', x, x]}\n";

absl::StatusOr<Campaign> Parse(const std::string& yaml) {
  return ParseCampaign("c.yaml", absl::StrCat("name: x\n", yaml), {.local_agents = 1});
}

std::string Errors(const std::string& yaml) { return std::string(Parse(yaml).status().message()); }

TEST(ClientCampaign, IsToldToTheAgentsAsItWasWritten) {
  const auto campaign = Parse(absl::StrCat(
      "transport: [external, socket]\n",
      "client: {command: [mine, 'a b', '{host},{port}', -1, -1, ''], grace: 3s, memory: 64MiB, "
      "output: fio}\nworkload: {op: get}\nprobes: {passes: [bare, full]}\n"));
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  const Settings& s = campaign->cells[0].settings;
  EXPECT_TRUE(s.IsExternal());
  EXPECT_FALSE(s.LoadsKeys()) << "its keys are its own";
  EXPECT_TRUE(campaign->cells[1].settings.LoadsKeys());
  const control::RunSpec spec =
      MakeRunSpec(s, {.run_id = "r", .pass = analysis::Pass::kFull, .agent_count = 1});
  EXPECT_EQ(spec.transport(), "external");
  EXPECT_EQ(spec.client().name(), "mine");
  EXPECT_THAT(spec.client().arguments(), ElementsAre("a b", "{host},{port}", "-1", "-1", ""));
  EXPECT_EQ(spec.client().grace_ns(), 3'000'000'000);
  EXPECT_EQ(spec.client().memory_bytes(), 64u << 20);
  EXPECT_EQ(spec.client().output(), "fio");
  EXPECT_TRUE(spec.observe());
  EXPECT_FALSE(MakeRunSpec(campaign->cells[1].settings, {.run_id = "r"}).has_client());
  EXPECT_EQ(campaign->constants.at("client_command"), "mine 'a b' {host},{port} -1 -1 ''");
}

TEST(ClientCampaign, HasFullRunsOfTheProgramAndAllPassesOfTransports) {
  const auto campaign =
      Parse(absl::StrCat("transport: [external, socket]\n", kClient,
                         "run: {repetitions: 2}\nworkload: {value_size: [4KiB, 64KiB]}\n"));
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  const Plan plan = MakePlan(*campaign, 1);
  int external = 0, socket = 0;
  for (const PlannedRun& run : plan.runs) {
    const bool program = campaign->cells[run.cell].settings.IsExternal();
    (program ? external : socket) += 1;
    if (program) {
      EXPECT_EQ(run.pass, analysis::Pass::kFull);
    }
  }
  EXPECT_EQ(external, 4);
  EXPECT_EQ(socket, 12);
  EXPECT_THAT(DescribePlan(*campaign, plan, 1), HasSubstr("(full pass only)"));
  EXPECT_THAT(DescribePlan(*campaign, plan, 1), HasSubstr("16 runs"));
  const auto json = nlohmann::json::parse(PlanJson(*campaign, plan, 1));
  EXPECT_EQ(json["cells"][0]["settings"]["client.output"], "auto");
}

TEST(ClientCampaign, NeedsAProgramAndAProgramNeedsIt) {
  EXPECT_THAT(Errors("transport: external\n"), HasSubstr("add client: {command: [NAME"));
  EXPECT_THAT(Errors(kClient), HasSubstr("client.command has no effect without transport"));
  EXPECT_THAT(Errors("transport: external\nclient: {command: mine}\n"), "") << "one word is a list";
  EXPECT_THAT(Errors("transport: external\nclient: {command: []}\n"), HasSubstr("empty list"));
  EXPECT_THAT(Errors("transport: external\nclient: {command: ['', a]}\n"),
              HasSubstr("does not begin with a name"));
  EXPECT_THAT(Errors("transport: external\nclient: {command: [mine, {port}]}\n"),
              HasSubstr("quoted where they hold {placeholders}"));
  EXPECT_THAT(Errors("transport: external\nclient: {command: [mine, \"a\\nb\"]}\n"),
              HasSubstr("c.yaml:3:"));
  EXPECT_THAT(Errors("transport: external\nclient: {command: [mine, '{prot}']}\n"),
              HasSubstr("{prot} is no placeholder; there are host, port"));
}

TEST(ClientCampaign, RefusesWhatNobodyCanHoldAProgramTo) {
  const auto with = [](const std::string& more) {
    return Errors(absl::StrCat("transport: [external, socket]\n", kClient, more));
  };
  EXPECT_EQ(with(""), "");
  EXPECT_THAT(with("server: {tls: true}\n"), HasSubstr("those of TLS cannot be read"));
  EXPECT_THAT(with("load: {mode: open, rate_total: 5k/s}\n"), HasSubstr("load.mode: open"));
  EXPECT_THAT(with("inject: {encode: 1ms}\n"), HasSubstr("inject.encode"));
  EXPECT_THAT(with("inject: {decode: 1ms}\n"), HasSubstr("inject.decode"));
  EXPECT_EQ(with("workload: {op: get, verify: true}\n"), "") << "the sockets verify";
  EXPECT_THAT(
      Errors(absl::StrCat("transport: external\n", kClient, "workload: {op: get, verify: true}\n")),
      HasSubstr("workload.verify"));
  EXPECT_THAT(with("run: {warmup_ops: 100}\n"), HasSubstr("use run.warmup"));
  EXPECT_THAT(with("run: {warmup_steady: 5%}\n"), HasSubstr("use run.warmup"));
  EXPECT_THAT(with("probes: {passes: [bare, sampled]}\n"), HasSubstr("add full to probes.passes"));
  EXPECT_THAT(with("workload: {value_size: 'uniform least 1KiB most 64KiB'}\n"),
              HasSubstr("told one size"));
  EXPECT_EQ(with("inject: {relay: [none, 0us, 1ms]}\n"), "");
}

TEST(ClientCampaign, RefusesCellsThatWouldBeAlike) {
  const auto with = [](const std::string& more) {
    return Errors(absl::StrCat("transport: [external, socket]\n", kClient, more));
  };
  EXPECT_EQ(with("workload: {value_size: [4KiB, 64KiB]}\n"), "");
  EXPECT_THAT(with("workload: {op: [get, put]}\n"), HasSubstr("add {op} to its arguments"));
  EXPECT_THAT(with("load: {depth: [1, 8]}\n"), HasSubstr("add {depth} to its arguments"));
  EXPECT_THAT(with("poll: [block, spin]\n"), HasSubstr("cannot be told of poll"));
  EXPECT_THAT(with("workload: {key_order: [uniform, sequential]}\n"),
              HasSubstr("cannot be told of workload.key_order"));
  // Of fields that a program cannot be told of, one value is no sweep.
  EXPECT_EQ(with("poll: spin\n"), "");
}

TEST(ClientCampaign, UsesWhatItsCommandTellsIt) {
  const auto errors = [](const std::string& told, const std::string& workload) {
    return Errors(absl::StrCat("transport: external\nclient: {command: [mine, '", told,
                               "']}\nworkload: {op: put, ", workload, "}\n"));
  };
  EXPECT_EQ(errors("{value_size},{keys},{key_size}", "value_size: 64KiB, keys: 5, key_size: 20B"),
            "");
  EXPECT_THAT(errors("{keys}", "value_size: 64KiB, keys: 5"),
              AllOf(HasSubstr("client.command does not tell the program of it; add {value_size} to "
                              "its arguments"),
                    Not(HasSubstr("workload.keys"))));
  EXPECT_THAT(errors("{keys}", "tag: none"), HasSubstr("cannot be told of it"));
}

// Where other cells use a field, it is of use; the program's cells say that it was not told.
TEST(ClientCampaign, SaysWhatItsCommandDoesNotTell) {
  const auto campaign =
      Parse(absl::StrCat("transport: [external, socket]\n", kClient,
                         "workload: {op: put, value_size: 64KiB, tag: none, keys: "
                         "5}\n"));
  ASSERT_TRUE(campaign.ok()) << campaign.status();
  EXPECT_THAT(campaign->cells[0].untold, UnorderedElementsAre("workload.keys", "workload.tag"));
  EXPECT_THAT(campaign->cells[1].untold, IsEmpty());
  const std::vector<result::Caveat> caveats = PassedOver(campaign->cells[0]);
  ASSERT_EQ(caveats.size(), 1u);
  EXPECT_EQ(caveats[0].code(), "client_untold");
  EXPECT_THAT(caveats[0].text(), HasSubstr("not told of workload.tag, workload.keys"));
  EXPECT_THAT(PassedOver(campaign->cells[1]), IsEmpty());
}

}  // namespace
}  // namespace kbench
