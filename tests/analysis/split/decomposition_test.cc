// Where the time went, against requests whose parts are known to the nanosecond. What happens when
// stamps are missing is told in boundaries_test.cc.
#include "analysis/split/decomposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Decomposition Cut(const RunEvidence& run, Boundaries allowed = {}) {
  return Decompose(run, Summarize(run), "get", allowed);
}

std::vector<int64_t> Sums(const Decomposition& d) {
  std::vector<int64_t> sums;
  for (const PartStats& part : d.parts) sums.push_back(part.sum_ns);
  return sums;
}

std::vector<std::string> Names(const Decomposition& d) {
  std::vector<std::string> names;
  for (const PartStats& part : d.parts) names.push_back(part.name);
  return names;
}

Request RandomRequest(Random* random) {
  const auto length = [&] { return static_cast<int64_t>(random->Below(2'000'000)); };
  return {.wait = length(),
          .encode = length(),
          .submit = length(),
          .send = length(),
          .network = length(),
          .server = length(),
          .receive = length(),
          .decode = length()};
}

TEST(Decomposition, GivesEveryPlantedPartBackToTheNanosecond) {
  Random random(1);
  for (int i = 0; i < 50; ++i) {
    const Request r = RandomRequest(&random);
    const Decomposition d = Cut(UniformRun(1, r));
    EXPECT_THAT(Sums(d), ElementsAre(r.wait, r.encode, r.submit, r.send, r.network, r.server,
                                     r.receive, r.decode));
    EXPECT_THAT(Names(d), ElementsAre("wait", "client_encode", "client_submit", "client_send",
                                      "network", "server", "client_receive", "client_decode"));
  }
}

TEST(Decomposition, SumsToTheResponseForEveryChoiceOfCuts) {
  Random random(2);
  for (int choice = 0; choice < 8; ++choice) {
    const Boundaries cuts = {
        .send = (choice & 1) != 0, .receive = (choice & 2) != 0, .server = (choice & 4) != 0};
    for (int i = 0; i < 20; ++i) {
      const Request r = RandomRequest(&random);
      const Decomposition d = Cut(UniformRun(1, r), cuts);
      const std::vector<int64_t> sums = Sums(d);
      EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), r.response());
      EXPECT_EQ(Names(d), PartNames(cuts));
      EXPECT_EQ(d.boundaries, cuts);
      EXPECT_EQ(d.residual_ns, 0);
    }
  }
}

TEST(Decomposition, AMergedPartIsTheSumOfWhatItMerges) {
  const Request r;
  const RunEvidence run = UniformRun(1, r);
  EXPECT_THAT(
      Sums(Cut(run, {.send = false})),
      ElementsAre(r.wait, r.encode, r.submit, r.send + r.network, r.server, r.receive, r.decode));
  EXPECT_THAT(
      Sums(Cut(run, {.receive = false})),
      ElementsAre(r.wait, r.encode, r.submit, r.send, r.network + r.receive, r.server, r.decode));
  EXPECT_THAT(
      Sums(Cut(run, {.server = false})),
      ElementsAre(r.wait, r.encode, r.submit, r.send, r.network + r.server, r.receive, r.decode));
  EXPECT_THAT(Names(Cut(run, {.send = false, .receive = false, .server = false})),
              ElementsAre("wait", "client_encode", "client_submit",
                          "client_send+network+server+client_receive", "client_decode"));
}

TEST(Decomposition, DoesNotDependOnWhereTheClientsClockStands) {
  RunEvidence run = UniformRun(120);
  const Decomposition before = Cut(run);
  constexpr int64_t kShift = 86'400'000'000'000;  // the agent was booted a day earlier
  for (auto& s : *run.agents[0].mutable_samples()) {
    s.set_intended(s.intended() + kShift);
    s.set_started(s.started() + kShift);
    s.set_encoded(s.encoded() + kShift);
    s.set_submitted(s.submitted() + kShift);
    s.set_kernel_sent(s.kernel_sent() + kShift);
    s.set_kernel_received(s.kernel_received() + kShift);
    s.set_woke(s.woke() + kShift);
    s.set_received(s.received() + kShift);
    s.set_decoded(s.decoded() + kShift);
  }
  EXPECT_EQ(Sums(Cut(run)), Sums(before));
}

TEST(Decomposition, StatesMeansSharesAndOwnPercentiles) {
  std::vector<Request> requests;
  for (int i = 1; i <= 200; ++i) requests.push_back({.server = i * 1'000});
  const Decomposition d = Cut(MakeRun({MakeAgent({.requests = requests})}));
  const PartStats& server = d.parts[5];
  EXPECT_EQ(server.sum_ns, 200 * 201 / 2 * 1'000);
  EXPECT_DOUBLE_EQ(server.mean_ns, 100'500);
  EXPECT_EQ(server.p50_ns, 100'000);  // rank 100 of 200
  EXPECT_EQ(server.p99_ns, 198'000);  // rank 198
  double shares = 0;
  for (const PartStats& part : d.parts) shares += part.share;
  EXPECT_NEAR(shares, 1, 1e-12);
  EXPECT_DOUBLE_EQ(d.mean_sampled_ns, 67'000 + 100'500);
  EXPECT_DOUBLE_EQ(server.share, 100'500 / d.mean_sampled_ns);
}

TEST(Decomposition, PartsNearAPercentileAreOfTheRequestsNearItAndAddUp) {
  // Slow requests are slow in the network; the typical one is not.
  std::vector<Request> requests;
  requests.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    requests.push_back({.network = i < 980 ? 40'000 + i : 3'000'000 + i});
  }
  const Decomposition d = Cut(MakeRun({MakeAgent({.requests = requests})}));
  EXPECT_EQ(d.near_p50_samples, 100u);
  EXPECT_EQ(d.near_p99_samples, 10u);
  EXPECT_DOUBLE_EQ(d.parts[4].near_p50_ns, 40'000 + 499.5);     // ranks 450 to 549
  EXPECT_DOUBLE_EQ(d.parts[4].near_p99_ns, 3'000'000 + 989.5);  // ranks 985 to 994
  EXPECT_DOUBLE_EQ(d.parts[5].near_p99_ns, 500'000);            // the server had no part in it
  double sum = 0;
  for (const PartStats& part : d.parts) sum += part.near_p99_ns;
  EXPECT_DOUBLE_EQ(sum, Request{.network = 0}.response() + 3'000'000 + 989.5);
}

TEST(Decomposition, KeepsTheConnectionsOfTwoAgentsApart) {
  const std::vector<Request> fast(100, {.server = 100'000}), slow(100, {.server = 900'000});
  const RunEvidence run =
      MakeRun({MakeAgent({.requests = fast}), MakeAgent({.name = "agent-1", .requests = slow})});
  const Decomposition d = Cut(run);
  EXPECT_EQ(d.samples_used, 200u);
  EXPECT_EQ(d.parts[5].sum_ns, 100 * (100'000 + 900'000));
  EXPECT_EQ(d.parts[4].sum_ns, 200 * 40'000);
}

TEST(Decomposition, CutsEachOpFromItsOwnRequests) {
  result::RunResult agent = MakeAgent({.requests = std::vector<Request>(100, {.server = 100'000})});
  const result::RunResult put =
      MakeAgent({.op = "put", .requests = std::vector<Request>(100, {.server = 700'000})});
  *agent.add_ops() = put.ops(0);
  for (result::OpSample s : put.samples()) {
    s.set_op(1);
    s.set_connection_id(8);
    *agent.add_samples() = s;
  }
  for (auto record : put.server_trace().records()) {
    record.set_connection_id(8);
    *agent.mutable_server_trace()->add_records() = record;
  }
  const RunEvidence run = MakeRun({agent});
  const RunSummary summary = Summarize(run);
  EXPECT_DOUBLE_EQ(Decompose(run, summary, "get").parts[5].mean_ns, 100'000);
  EXPECT_DOUBLE_EQ(Decompose(run, summary, "put").parts[5].mean_ns, 700'000);
  EXPECT_DOUBLE_EQ(Decompose(run, summary, "all").parts[5].mean_ns, 400'000);
  EXPECT_EQ(Decompose(run, summary, "all").samples_used, 200u);
}

TEST(Decomposition, TheResidualIsWhatTheSamplesDoNotRepresent) {
  const std::vector<Request> sampled(100);
  const int64_t response = Request{}.response();
  const RunEvidence run = MakeRun({MakeAgent(
      {.requests = sampled, .unsampled = std::vector<int64_t>(300, response - 40'000)})});
  const Decomposition d = Cut(run);
  EXPECT_DOUBLE_EQ(d.mean_sampled_ns, response);
  EXPECT_DOUBLE_EQ(d.mean_all_ns, response - 30'000);
  EXPECT_DOUBLE_EQ(d.residual_ns, -30'000);
  EXPECT_DOUBLE_EQ(d.residual_share(), -30'000.0 / (response - 30'000));
}

TEST(Decomposition, CountsASampleThatItCannotUseOnceAndSaysWhy) {
  std::vector<Request> requests(1000);
  requests[0].answered = false;
  requests[1].probed = false;
  requests[2].send_stamp = false;
  requests[2].receive_stamp = false;  // counted under the first reason alone
  requests[3].flags = result::OpSample::SHARED_RECEIVE_STAMP;
  requests[4].in_trace = false;
  requests[5].residence_flags = 1 | 2;
  requests[6].flags = result::OpSample::RETRANSMITTED;  // usable, and counted
  requests[7].flags = result::OpSample::MERGED_SEND_STAMP;
  requests[8].flags = result::OpSample::MULTI_SEGMENT_REQUEST;
  const Decomposition d = Cut(MakeRun({MakeAgent({.requests = requests})}));
  EXPECT_EQ(d.samples_seen, 1000u);
  EXPECT_EQ(d.samples_used, 992u);
  using Excluded = std::map<std::string, uint64_t>;
  EXPECT_EQ(d.excluded, (Excluded{{"not_answered", 1},
                                  {"not_probed", 1},
                                  {"no_send_stamp", 1},
                                  {"merged_send_stamp", 1},
                                  {"multi_segment_request", 1},
                                  {"shared_receive_stamp", 1},
                                  {"no_residence", 1},
                                  {"shared_server_stamp", 1}}));
  uint64_t excluded = 0;
  for (const auto& [reason, n] : d.excluded) excluded += n;
  EXPECT_EQ(d.samples_seen, d.samples_used + excluded);
  EXPECT_EQ(d.retransmitted, 1u);
  EXPECT_EQ(d.residences_wanted, 998u);
  EXPECT_EQ(d.residences_matched, 997u);
  EXPECT_THAT(d.caveats, IsEmpty());
}

TEST(Decomposition, ANegativePartIsShownNotClamped) {
  std::vector<Request> requests(200);
  for (int i = 0; i < 50; ++i) requests[i].network = -7'000;  // the residence is too long
  const Decomposition d = Cut(MakeRun({MakeAgent({.requests = requests})}));
  EXPECT_EQ(d.parts[4].negative, 50u);
  EXPECT_EQ(d.parts[4].sum_ns, 150 * 40'000 - 50 * 7'000);
  EXPECT_EQ(d.samples_used, 200u);
  EXPECT_TRUE(HasCode(d.caveats, "negative_part"));
}

TEST(Decomposition, WithoutSamplesHasNoNumbersAndSaysSo) {
  const Decomposition d =
      Cut(MakeRun({MakeAgent({.requests = {}, .unsampled = {100'000, 200'000}})}));
  EXPECT_EQ(d.samples_used, 0u);
  EXPECT_EQ(d.residual_ns, 0);
  for (const PartStats& part : d.parts) EXPECT_EQ(part.sum_ns, 0) << part.name;
  ASSERT_EQ(d.caveats.size(), 1u);
  EXPECT_EQ(d.caveats[0].code(), "no_samples");
}

}  // namespace
}  // namespace kbench::analysis
