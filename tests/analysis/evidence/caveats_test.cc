// Every reason not to believe a result: it is raised when it should be, once, with the runs and
// cells it concerns; a clean campaign raises none.
#include "analysis/evidence/caveats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "analysis/evidence/run_summary.h"
#include "analysis/split/campaign_analysis.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kRepetitions = 6;

CampaignEvidence CleanCampaign(int repetitions = kRepetitions) {
  return MakeCampaign({"epoll", "uring"}, repetitions, [](const CellInfo&, int) {
    return MakeAgent({.requests = std::vector<Request>(200)});
  });
}

std::vector<std::string> Codes(const CampaignEvidence& campaign) {
  std::vector<std::string> codes;
  for (const CampaignCaveat& caveat : Analyse(campaign).caveats) codes.push_back(caveat.code);
  return codes;
}

// What is wrong with one run, and the code that must be raised for it, alone.
struct Fault {
  std::string code;
  std::function<void(RunEvidence*)> plant;
};

result::RunResult WithRequests(const std::function<void(int, Request*)>& change) {
  std::vector<Request> requests(200);
  for (int i = 0; i < 200; ++i) change(i, &requests[i]);
  return MakeAgent({.requests = requests});
}

std::vector<Fault> Faults() {
  return {
      {"counts_do_not_add_up",
       [](RunEvidence* run) { run->agents[0].mutable_counts()->set_unsent(3); }},
      {"histogram_unreadable",
       [](RunEvidence* run) { run->agents[0].mutable_ops(0)->set_service_ns("\x01\xff"); }},
      {"kernel_stamps_void", [](RunEvidence* run) { run->agents[0].set_clock_step_ns(2'000); }},
      {"send_boundary_unavailable",
       [](RunEvidence* run) {
         run->agents[0] = WithRequests([](int, Request* r) { r->send_stamp = false; });
       }},
      {"receive_boundary_unavailable",
       [](RunEvidence* run) {
         run->agents[0] = WithRequests([](int, Request* r) { r->receive_stamp = false; });
       }},
      {"server_split_unavailable",
       [](RunEvidence* run) { run->agents[0].mutable_server_trace()->set_available(false); }},
      {"server_stamp_user",
       [](RunEvidence* run) {
         run->agents[0] = WithRequests([](int, Request* r) { r->residence_flags = 0; });
       }},
      {"negative_part",
       [](RunEvidence* run) {
         run->agents[0] = WithRequests([](int i, Request* r) { r->network = i < 3 ? -1 : 40'000; });
       }},
      {"residual_large",
       [](RunEvidence* run) {
         run->agents[0] = MakeAgent({.requests = std::vector<Request>(200),
                                     .unsampled = std::vector<int64_t>(200, 400'000)});
       }},
      {"few_samples",
       [](RunEvidence* run) {
         run->agents[0] = MakeAgent({.requests = std::vector<Request>(99)});
       }},
      {"no_samples", [](RunEvidence* run) { run->agents[0].clear_samples(); }},
      {"samples_dropped", [](RunEvidence* run) { run->agents[0].set_samples_dropped(5); }},
      {"runs_left_out", [](RunEvidence* run) { run->agents.clear(); }},
  };
}

TEST(Caveats, ACleanCampaignHasNone) { EXPECT_THAT(Codes(CleanCampaign()), IsEmpty()); }

TEST(Caveats, EachFaultRaisesItsOwnCodeAndNoOther) {
  for (const Fault& fault : Faults()) {
    SCOPED_TRACE(fault.code);
    CampaignEvidence campaign = CleanCampaign(kRepetitions + 1);  // one may be left out
    fault.plant(&campaign.runs[3]);
    const CampaignAnalysis analysis = Analyse(campaign);
    ASSERT_THAT(Codes(campaign), ElementsAre(fault.code));
    EXPECT_EQ(analysis.caveats[0].runs, 1);
    EXPECT_THAT(analysis.caveats[0].cells, ElementsAre(1));
    EXPECT_THAT(analysis.caveats[0].text, testing::Not(IsEmpty()));
  }
}

TEST(Caveats, DoNotFireJustInsideTheirLimits) {
  CampaignEvidence campaign = CleanCampaign();
  campaign.runs[0].agents[0] =
      WithRequests([](int i, Request* r) { r->network = i < 2 ? -1 : 40'000; });  // 1 %
  campaign.runs[1].agents[0] = MakeAgent({.requests = std::vector<Request>(100)});
  const int64_t faster = Request{}.response() * 92 / 100;  // the mean of all is 4 % lower
  campaign.runs[2].agents[0] = MakeAgent(
      {.requests = std::vector<Request>(200), .unsampled = std::vector<int64_t>(200, faster)});
  campaign.runs[3].agents[0].set_clock_step_ns(-1'000);
  EXPECT_THAT(Codes(campaign), IsEmpty());
}

TEST(Caveats, FewRepetitionsAndSmallBootstrapsAreSaid) {
  EXPECT_THAT(Codes(CleanCampaign(2)), ElementsAre("few_repetitions"));
  ASSERT_THAT(Codes(CleanCampaign(3)), ElementsAre("small_bootstrap"));
  EXPECT_THAT(Codes(CleanCampaign(5)), ElementsAre("small_bootstrap"));
  EXPECT_THAT(Codes(CleanCampaign(6)), IsEmpty());
  EXPECT_THAT(Analyse(CleanCampaign(3)).caveats[0].text, HasSubstr("at most 75 %"));
}

TEST(Caveats, ACampaignThatDidNotFinishSaysSo) {
  for (const char* status : {"aborted", "failed"}) {
    CampaignEvidence campaign = CleanCampaign();
    campaign.status = status;
    ASSERT_THAT(Codes(campaign), ElementsAre("campaign_incomplete"));
    EXPECT_THAT(Analyse(campaign).caveats[0].text, HasSubstr(status));
  }
}

TEST(Caveats, OfAgentsAndControllerArePassedOn) {
  CampaignEvidence campaign = CleanCampaign();
  campaign.caveats.push_back(MakeCaveat("shared_cpu", "server and client share CPUs"));
  campaign.runs[0].caveats.push_back(MakeCaveat("late_start", "agent-0 began 4 ms late"));
  *campaign.runs[1].agents[0].add_caveats() = MakeCaveat("late_answers", "3 answers came late");
  EXPECT_THAT(Codes(campaign), ElementsAre("shared_cpu", "late_start", "late_answers"));
}

TEST(Caveats, ADropThatTheAgentSaidItselfIsNotSaidTwice) {
  CampaignEvidence campaign = CleanCampaign();
  campaign.runs[0].agents[0].set_samples_dropped(5);
  *campaign.runs[0].agents[0].add_caveats() = MakeCaveat("samples_dropped", "the trace was full");
  const CampaignAnalysis analysis = Analyse(campaign);
  ASSERT_EQ(analysis.caveats.size(), 1u);
  EXPECT_FALSE(analysis.caveats[0].texts_differ);
}

TEST(CaveatCollector, SaysOnceForManyRunsAndNamesTheCells) {
  CampaignEvidence campaign = CleanCampaign();
  for (int i : {0, 2, 4}) {  // all in cell 0
    *campaign.runs[i].agents[0].add_caveats() = MakeCaveat("clock_step", "moved by 5 us");
    campaign.runs[i].agents.push_back(campaign.runs[i].agents[0]);  // a second agent says it too
  }
  const CampaignAnalysis analysis = Analyse(campaign);
  ASSERT_EQ(analysis.caveats.size(), 1u);
  EXPECT_EQ(analysis.caveats[0].runs, 3);
  EXPECT_EQ(Sentence(analysis.caveats[0], campaign),
            "in 3 of 12 runs (1 of 2 cells: transport=epoll): moved by 5 us");
}

TEST(CaveatCollector, GivesOneExampleWhenTextsDiffer) {
  CampaignEvidence campaign = CleanCampaign();
  *campaign.runs[0].agents[0].add_caveats() = MakeCaveat("clock_step", "moved by 5 us");
  *campaign.runs[1].agents[0].add_caveats() = MakeCaveat("clock_step", "moved by 9 us");
  const CampaignAnalysis analysis = Analyse(campaign);
  EXPECT_EQ(Sentence(analysis.caveats[0], campaign),
            "in 2 of 12 runs (all cells), for example: moved by 5 us");
}

TEST(CaveatCollector, NamesAtMostFourCells) {
  CampaignEvidence campaign = MakeCampaign(
      {"a", "b", "c", "d", "e", "f", "g"}, kRepetitions,
      [](const CellInfo&, int) { return MakeAgent({.requests = std::vector<Request>(200)}); });
  for (int i = 0; i < 6; ++i) campaign.runs[i].caveats.push_back(MakeCaveat("late_start", "late"));
  EXPECT_THAT(Where(Analyse(campaign).caveats[0], campaign), HasSubstr("transport=d; and 2 more)"));
}

TEST(CaveatCollector, PutsWhatMakesARunSuspectFirst) {
  CampaignEvidence campaign = CleanCampaign();
  campaign.runs[0].caveats.push_back(MakeCaveat("late_answers", "late"));
  campaign.runs[1].caveats.push_back(MakeCaveat("client_saturated", "busy"));
  EXPECT_THAT(Codes(campaign), ElementsAre("client_saturated", "late_answers"));
  EXPECT_TRUE(MakesSuspect("client_saturated"));
  EXPECT_FALSE(MakesSuspect("late_answers"));
}

TEST(Caveats, AreAllInTheDocument) {
  std::ifstream in(std::string(KBENCH_SOURCE_DIR) + "/docs/measurement.md");
  std::stringstream document;
  document << in.rdbuf();
  for (const Fault& fault : Faults()) {
    EXPECT_THAT(document.str(), HasSubstr("`" + fault.code + "`"));
  }
  for (const char* code : {"few_repetitions", "small_bootstrap", "campaign_incomplete"}) {
    EXPECT_THAT(document.str(), HasSubstr(std::string("`") + code + "`"));
  }
}

}  // namespace
}  // namespace kbench::analysis
