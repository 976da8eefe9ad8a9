// The sentences: which part is largest, what a faster client could give at most, whether two
// transports differ, and what is withheld.
#include "analysis/verdict/verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/split/campaign_analysis.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::string SentenceOf(const Request& request, int repetitions = 3) {
  const CampaignEvidence campaign = MakeCampaign({"epoll"}, repetitions, [&](const CellInfo&, int) {
    return MakeAgent({.requests = std::vector<Request>(200, request)});
  });
  return PartsSentence(Analyse(campaign).rows.at(0));
}

TEST(PartsSentence, NamesTheServerWhenItDominates) {
  EXPECT_EQ(SentenceOf({.server = 933'000}),
            "server is the largest part: 93.3 % [93.3, 93.3] of mean response (3 repetitions, 600 "
            "sampled requests); a faster client stack could remove at most 26.0 us of 1.00 ms "
            "(bound, at this load)");
}

TEST(PartsSentence, NamesTheNetworkWhenItDominates) {
  EXPECT_THAT(SentenceOf({.network = 2'000'000, .server = 10'000}),
              StartsWith("network is the largest part: 98."));
}

TEST(PartsSentence, NamesThePartOfTheClientThatDominatesAndBoundsWhatItCouldGive) {
  const std::string sentence =
      SentenceOf({.network = 10'000, .server = 10'000, .receive = 900'000});
  EXPECT_THAT(sentence, StartsWith("client_receive is the largest part: 96."));
  // user + send + receive + decode, of everything
  EXPECT_THAT(sentence, HasSubstr("could remove at most 911 us of 932 us (bound, at this load)"));
}

TEST(PartsSentence, WaitIsLoadAndNoFasterClientRemovesIt) {
  const std::string sentence = SentenceOf({.wait = 5'000'000});
  EXPECT_THAT(sentence, StartsWith("wait is the largest part"));
  EXPECT_THAT(sentence, HasSubstr("remove at most 26.0 us"));
}

TEST(PartsSentence, BoundsNothingWhenTheClientHadNoCpuOfItsOwn) {
  for (const char* code : {"client_saturated", "cpu_contended", "cores_oversubscribed"}) {
    CampaignEvidence campaign = MakeCampaign({"epoll"}, 3, [&](const CellInfo&, int) {
      return MakeAgent({.requests = std::vector<Request>(200)});
    });
    *campaign.runs[1].agents[0].add_caveats() = MakeCaveat(code, "busy");
    const std::string sentence = PartsSentence(Analyse(campaign).rows.at(0));
    EXPECT_THAT(sentence, StartsWith("server is the largest part"));
    EXPECT_THAT(sentence, Not(HasSubstr("at most")));
    EXPECT_THAT(sentence, HasSubstr(code));
  }
}

TEST(PartsSentence, HasNoIntervalFromFewRepetitions) {
  EXPECT_THAT(SentenceOf({}, 2), AllOf(HasSubstr("(2 repetitions"), Not(HasSubstr("["))));
  EXPECT_THAT(SentenceOf({}, 1), HasSubstr("(1 repetition,"));
}

TEST(PartsSentence, WithholdsTheServerWhenItIsNotSeparated) {
  const std::string sentence = SentenceOf({.in_trace = false});
  EXPECT_THAT(sentence, StartsWith("network+server is the largest part"));
  EXPECT_THAT(sentence, HasSubstr("; server and network are not separated"));
}

TEST(PartsSentence, ABoundThatHoldsMoreThanTheClientSaysSo) {
  const std::string sentence = SentenceOf({.send_stamp = false});
  EXPECT_THAT(sentence, HasSubstr("not separated: client_send+network"));
  EXPECT_THAT(sentence, HasSubstr("remove at most 66.0 us"));  // network counted whole
}

TEST(PartsSentence, WithoutSamplesClaimsNothing) {
  const CampaignEvidence campaign = MakeCampaign({"epoll"}, 3, [](const CellInfo&, int) {
    return MakeAgent({.requests = {}, .unsampled = std::vector<int64_t>(100, 50'000)});
  });
  EXPECT_EQ(PartsSentence(Analyse(campaign).rows.at(0)),
            "parts not available: no sampled request could be separated");
}

TEST(BoundOfClientStack, IsTheSumOfTheClientsPartsAndOfNothingElse) {
  const Request r;
  const CampaignEvidence campaign = MakeCampaign({"epoll"}, 1, [&](const CellInfo&, int) {
    return MakeAgent({.requests = std::vector<Request>(100, r)});
  });
  const CampaignAnalysis analysis = Analyse(campaign);
  const ClientBound bound = BoundOfClientStack(analysis.rows.at(0));
  EXPECT_DOUBLE_EQ(bound.removable_ns, r.encode + r.submit + r.send + r.receive + r.decode);
  EXPECT_DOUBLE_EQ(bound.of_ns, r.response());
  EXPECT_THAT(bound.merged, IsEmpty());
}

// Blocks differ twofold; uring takes `ratio` of epoll's time in each.
std::vector<TransportComparison> Transports(double ratio, int repetitions) {
  const CampaignEvidence campaign =
      MakeCampaign({"epoll", "uring"}, repetitions, [&](const CellInfo& cell, int repetition) {
        const double block = 200'000.0 * (1 + repetition % 2);
        const double jitter = 1 + 0.004 * ((repetition * 7 + cell.index * 3) % 5);
        const double response = block * jitter * (cell.index == 1 ? ratio : 1);
        return MakeAgent({.requests = {},
                          .unsampled = std::vector<int64_t>(100, static_cast<int64_t>(response))});
      });
  return CompareTransports(Analyse(campaign));
}

TEST(CompareTransports, FindsAPlantedDifferenceThroughBlocksThatDifferMore) {
  const auto comparisons = Transports(1.3, 6);
  ASSERT_EQ(comparisons.size(), 1u);
  EXPECT_EQ(comparisons[0].verdict.verdict, Verdict::kDifferent);
  EXPECT_NEAR(comparisons[0].p50.ratio, 1.3, 0.02);
  EXPECT_THAT(comparisons[0].Sentence(),
              AllOf(StartsWith("get: uring against epoll: p50 x 1.3"), HasSubstr("6 repetitions"),
                    HasSubstr(": different")));
}

TEST(CompareTransports, CallsEqualOnesEquivalentFromFiveRepetitionsOn) {
  EXPECT_THAT(Transports(1, 6).at(0).Sentence(), HasSubstr("equivalent within 5 %"));
  EXPECT_THAT(Transports(1, 4).at(0).Sentence(),
              AllOf(HasSubstr("inconclusive"), HasSubstr("about 5 repetitions needed")));
}

TEST(CompareTransports, WithholdsAVerdictFromTwoRepetitions) {
  EXPECT_THAT(Transports(3, 2).at(0).Sentence(),
              HasSubstr("inconclusive (2 repetitions: not enough for a verdict"));
}

TEST(CompareTransports, PairsOnlyCellsThatAreOtherwiseEqual) {
  CampaignEvidence campaign = MakeCampaign(
      {"epoll", "uring", "epoll", "uring"}, 3,
      [](const CellInfo&, int) { return MakeAgent({.requests = std::vector<Request>(100)}); });
  for (CellInfo& cell : campaign.cells) {
    cell.levels.push_back({"workload.value_size", cell.index < 2 ? "4KiB" : "1MiB"});
  }
  const auto comparisons = CompareTransports(Analyse(campaign));
  std::vector<std::string> rests;
  rests.reserve(comparisons.size());
  for (const auto& c : comparisons) rests.push_back(c.rest);
  EXPECT_THAT(rests, ElementsAre("workload.value_size=4KiB", "workload.value_size=1MiB"));
}

TEST(CompareTransports, PairsRepetitionsByNumberWhenOneIsMissing) {
  CampaignEvidence campaign =
      MakeCampaign({"epoll", "uring"}, 6, [](const CellInfo&, int repetition) {
        const int64_t response = 100'000 * (1 + repetition);  // blocks differ sixfold
        return MakeAgent({.requests = {}, .unsampled = std::vector<int64_t>(100, response)});
      });
  campaign.runs[4].status = RunStatus::kFailed;  // epoll's repetition 2
  const auto comparisons = CompareTransports(Analyse(campaign));
  EXPECT_EQ(comparisons.at(0).p50.n, 5);
  EXPECT_DOUBLE_EQ(comparisons.at(0).p50.ratio, 1);
  EXPECT_EQ(comparisons.at(0).verdict.verdict, Verdict::kEquivalent);
}

}  // namespace
}  // namespace kbench::analysis
