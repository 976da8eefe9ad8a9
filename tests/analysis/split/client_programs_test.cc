// A client program whose time is planted: its parts, what is compared with it, and what its own
// clock is worth.
#include "analysis/split/client_programs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/report/report.h"
#include "analysis/report/table.h"
#include "analysis/verdict/findings.h"
#include "analysis/verdict/verdicts.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kGap = 120'000, kNetwork = 40'000, kServer = 500'000;
constexpr int64_t kWire = kNetwork + kServer;

struct Program {
  double own_mean_ns = 0;  // 0: it says nothing
  bool pipelined = false;
  int exit_code = 0;
  uint64_t seen = 0;          // by packets, of all that it did: how many, ...
  int64_t seen_wire = kWire;  // ... and how long
  uint64_t said = 200;        // by itself: how many,
  bool of_window = false;     // of the window alone
};

// As an agent makes it: of a request only when it left and when its answer came, and the gap.
result::RunResult MakeProgram(const Program& program) {
  const Request request = {.wait = 0,
                           .encode = 0,
                           .submit = 0,
                           .send = program.pipelined ? 0 : kGap,
                           .network = kNetwork,
                           .server = kServer,
                           .receive = 0,
                           .decode = 0,
                           .probed = false};
  result::RunResult agent =
      MakeAgent({.transport = "external", .requests = std::vector<Request>(200, request)});
  result::ExternalClient& client = *agent.mutable_client();
  client.set_name("theirs");
  client.set_end(result::ExternalClient::BY_ITSELF);
  client.set_exit_code(program.exit_code);
  client.set_pipelined(program.pipelined);
  if (program.own_mean_ns > 0) {
    result::ExternalClient::Figure& figure = *client.add_figures();
    figure.set_op("get");
    figure.set_count(program.said);
    client.set_figures_of_window(program.of_window);
    figure.set_answers_seen(program.seen);
    figure.set_wire_seen_ns(static_cast<double>(program.seen_wire));
    if (!program.pipelined) figure.set_sum_seen_ns(static_cast<double>(program.seen_wire + kGap));
    figure.set_mean_ns(program.own_mean_ns);
    figure.set_source("csv, latency_us of each request");
  }
  Histogram wire;
  for (int i = 0; i < 200; ++i) wire.Record(Nanos(kWire));
  agent.mutable_ops(0)->set_service_ns(wire.Encode());
  return agent;
}

CampaignEvidence Campaign(const Program& program, int repetitions = 3) {
  CampaignEvidence campaign =
      MakeCampaign({"external", "socket"}, repetitions, [&](const CellInfo& cell, int) {
        return cell.index == 0
                   ? MakeProgram(program)
                   : MakeAgent({.transport = "socket", .requests = std::vector<Request>(200)});
      });
  for (RunEvidence& run : campaign.runs) {
    run.pass = Pass::kFull;
    ObservePackets({}, &run);
    // Observers keep what the agent kept, and no kernel stamps of it.
    for (result::RunResult& agent : run.agents) {
      if (!agent.has_client()) continue;
      for (result::OpSample& sample : *agent.mutable_samples()) {
        sample.clear_kernel_sent();
        sample.clear_kernel_received();
      }
    }
  }
  return campaign;
}

std::vector<std::string> NamesOf(const std::vector<CellPart>& parts) {
  std::vector<std::string> names;
  for (const CellPart& part : parts) names.push_back(part.name);
  return names;
}

TEST(ClientPrograms, HaveThreePartsThatAddUp) {
  const CampaignEvidence campaign = Campaign({.own_mean_ns = kGap + kWire});
  const CampaignAnalysis analysis = Analyse(campaign);
  ASSERT_EQ(analysis.rows.size(), 2u);
  const CellOp& row = analysis.rows[0];
  EXPECT_THAT(NamesOf(row.parts), ElementsAre("client", "network", "server"));
  EXPECT_EQ(row.parts[0].mean_ns.value, kGap);
  EXPECT_EQ(row.parts[1].mean_ns.value, kNetwork);
  EXPECT_EQ(row.parts[2].mean_ns.value, kServer);
  EXPECT_TRUE(row.causes.empty()) << "nobody knows why a program waits";
  EXPECT_EQ(row.residual_ns.value, 0);
  EXPECT_THAT(PartsSentence(row), HasSubstr("is its own, from an answer's last byte"));
  EXPECT_THAT(PartsSentence(row), Not(HasSubstr("client stack")));
  EXPECT_EQ(analysis.rows[1].parts.size(), 8u) << "those of a transport are as ever";
}

TEST(ClientPrograms, WithoutTheServersSideHaveTwo) {
  CampaignEvidence campaign = Campaign({});
  for (RunEvidence& run : campaign.runs) {
    run.server_wire.reset();
    for (result::RunResult& agent : run.agents) agent.clear_server_trace();
  }
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_THAT(NamesOf(analysis.rows[0].parts), ElementsAre("client", "network+server"));
  EXPECT_EQ(analysis.rows[0].parts[1].mean_ns.value, kWire);
}

TEST(ClientPrograms, ThatPipelineHaveNoPartOfTheirOwnAndAreNotCompared) {
  const CampaignEvidence campaign = Campaign({.own_mean_ns = 900'000, .pipelined = true});
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_THAT(NamesOf(analysis.rows[0].parts), ElementsAre("network", "server"));
  EXPECT_TRUE(CompareTransports(analysis).empty());
  const auto view = ProgramViewOf(analysis.rows[0]);
  EXPECT_EQ(view->verdict, OwnClock::kNotKnown);
  EXPECT_FALSE(view->sum_ns.has_value());
  EXPECT_NEAR(view->inside_ns.value_or(0), 900'000 - kWire, 1000)
      << "what it says beyond the wire it had in its hands";
  EXPECT_THAT(view->Sentence(), HasSubstr("540 us of that on the wire, and 360 us inside"));
  // It says less than the wire: nothing is left to be inside of it.
  const CampaignEvidence hasty = Campaign({.own_mean_ns = 100'000, .pipelined = true});
  const CampaignAnalysis less = Analyse(hasty);
  EXPECT_FALSE(ProgramViewOf(less.rows[0])->inside_ns.has_value());
}

TEST(ClientPrograms, SayHowManyRequestsTheyMadeBesideWhatPacketsShow) {
  const auto sentence = [](uint64_t seen) {
    const CampaignEvidence campaign = Campaign({.own_mean_ns = kGap + kWire, .seen = seen});
    return ProgramViewOf(Analyse(campaign).rows[0])->Sentence();
  };
  EXPECT_THAT(sentence(200), HasSubstr("all 600 that it did; packets show as many)"));
  EXPECT_THAT(sentence(210), HasSubstr("all 600 that it did; packets show 630 answers)"));
}

TEST(ClientPrograms, AreCountedByPacketsInTheWindowToo) {
  const CampaignEvidence campaign =
      Campaign({.own_mean_ns = kGap + kWire, .seen = 900, .said = 190, .of_window = true});
  const auto view = ProgramViewOf(Analyse(campaign).rows[0]);
  EXPECT_EQ(view->own_count, 570u);
  EXPECT_EQ(view->answers_seen, 600u) << "neither what it says, nor of all that it did";
}

// Its figures are of all that it did, of which the window was another half: what is held against
// them is of the same requests, when there are as many.
TEST(ClientPrograms, AreHeldAgainstPacketsOfTheSameRequests) {
  constexpr int64_t kSlow = 3 * kWire;
  const auto view = [](uint64_t seen, bool pipelined) {
    const CampaignEvidence campaign = Campaign(
        {.own_mean_ns = kGap + kSlow, .pipelined = pipelined, .seen = seen, .seen_wire = kSlow});
    return *ProgramViewOf(Analyse(campaign).rows[0]);
  };
  const ProgramView same = view(200, false);
  EXPECT_TRUE(same.of_whole);
  EXPECT_EQ(same.verdict, OwnClock::kAgrees) << same.Sentence();
  EXPECT_EQ(same.wire_ns, kSlow);
  EXPECT_EQ(same.client_ns, kGap);
  EXPECT_EQ(same.sum_ns, kGap + kSlow);
  const ProgramView others = view(300, false);
  EXPECT_FALSE(others.of_whole) << "packets show more than it says it made";
  EXPECT_EQ(others.verdict, OwnClock::kSaysMore);
  EXPECT_NEAR(others.wire_ns.value_or(0), kWire, 1000) << "those of the window";
  const ProgramView deep = view(200, true);
  EXPECT_EQ(deep.verdict, OwnClock::kNotKnown);
  EXPECT_EQ(deep.inside_ns, kGap) << "of the same requests, too";
}

TEST(TextTables, CutWhatIsLongButNeverSoThatRowsLookAlike) {
  const Table table = {.header = {"cell", "program", "n"},
                       .rows = {{"external 4KiB", "kinetic-program", "1"},
                                {"external 64KiB", "kinetic-program", "2"}},
                       .text_columns = 2};
  EXPECT_EQ(TextTable(table, 10),
            "cell         progr~  n\n"
            "external 4~  kinet~  1\n"
            "external 6~  kinet~  2\n");
}

TEST(ClientPrograms, AreJudgedByTheirOwnClock) {
  const auto verdict = [](double own) {
    const CampaignEvidence campaign = Campaign({.own_mean_ns = own});
    return ProgramViewOf(Analyse(campaign).rows[0])->verdict;
  };
  constexpr double kSum = kGap + kWire;
  EXPECT_EQ(verdict(0), OwnClock::kNoFigures);
  EXPECT_EQ(verdict(kSum), OwnClock::kAgrees);
  EXPECT_EQ(verdict(0.951 * kSum), OwnClock::kAgrees);
  EXPECT_EQ(verdict(1.049 * kSum), OwnClock::kAgrees);
  EXPECT_EQ(verdict(0.94 * kSum), OwnClock::kSaysLess);
  EXPECT_EQ(verdict(1.06 * kSum), OwnClock::kSaysMore);
  EXPECT_EQ(verdict(0.9 * kWire), OwnClock::kLeavesOut);
}

TEST(ClientPrograms, AreComparedInThePassThatTheyHave) {
  CampaignEvidence campaign = Campaign({.own_mean_ns = 1000}, 5);
  // A bare pass of the transport, which is twice as fast: not what is compared.
  const std::vector<RunEvidence> full = campaign.runs;
  for (const RunEvidence& run : full) {
    if (run.cell == 0) continue;
    RunEvidence bare = run;
    bare.pass = Pass::kBare;
    bare.run_id += "-bare";
    bare.server_wire.reset();
    Request fast;
    fast.server /= 2;
    bare.agents = {MakeAgent({.transport = "socket", .requests = std::vector<Request>(200, fast)})};
    campaign.runs.push_back(bare);
  }
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_EQ(analysis.rows[1].headline, Pass::kBare);
  const auto comparisons = CompareTransports(analysis);
  ASSERT_EQ(comparisons.size(), 1u);
  EXPECT_NEAR(comparisons[0].p50.ratio, static_cast<double>(Request{}.response()) / (kGap + kWire),
              0.01);
  EXPECT_THAT(comparisons[0].Sentence(),
              HasSubstr("socket against external: in the full pass p50 x 0.8"));
}

TEST(ClientPrograms, AreShownInEveryForm) {
  CampaignEvidence campaign = Campaign({.own_mean_ns = kGap + kWire, .exit_code = 3});
  const std::string text = TextReport(campaign, {.width = 1000});
  EXPECT_THAT(text, HasSubstr("Client programs, by packets and by their own clock"));
  EXPECT_THAT(text, HasSubstr("by itself, exit code 3"));
  EXPECT_THAT(text, HasSubstr("the parts add up to what it says, within 5 % or 20 us"));
  EXPECT_THAT(HtmlReport(campaign), HasSubstr("exit code 3"));
  EXPECT_THAT(SummaryJson(campaign), HasSubstr("\"verdict\": \"agrees\""));
  const std::string csv = CsvReport(campaign);
  EXPECT_THAT(csv, HasSubstr(",client_mean_ns,client_p50_ns,client_p99_ns,own_mean_ns,own_p50_ns,"
                             "own_p99_ns,client_exit_code,client_signal\n"));
  EXPECT_THAT(csv, HasSubstr(",120000.000,120000,120000,660000.000,,,3,0\n"));
  // And nowhere where there is none.
  campaign.runs.erase(std::remove_if(campaign.runs.begin(), campaign.runs.end(),
                                     [](const RunEvidence& run) { return run.cell == 0; }),
                      campaign.runs.end());
  EXPECT_THAT(CsvReport(campaign), Not(HasSubstr("own_mean_ns")));
  EXPECT_THAT(TextReport(campaign, {}), Not(HasSubstr("Client programs")));
}

}  // namespace
}  // namespace kbench::analysis
