// What a report says of a cell: which resource was full, who is to blame for a backlog, what probes
// cost, how far a closed server can be bracketed, and how operations differ step by step.
#include "analysis/verdict/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/verdict/bracket.h"
#include "analysis/verdict/ladder.h"
#include "analysis/verdict/saturation.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// One cell, three repetitions of 200 requests; 838,000 payload bytes a second come in.
CampaignEvidence OneCell(const Request& request = {}) {
  return MakeCampaign({"epoll"}, 3, [&](const CellInfo&, int) {
    return MakeAgent({.requests = std::vector<Request>(200, request)});
  });
}

void AddPath(CampaignEvidence* campaign, double sent, double received) {
  result::NetworkBaseline& path = campaign->baselines.emplace_back();
  path.set_kind(result::NetworkBaseline::AGENT);
  path.set_from("agent-0");
  path.set_to("192.0.2.1:7100");  // the host of campaign.server
  path.set_sent_bytes_per_s(sent);
  path.set_received_bytes_per_s(received);
  path.set_echo_p99_ns(90'000);
}

std::vector<std::string> SentencesOf(const CampaignEvidence& campaign) {
  const CampaignAnalysis analysis = Analyse(campaign);
  std::vector<std::string> sentences;
  for (const Finding& finding : FindingsOf(analysis, analysis.rows.at(0))) {
    sentences.push_back(std::string(Name(finding.kind)) + ": " + finding.sentence);
  }
  return sentences;
}

Saturation SaturationOfFirst(const CampaignEvidence& campaign) {
  const CampaignAnalysis analysis = Analyse(campaign);
  return SaturationOf(analysis, analysis.rows.at(0));
}

TEST(Saturation, NothingIsFullWhereNothingIs) {
  CampaignEvidence campaign = OneCell();
  AddPath(&campaign, 1e9, 1e9);
  const Saturation s = SaturationOfFirst(campaign);
  EXPECT_FALSE(s.bottleneck);
  EXPECT_THAT(s.sentence, HasSubstr("the window of 1 requests over their response time"));
}

TEST(Saturation, TheLinkIsFullAtItsMeasuredRateAndNotAtItsName) {
  const double in = 200 * 4'196.0;
  CampaignEvidence campaign = OneCell();
  AddPath(&campaign, 1e9, in / 0.97);
  const Saturation full = SaturationOfFirst(campaign);
  ASSERT_TRUE(full.bottleneck);
  EXPECT_EQ(*full.bottleneck, Resource::kLinkIn);
  EXPECT_THAT(full.sentence, StartsWith("link saturated from the server (utilisation 0.97"));
  campaign.baselines.clear();
  AddPath(&campaign, 1e9, in / 0.93);
  EXPECT_FALSE(SaturationOfFirst(campaign).bottleneck);
}

TEST(Saturation, AnEgressQueueThatIsNeverEmptySettlesWhatTheRateLeavesOpen) {
  CampaignEvidence campaign = OneCell();
  AddPath(&campaign, 200 * 100 / 0.92, 1e9);
  EXPECT_FALSE(SaturationOfFirst(campaign).bottleneck);
  for (RunEvidence& run : campaign.runs) {
    result::LinkUse& link = *run.agents[0].mutable_host_use()->add_links();
    link.set_backlog_samples(10);
    link.set_backlog_nonempty(9);
  }
  const Saturation s = SaturationOfFirst(campaign);
  ASSERT_TRUE(s.bottleneck);
  EXPECT_EQ(*s.bottleneck, Resource::kLinkOut);
  EXPECT_THAT(s.sentence, HasSubstr("its egress queue was not empty at 90 % of 30 looks"));
}

TEST(Saturation, AFullClientIsTheLimit) {
  CampaignEvidence campaign = OneCell();
  for (RunEvidence& run : campaign.runs) run.agents[0].mutable_usage()->set_user_ns(750'000'000);
  EXPECT_EQ(*SaturationOfFirst(campaign).bottleneck, Resource::kClient);
  campaign = OneCell();
  for (RunEvidence& run : campaign.runs) {
    *run.agents[0].add_caveats() = MakeCaveat("client_saturated", "one of four workers");
  }
  EXPECT_EQ(*SaturationOfFirst(campaign).bottleneck, Resource::kClient);
}

TEST(Saturation, AClientThatSpinsIsNotFullForThat) {
  CampaignEvidence campaign = OneCell();
  for (RunEvidence& run : campaign.runs) run.agents[0].mutable_usage()->set_user_ns(990'000'000);
  EXPECT_TRUE(SaturationOfFirst(campaign).bottleneck);
  campaign.constants["poll"] = "spin";
  EXPECT_FALSE(SaturationOfFirst(campaign).bottleneck);
}

// A row per depth, in this order; a server that had a request inside all the time. requests: of a
// second, so the rates.
CampaignEvidence Depths(const std::vector<std::pair<std::string, int>>& requests) {
  const std::vector<std::string> transports(requests.size(), "epoll");
  CampaignEvidence campaign = MakeCampaign(transports, 3, [&](const CellInfo& cell, int) {
    return MakeAgent({.requests = std::vector<Request>(requests[cell.index].second)});
  });
  for (size_t i = 0; i < requests.size(); ++i) {
    campaign.cells[i].levels.push_back({"depth", requests[i].first});
  }
  for (RunEvidence& run : campaign.runs) {
    ObservePackets({}, &run);
    run.server_wire->set_window_ns(1'000'000'000);
    run.server_wire->set_busy_ns(990'000'000);
  }
  return campaign;
}

Saturation SaturationOfRow(const CampaignEvidence& campaign, int row) {
  const CampaignAnalysis analysis = Analyse(campaign);
  return SaturationOf(analysis, analysis.rows.at(row));
}

TEST(Saturation, ABusyServerIsFullWhenALargerWindowGivesNoMore) {
  const CampaignEvidence campaign = Depths({{"8", 200}, {"16", 202}});
  const Saturation serial = SaturationOfRow(campaign, 0);
  ASSERT_TRUE(serial.bottleneck);
  EXPECT_EQ(*serial.bottleneck, Resource::kServer);
  EXPECT_THAT(serial.sentence, HasSubstr("server saturated (utilisation 0.99"));
  // The deepest cell has only a smaller one to be compared with.
  const Saturation deepest = SaturationOfRow(campaign, 1);
  EXPECT_TRUE(deepest.bottleneck);
  EXPECT_THAT(deepest.sentence, HasSubstr("a window 0.5 times as large gives 0.99 times the rate"));
}

TEST(Saturation, ABusyServerThatServesSideBySideIsNot) {
  const Saturation parallel = SaturationOfRow(Depths({{"8", 200}, {"16", 380}}), 0);
  EXPECT_FALSE(parallel.bottleneck);
  EXPECT_THAT(parallel.sentence, HasSubstr("a window 2 times as large gives 1.90 times the rate"));
}

TEST(Saturation, ACellAtTheKneeLooksAtTheLargerWindow) {
  const CampaignEvidence campaign = Depths({{"1", 100}, {"2", 190}, {"4", 194}, {"8", 195}});
  EXPECT_FALSE(SaturationOfRow(campaign, 0).bottleneck);
  EXPECT_TRUE(SaturationOfRow(campaign, 1).bottleneck);
  EXPECT_TRUE(SaturationOfRow(campaign, 2).bottleneck);
  EXPECT_TRUE(SaturationOfRow(campaign, 3).bottleneck);
}

TEST(Saturation, AFarLargerWindowMayBringLittleAndStillMore) {
  EXPECT_FALSE(SaturationOfRow(Depths({{"1", 100}, {"64", 190}}), 0).bottleneck);
}

TEST(Saturation, AnOpenLoopsRateSaysNothingOfItsWindow) {
  CampaignEvidence campaign = Depths({{"8", 200}, {"16", 200}});
  campaign.constants["mode"] = "open";
  const Saturation s = SaturationOfRow(campaign, 0);
  EXPECT_FALSE(s.bottleneck);
  EXPECT_TRUE(s.server_may_be_parallel);
  EXPECT_THAT(s.sentence, HasSubstr("a sweep of the rate tells"));
}

TEST(Saturation, WithoutASweepABusyServerStaysAnOpenQuestion) {
  CampaignEvidence campaign = Depths({{"8", 200}});
  const Saturation s = SaturationOfFirst(campaign);
  EXPECT_FALSE(s.bottleneck);
  EXPECT_TRUE(s.server_may_be_parallel);
  EXPECT_THAT(s.sentence, HasSubstr("a sweep of load.depth tells"));
}

TEST(Saturation, AConstantDepthIsTheWindow) {
  CampaignEvidence campaign = OneCell();
  campaign.constants["depth"] = "32";
  campaign.constants["flows"] = "2";
  EXPECT_THAT(SaturationOfFirst(campaign).sentence, HasSubstr("the window of 64 requests"));
}

// Two agents in every run.
CampaignEvidence TwoAgents() {
  CampaignEvidence campaign = OneCell();
  for (RunEvidence& run : campaign.runs) {
    run.agents.push_back(MakeAgent({.name = "agent-1", .requests = std::vector<Request>(200)}));
  }
  return campaign;
}

TEST(Saturation, AgentsFillTheServersLinkTogether) {
  CampaignEvidence campaign = TwoAgents();
  AddPath(&campaign, 1e9, 2 * 200 * 4'196.0 / 0.97);
  const Saturation s = SaturationOfFirst(campaign);
  ASSERT_TRUE(s.bottleneck) << s.sentence;
  EXPECT_EQ(*s.bottleneck, Resource::kLinkIn);
  campaign = TwoAgents();
  EXPECT_THAT(SaturationOfFirst(campaign).sentence, HasSubstr("the window of 2 requests"));
}

TEST(Saturation, AgentsWithALinkEachFillTheirOwn) {
  CampaignEvidence campaign = TwoAgents();
  AddPath(&campaign, 1e9, 200 * 4'196.0 / 0.97);
  const Saturation s = SaturationOfFirst(campaign);
  ASSERT_TRUE(s.bottleneck) << s.sentence;
  EXPECT_THAT(s.sentence, HasSubstr("by the busiest agent"));
}

TEST(Saturation, ALinkThatCarriesMoreThanWasMeasuredIsNotCalledFull) {
  CampaignEvidence campaign = OneCell();
  AddPath(&campaign, 1e9, 200 * 4'196.0 / 1.4);
  const Saturation s = SaturationOfFirst(campaign);
  EXPECT_FALSE(s.bottleneck);
  EXPECT_THAT(s.sentence, HasSubstr("which was not all that the path carries"));
}

TEST(Saturation, APathToElsewhereIsNoEvidence) {
  CampaignEvidence campaign = OneCell();
  AddPath(&campaign, 1e9, 200 * 4'196.0 / 0.97);
  campaign.baselines[0].set_to("192.0.2.99:7100");
  const Saturation s = SaturationOfFirst(campaign);
  EXPECT_FALSE(s.bottleneck);
  EXPECT_THAT(s.sentence, HasSubstr("whether the link is full is not known"));
}

CampaignEvidence Backlogged() {
  CampaignEvidence campaign = OneCell({.submit = 900'000});
  for (RunEvidence& run : campaign.runs) {
    ObservePackets({}, &run);
    for (auto& s : *run.agents[0].mutable_samples()) s.set_send_blocked_ns(890'000);
  }
  return campaign;
}

TEST(Findings, ABacklogIsChargedToTheLinkThatIsFull) {
  CampaignEvidence campaign = Backlogged();
  AddPath(&campaign, 200 * 100 / 0.98, 1e9);
  EXPECT_THAT(SentencesOf(campaign),
              Contains(AllOf(StartsWith("cause: by cause: "), HasSubstr("backlog 60."),
                             HasSubstr("charged to the link, which is saturated"))));
}

TEST(Findings, ABacklogIsChargedToAServerThatReadsTooSlowly) {
  CampaignEvidence campaign = Backlogged();
  for (RunEvidence& run : campaign.runs) {
    run.agents[0].mutable_tcp()->set_busy_ns(1'000);
    run.agents[0].mutable_tcp()->set_receive_window_limited_ns(900);
  }
  EXPECT_THAT(
      SentencesOf(campaign),
      Contains(HasSubstr("charged to the server's receive window, which was full for 90 %")));
}

TEST(Findings, AServerThatReadsTooSlowlyIsNamedWhereNothingIsSeparated) {
  CampaignEvidence campaign = OneCell({.in_trace = false});
  for (RunEvidence& run : campaign.runs) {
    result::RunResult& agent = run.agents[0];
    for (auto& sample : *agent.mutable_samples()) sample.set_probed(false);
    agent.mutable_tcp()->set_busy_ns(1'000);
    agent.mutable_tcp()->set_receive_window_limited_ns(300);
  }
  EXPECT_THAT(SentencesOf(campaign),
              Contains(HasSubstr("connections were held back: charged to the server's receive "
                                 "window, which was full for 30 %")));
}

// 200 requests of 100 bytes a second over a round trip of 100 ms are 2,000 bytes in flight.
TEST(Findings, ABacklogIsChargedToASendBufferThatThePathFills) {
  for (const auto& [granted, blamed] : {std::pair("2200", true), std::pair("4000", false)}) {
    CampaignEvidence campaign = Backlogged();
    campaign.constants["send_buffer"] = "1KiB";
    for (RunEvidence& run : campaign.runs) {
      result::RunResult& agent = run.agents[0];
      (*agent.mutable_transport()->mutable_facts())["send_buffer_bytes"] = granted;
      agent.mutable_tcp()->set_flows(1);
      agent.mutable_tcp()->set_min_rtt_ns(100'000'000);
    }
    const auto names = Contains(HasSubstr("charged to the client's own send buffer"));
    if (blamed) {
      EXPECT_THAT(SentencesOf(campaign), names);
    } else {
      EXPECT_THAT(SentencesOf(campaign), Not(names));
    }
    campaign.constants["send_buffer"] = "0B";  // then it grows
    EXPECT_THAT(SentencesOf(campaign), Not(names));
  }
}

TEST(Findings, ABacklogWhoseLimiterIsNotKnownIsChargedToNobody) {
  EXPECT_THAT(SentencesOf(Backlogged()), Contains(HasSubstr("who limits it is not known")));
}

TEST(Findings, SayWhatMakesNumbersSuspectBeforeAnythingElse) {
  CampaignEvidence campaign = OneCell();
  *campaign.runs[1].agents[0].add_caveats() = MakeCaveat("littles_law", "hidden queueing");
  EXPECT_EQ(SentencesOf(campaign).front(), "validity: use with care: littles_law");
}

TEST(Findings, SayAlsoWhatTheAnalysisItselfFoundSuspect) {
  CampaignEvidence campaign = OneCell();
  campaign.runs[0].agents[0].set_clock_step_ns(5'000'000);
  campaign.status = "aborted";
  EXPECT_EQ(SentencesOf(campaign).front(),
            "validity: use with care: campaign_incomplete, kernel_stamps_void");
}

TEST(Bracket, BoundsAServerThatNobodyTells) {
  CampaignEvidence campaign = OneCell({.in_trace = false});
  result::NetworkBaseline& server = campaign.baselines.emplace_back();
  server.set_kind(result::NetworkBaseline::SERVER);
  server.set_to("192.0.2.1:8123");
  server.set_min_rtt_ns(10'000);
  const auto bracket_of = [](const CampaignEvidence& c) {
    const CampaignAnalysis analysis = Analyse(c);
    return BracketOf(analysis, analysis.rows.at(0));
  };
  // network+server are 540 us; the least round trip takes 10 of them.
  auto bracket = bracket_of(campaign);
  ASSERT_TRUE(bracket);
  EXPECT_DOUBLE_EQ(bracket->most_ns, 530'000);
  EXPECT_FALSE(bracket->least_ns);
  EXPECT_THAT(bracket->sentence, AllOf(HasSubstr("server: at most 530 us of the 540 us"),
                                       HasSubstr("no echo on the server's host")));
  // 100 bytes out and 4,196 in at 100 MB/s are 42.96 us; an idle echo takes 90 at most.
  AddPath(&campaign, 1e8, 1e8);
  bracket = bracket_of(campaign);
  EXPECT_DOUBLE_EQ(bracket->most_ns, 530'000 - 42'960);
  ASSERT_TRUE(bracket->least_ns);
  EXPECT_DOUBLE_EQ(*bracket->least_ns, 450'000 - 42'960);
  // With two in flight an idle echo bounds nothing.
  campaign.constants["depth"] = "2";
  bracket = bracket_of(campaign);
  EXPECT_FALSE(bracket->least_ns);
  EXPECT_THAT(bracket->sentence, HasSubstr("more than one request in flight"));
  EXPECT_FALSE(bracket_of(OneCell()));  // separated: no bracket
}

TEST(Bracket, ASlowPathToElsewhereTakesNothingAway) {
  CampaignEvidence campaign = OneCell({.in_trace = false});
  result::NetworkBaseline& server = campaign.baselines.emplace_back();
  server.set_kind(result::NetworkBaseline::SERVER);
  server.set_to("192.0.2.1:8123");
  server.set_min_rtt_ns(10'000);
  AddPath(&campaign, 1e7, 1e7);
  campaign.baselines[1].set_to("192.0.2.99:7100");
  const CampaignAnalysis analysis = Analyse(campaign);
  const auto bracket = BracketOf(analysis, analysis.rows.at(0));
  ASSERT_TRUE(bracket);
  EXPECT_DOUBLE_EQ(bracket->most_ns, 530'000);
  EXPECT_THAT(bracket->sentence, HasSubstr("serialisation not known"));
}

TEST(Bracket, WithTheClientsTimeInTheSumTheServerHasNoLowerBound) {
  CampaignEvidence campaign = OneCell({.receive_stamp = false, .in_trace = false});
  AddPath(&campaign, 1e8, 1e8);
  campaign.baselines[0].set_min_rtt_ns(10'000);
  const CampaignAnalysis analysis = Analyse(campaign);
  const auto bracket = BracketOf(analysis, analysis.rows.at(0));
  ASSERT_TRUE(bracket);
  EXPECT_FALSE(bracket->least_ns);
  EXPECT_THAT(bracket->sentence, HasSubstr("the client's own time is in it, too"));
}

// noop and get, `extra` apart, over blocks that differ far more.
CampaignEvidence TwoRungs(int64_t extra) {
  CampaignEvidence campaign =
      MakeCampaign({"epoll", "epoll"}, 12, [&](const CellInfo& cell, int repetition) {
        const int64_t block = 100'000 * (1 + repetition % 3);
        return MakeAgent(
            {.op = cell.index == 0 ? "noop" : "get",
             .requests = {},
             .unsampled = std::vector<int64_t>(100, block + (cell.index == 0 ? 0 : extra))});
      });
  campaign.cells[0].levels.push_back({"op", "noop"});
  campaign.cells[1].levels.push_back({"op", "get"});
  return campaign;
}

TEST(Ladder, GivesTheDifferenceOfNeighboursThroughBlocksThatDifferMore) {
  const CampaignEvidence campaign = TwoRungs(50'000);
  const std::vector<LadderStep> steps = LadderOf(Analyse(campaign));
  ASSERT_EQ(steps.size(), 1u);
  // A histogram's bucket is up to 0.8 % wide.
  EXPECT_NEAR(steps[0].difference_ns, 50'000, 0.016 * 350'000);
  ASSERT_TRUE(steps[0].interval);
  EXPECT_THAT(steps[0].Sentence(),
              AllOf(StartsWith("get - noop transport=epoll: "), HasSubstr("12 repetitions")));
  EXPECT_THAT(LadderOf(Analyse(OneCell())), IsEmpty());
}

// Three passes of four repetitions; the full one has packets and takes `slower` times as long.
CampaignEvidence ThreePasses(double slower) {
  CampaignEvidence campaign = OneCell();
  campaign.runs.clear();
  for (int repetition = 0; repetition < 4; ++repetition) {
    for (Pass pass : {Pass::kBare, Pass::kSampled, Pass::kFull}) {
      const bool full = pass == Pass::kFull;
      Request r;
      r.server = static_cast<int64_t>(500'000.0 * (full ? slower : 1) + 900 * repetition);
      RunEvidence run = MakeRun({MakeAgent({.requests = std::vector<Request>(200, r)})});
      run.pass = pass;
      run.repetition = repetition;
      run.run_id = std::string(Name(pass)) + std::to_string(repetition);
      if (full) {
        ObservePackets({}, &run);
        run.agents[0].mutable_usage()->set_waits(static_cast<uint64_t>(1000 * slower));
      }
      if (pass == Pass::kBare) {
        for (auto& s : *run.agents[0].mutable_samples()) s.set_probed(false);
      }
      campaign.runs.push_back(std::move(run));
    }
  }
  return campaign;
}

TEST(Passes, TheHeadlineIsBareAndThePartsAreOfThePassWithPackets) {
  const CampaignEvidence campaign = ThreePasses(1);
  const CampaignAnalysis analysis = Analyse(campaign);
  ASSERT_EQ(analysis.rows.size(), 1u);
  const CellOp& row = analysis.rows[0];
  EXPECT_EQ(row.headline, Pass::kBare);
  EXPECT_EQ(row.runs.size(), 4u);
  EXPECT_EQ(row.parts_pass, Pass::kFull);
  EXPECT_EQ(row.boundaries.rungs, (Rungs{.client_packets = true, .server_packets = true}));
  ASSERT_EQ(row.costs.size(), 2u);
  for (const ProbeCost& cost : row.costs) EXPECT_EQ(cost.perturbed, "");
  for (const CampaignCaveat& caveat : analysis.caveats) {
    EXPECT_THAT(caveat.code, Not(HasSubstr("pass"))) << caveat.text;
  }
}

TEST(Passes, WithoutPacketsThePartsAreOfTheSampledPass) {
  CampaignEvidence campaign = ThreePasses(1);
  for (RunEvidence& run : campaign.runs) {
    run.server_wire.reset();
    for (result::RunResult& agent : run.agents) agent.clear_wire();
  }
  EXPECT_EQ(Analyse(campaign).rows.at(0).parts_pass, Pass::kSampled);
}

TEST(Passes, SaysWhyPacketsThatWereAskedForAreNotThere) {
  CampaignEvidence campaign = ThreePasses(1);
  for (RunEvidence& run : campaign.runs) {
    run.server_wire.reset();
    for (result::RunResult& agent : run.agents) {
      agent.clear_wire();
      agent.mutable_wire()->set_reason("not asked for");
      if (run.pass != Pass::kFull) continue;
      agent.mutable_wire()->set_place(result::WireTrace::CLIENT);
      agent.mutable_wire()->set_reason("CAP_NET_RAW is missing");
    }
  }
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_EQ(analysis.rows.at(0).parts_pass, Pass::kSampled);
  std::string said;
  for (const CampaignCaveat& caveat : analysis.caveats) {
    if (caveat.code == "client_packets_unavailable") said += caveat.text;
  }
  EXPECT_THAT(said, AllOf(HasSubstr("CAP_NET_RAW is missing"), Not(HasSubstr("not asked for"))));
}

TEST(Passes, AClientThatNoLongerSleepsIsPerturbed) {
  CampaignEvidence campaign = ThreePasses(1);
  for (RunEvidence& run : campaign.runs) {
    run.agents[0].mutable_usage()->set_voluntary_switches(run.pass == Pass::kSampled ? 0 : 200);
  }
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_THAT(analysis.rows.at(0).costs.at(0).perturbed, HasSubstr("no longer sleeps"));
  EXPECT_EQ(analysis.rows.at(0).costs.at(1).perturbed, "");
}

TEST(Passes, APassThatChangesTheClientMarksItsPartsAsPerturbed) {
  const CampaignEvidence campaign = ThreePasses(1.2);
  const CampaignAnalysis analysis = Analyse(campaign);
  const CellOp& row = analysis.rows.at(0);
  EXPECT_EQ(row.costs.at(0).perturbed, "");
  EXPECT_THAT(row.costs.at(1).perturbed, HasSubstr("waits per request x 1.200"));
  EXPECT_THAT(SentencesOf(campaign).front(), HasSubstr("pass_perturbed"));
  bool said = false;
  for (const CampaignCaveat& caveat : analysis.caveats) said |= caveat.code == "pass_perturbed";
  EXPECT_TRUE(said);
}

TEST(Passes, WithoutABarePassTheHeadlineSaysSo) {
  CampaignEvidence campaign = ThreePasses(1);
  std::erase_if(campaign.runs, [](const RunEvidence& run) { return run.pass == Pass::kBare; });
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_EQ(analysis.rows.at(0).headline, Pass::kSampled);
  EXPECT_THAT(analysis.rows.at(0).costs, IsEmpty());
  bool said = false;
  for (const CampaignCaveat& caveat : analysis.caveats) said |= caveat.code == "no_bare_pass";
  EXPECT_TRUE(said);
}

}  // namespace
}  // namespace kbench::analysis
