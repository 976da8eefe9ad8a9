// The judge of the self-test must be able to say no: planted slopes come out, and an attribution
// that bills a delay to the wrong part fails.
#include "analysis/split/dose_response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::HasSubstr;

const Experiment kServerBusy = {
    .name = "server busy", .axis = "server.service_time", .part = "server"};

// Five doses, six repetitions; `take` puts `dose` ns into a request.
template <typename Take>
CampaignEvidence Doses(const Take& take) {
  Random random(3);
  CampaignEvidence campaign = MakeCampaign(
      {"epoll", "epoll", "epoll", "epoll", "epoll"}, 6, [&](const CellInfo& cell, int) {
        std::vector<Request> requests(101);
        for (Request& r : requests) {
          r.network += static_cast<int64_t>(random.Below(3'000));
          take(50'000 * cell.index, &r);
        }
        return MakeAgent({.requests = requests});
      });
  for (CellInfo& cell : campaign.cells) {
    cell.levels.push_back({"server.service_time", "get=" + std::to_string(50 * cell.index) + "us"});
  }
  return campaign;
}

const Slope& Of(const DoseResponse& response, const std::string& part) {
  for (const Slope& slope : response.slopes) {
    if (slope.part == part) return slope;
  }
  static const Slope none;
  ADD_FAILURE() << "no slope of " << part;
  return none;
}

TEST(TheilSen, IsTheSlopeWhateverAFewRunsSay) {
  std::vector<Dose> doses;
  for (int i = 0; i < 50; ++i) {
    doses.push_back({.injected_ns = i * 1e3, .answered_ns = 7e5 + 0.75 * i * 1e3});
  }
  doses[3].answered_ns = 9e9;
  doses[40].answered_ns = -9e9;
  EXPECT_NEAR(TheilSen(doses), 0.75, 0.01);
  EXPECT_EQ(TheilSen({{.injected_ns = 1, .answered_ns = 5}}), 0);
}

TEST(DoseResponse, PassesWhereTheDelayShowsWhereItWasInjected) {
  const auto responses =
      ResponsesOf(kServerBusy, Doses([](int64_t dose, Request* r) { r->server += dose; }));
  ASSERT_EQ(responses.size(), 1u);
  const DoseResponse& response = responses[0];
  EXPECT_TRUE(response.ok()) << response.fault;
  EXPECT_EQ(response.runs, 30);
  EXPECT_EQ(response.evidence, "kernel stamps and the server's own record");
  EXPECT_NEAR(Of(response, "server").value, 1, 0.001);
  EXPECT_NEAR(Of(response, "network").value, 0, 0.02);
  EXPECT_LE(Of(response, "server").interval.low, 1);
  EXPECT_GE(Of(response, "server").interval.high, 1);
  EXPECT_EQ(response.doses_ns.size(), 5u);
  EXPECT_EQ(response.medians_ns.at("server").back(), 700'000);
}

TEST(DoseResponse, FailsAnAttributionThatBillsTheServerToTheNetwork) {
  const DoseResponse response =
      ResponsesOf(kServerBusy, Doses([](int64_t dose, Request* r) { r->network += dose; })).at(0);
  EXPECT_FALSE(response.ok());
  EXPECT_FALSE(Of(response, "server").ok);
  EXPECT_FALSE(Of(response, "network").ok);
  EXPECT_TRUE(Of(response, "client_decode").ok);
}

TEST(DoseResponse, FailsOnALeakOfAFewPercentUnlessItIsExpected) {
  const auto leaky = [](int64_t dose, Request* r) {
    r->server += dose;
    r->receive += dose * 8 / 100;
  };
  EXPECT_FALSE(ResponsesOf(kServerBusy, Doses(leaky)).at(0).ok());
  Experiment tolerant = kServerBusy;
  tolerant.exceptions = {{"client_receive", 0.10}};
  EXPECT_TRUE(ResponsesOf(tolerant, Doses(leaky)).at(0).ok());
}

// Server and network are one part there, which has to answer, and nothing else.
TEST(DoseResponse, OfAServerThatNobodyTellsIsTheSums) {
  const auto untold = [](int64_t dose, Request* r) {
    r->server += dose;
    r->in_trace = false;
  };
  const DoseResponse response = ResponsesOf(kServerBusy, Doses(untold)).at(0);
  EXPECT_TRUE(response.ok());
  EXPECT_FALSE(response.separates_server);
  EXPECT_TRUE(Of(response, "network+server").injected);
  Experiment tolerant = kServerBusy;
  tolerant.part = "client_encode";
  tolerant.exceptions = {{"server", 2}};
  const DoseResponse other = ResponsesOf(tolerant, Doses(untold)).at(0);
  EXPECT_EQ(Of(other, "network+server").tolerance, 2);
}

TEST(DoseResponse, SaysWhyThereIsNoAnswer) {
  const auto fine = [](int64_t dose, Request* r) { r->server += dose; };
  CampaignEvidence campaign = Doses(fine);
  campaign.runs[7].status = RunStatus::kAborted;
  campaign.runs[7].status_text = "the server was lost";
  EXPECT_THAT(ResponsesOf(kServerBusy, campaign).at(0).fault, HasSubstr("the server was lost"));
  Experiment other = kServerBusy;
  other.axis = "inject.encode";
  EXPECT_THAT(ResponsesOf(other, Doses(fine)).at(0).fault, HasSubstr("no doses on inject.encode"));
}

}  // namespace
}  // namespace kbench::analysis
