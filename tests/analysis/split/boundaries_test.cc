// Which cuts a run's stamps support: what is missing, merged, shared or void merges the parts on
// its two sides, says so in a caveat, and is never guessed. Limits are tested on both sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/split/decomposition.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using result::OpSample;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Trust {
  Boundaries cuts;
  std::vector<std::string> codes;
  std::string texts;
};

Trust TrustOf(const RunEvidence& run, const std::string& op = "get") {
  Trust trust;
  std::vector<result::Caveat> caveats;
  trust.cuts = TrustedBoundaries(run, op, BestRungs(run, op, &caveats), &caveats);
  for (const result::Caveat& caveat : caveats) {
    trust.codes.push_back(caveat.code());
    trust.texts += caveat.text() + "\n";
  }
  return trust;
}

// `spoiled` of `n` requests differ as `spoil` makes them.
template <typename Spoil>
RunEvidence RunWith(int n, int spoiled, const Spoil& spoil) {
  std::vector<Request> requests(n);
  for (int i = 0; i < spoiled; ++i) spoil(&requests[i]);
  return MakeRun({MakeAgent({.requests = requests})});
}

TEST(Boundaries, AreAllMadeWhenEveryStampIsThere) {
  const Trust trust = TrustOf(UniformRun(200));
  EXPECT_EQ(trust.cuts, Boundaries{});
  EXPECT_THAT(trust.codes, IsEmpty());
}

TEST(Boundaries, SendIsGivenUpAboveTwoPercentOfUntrustedStamps) {
  const auto spoilers = {
      +[](Request* r) { r->send_stamp = false; },
      +[](Request* r) { r->flags = OpSample::MERGED_SEND_STAMP; },
      +[](Request* r) { r->flags = OpSample::MULTI_SEGMENT_REQUEST; },
  };
  for (const auto spoil : spoilers) {
    EXPECT_EQ(TrustOf(RunWith(200, 4, spoil)).cuts, Boundaries{});
    const Trust trust = TrustOf(RunWith(200, 5, spoil));
    EXPECT_EQ(trust.cuts, Boundaries{.send = false});
    EXPECT_THAT(trust.codes, ElementsAre("send_boundary_unavailable"));
    EXPECT_THAT(trust.texts, AllOf(HasSubstr("200 probed requests"), HasSubstr("2.5 %")));
  }
}

TEST(Boundaries, ReceiveIsGivenUpAboveTwoPercentOfUntrustedStamps) {
  const auto spoilers = {
      +[](Request* r) { r->receive_stamp = false; },
      +[](Request* r) { r->flags = OpSample::SHARED_RECEIVE_STAMP; },
  };
  for (const auto spoil : spoilers) {
    EXPECT_EQ(TrustOf(RunWith(200, 4, spoil)).cuts, Boundaries{});
    const Trust trust = TrustOf(RunWith(200, 5, spoil));
    EXPECT_EQ(trust.cuts, Boundaries{.receive = false});
    EXPECT_THAT(trust.codes, ElementsAre("receive_boundary_unavailable"));
  }
}

TEST(Boundaries, ServerNeedsAllButOneInTwoHundredInItsTrace) {
  const auto spoil = [](Request* r) { r->in_trace = false; };
  EXPECT_EQ(TrustOf(RunWith(200, 1, spoil)).cuts, Boundaries{});
  RunEvidence run = RunWith(200, 2, spoil);
  run.agents[0].mutable_server_trace()->set_overwritten(17);
  const Trust trust = TrustOf(run);
  EXPECT_EQ(trust.cuts, Boundaries{.server = false});
  EXPECT_THAT(trust.codes, ElementsAre("server_split_unavailable"));
  EXPECT_THAT(trust.texts, AllOf(HasSubstr("198 of 200"), HasSubstr("overwrote 17")));
}

TEST(Boundaries, ServerIsGivenUpWhenItsReceiveStampsBelongToSeveralRequests) {
  const auto spoil = [](Request* r) { r->residence_flags = 1 | 2; };
  EXPECT_EQ(TrustOf(RunWith(200, 4, spoil)).cuts, Boundaries{});
  EXPECT_EQ(TrustOf(RunWith(200, 5, spoil)).cuts, Boundaries{.server = false});
}

TEST(Boundaries, AServerWithoutATraceGivesItsReasonOn) {
  RunEvidence run = UniformRun(200);
  run.agents[0].clear_server_trace();
  run.agents[0].mutable_server_trace()->set_reason("it answered NOT_FOUND to GETLOG");
  const Trust trust = TrustOf(run);
  EXPECT_EQ(trust.cuts, Boundaries{.server = false});
  EXPECT_THAT(trust.texts, HasSubstr("it answered NOT_FOUND to GETLOG"));
}

TEST(Boundaries, TwoDifferentResidencesOfOneRequestAreNone) {
  RunEvidence run = UniformRun(100);
  result::ServerTrace& trace = *run.agents[0].mutable_server_trace();
  *trace.add_records() = trace.records(0);  // said twice: harmless
  EXPECT_EQ(TrustOf(run).cuts, Boundaries{});
  trace.mutable_records(100)->set_residence_ns(1);  // said twice, differently: which one?
  EXPECT_EQ(TrustOf(run).cuts, Boundaries{.server = false});
}

TEST(Boundaries, AResidenceOfAnotherConnectionIsNotThisRequests) {
  RunEvidence run = UniformRun(100);
  for (auto& record : *run.agents[0].mutable_server_trace()->mutable_records()) {
    record.set_connection_id(record.connection_id() + 1);
  }
  EXPECT_EQ(TrustOf(run).cuts, Boundaries{.server = false});
}

TEST(Boundaries, AClientsClockStepVoidsTheKernelsStampsInBothDirections) {
  for (const int64_t step : {1'001, -1'001}) {
    RunEvidence run = UniformRun(200);
    run.agents[0].set_clock_step_ns(step);
    const Trust trust = TrustOf(run);
    EXPECT_EQ(trust.cuts, (Boundaries{.send = false, .receive = false}));
    EXPECT_THAT(trust.codes, ElementsAre("kernel_stamps_void"));
    EXPECT_THAT(trust.texts, HasSubstr("agent-0"));
  }
  RunEvidence run = UniformRun(200);
  run.agents[0].set_clock_step_ns(1'000);
  EXPECT_EQ(TrustOf(run).cuts, Boundaries{});
}

TEST(Boundaries, AServersClockStepVoidsItsResidencesAlone) {
  RunEvidence run = UniformRun(200);
  run.agents[0].mutable_server_trace()->set_clock_step_ns(-1'001);
  EXPECT_EQ(TrustOf(run).cuts, Boundaries{.server = false});
  run.agents[0].mutable_server_trace()->set_clock_step_ns(-1'000);
  EXPECT_EQ(TrustOf(run).cuts, Boundaries{});
}

TEST(Boundaries, OneAgentWithAStepSpoilsTheRun) {
  RunEvidence run = UniformRun(200);
  run.agents.push_back(MakeAgent({.name = "agent-1", .requests = std::vector<Request>(200)}));
  run.agents[1].set_clock_step_ns(5'000);
  EXPECT_EQ(TrustOf(run).cuts, (Boundaries{.send = false, .receive = false}));
}

TEST(Boundaries, AResidenceFromTheServersUserSpaceIsUsedAndSaid) {
  const auto spoil = [](Request* r) { r->residence_flags = 0; };
  const Trust trust = TrustOf(RunWith(200, 200, spoil));
  EXPECT_EQ(trust.cuts, Boundaries{});
  EXPECT_THAT(trust.codes, ElementsAre("server_stamp_user"));
  EXPECT_THAT(TrustOf(RunWith(200, 4, spoil)).codes, IsEmpty());
}

TEST(Boundaries, RequestsThatWereNotProbedDoNotCountAsMissingStamps) {
  const auto spoil = [](Request* r) {
    r->probed = r->send_stamp = r->receive_stamp = r->in_trace = false;
  };
  EXPECT_EQ(TrustOf(RunWith(200, 150, spoil)).cuts, Boundaries{});
}

TEST(Boundaries, ARunWithoutProbesHasNoKernelStampsToCutAt) {
  const RunEvidence run =
      RunWith(200, 200, [](Request* r) { r->probed = r->send_stamp = r->receive_stamp = false; });
  EXPECT_EQ(TrustOf(run).cuts, (Boundaries{.send = false, .receive = false}));
  const Decomposition d = Decompose(run, Summarize(run), "get");
  EXPECT_EQ(d.samples_used, 200u);
  EXPECT_EQ(d.parts[3].name, "client_send+network+client_receive");
  EXPECT_EQ(d.parts[3].sum_ns, 200 * (3'000 + 40'000 + 15'000));
}

TEST(Boundaries, OfAllOpsAreThoseThatEveryOpSupports) {
  result::RunResult agent = MakeAgent({.requests = std::vector<Request>(200)});
  agent.add_ops()->set_op("put");
  for (int i = 0; i < 10; ++i) {
    OpSample put = agent.samples(i);
    put.set_op(1);
    put.set_kernel_sent(0);  // 100 % of the puts, under 5 % of all samples
    *agent.add_samples() = put;
  }
  const RunEvidence run = MakeRun({agent});
  EXPECT_EQ(TrustOf(run, "get").cuts, Boundaries{});
  EXPECT_EQ(TrustOf(run, "put").cuts, Boundaries{.send = false});
  EXPECT_EQ(TrustOf(run, "all").cuts, Boundaries{.send = false});
}

TEST(Boundaries, DecompositionUsesWhatThisRunAndItsCellBothSupport) {
  const RunEvidence run = RunWith(200, 200, [](Request* r) { r->send_stamp = false; });
  const Decomposition d = Decompose(run, Summarize(run), "get", {.server = false});
  EXPECT_EQ(d.boundaries, (Boundaries{.send = false, .server = false}));
  EXPECT_EQ(d.parts[3].name, "client_send+network+server");
  EXPECT_EQ(d.samples_used, 200u);  // what is not cut needs no stamp
}

}  // namespace
}  // namespace kbench::analysis
