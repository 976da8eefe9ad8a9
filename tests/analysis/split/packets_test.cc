// Parts and causes from packets that observers saw on both hosts, against requests whose every
// part is known: the parts come out to the nanosecond, whatever the hosts' clocks say, and where
// packets are missing or wrong the kernel's stamps or nothing take their place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "analysis/split/decomposition.h"
#include "base/random.h"
#include "tests/analysis/synthetic.h"

namespace kbench::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Decomposition Cut(const RunEvidence& run) { return Decompose(run, Summarize(run), "get"); }

std::vector<int64_t> Sums(const std::vector<PartStats>& parts) {
  std::vector<int64_t> sums;
  for (const PartStats& part : parts) sums.push_back(part.sum_ns);
  return sums;
}

std::vector<std::string> Names(const std::vector<PartStats>& parts) {
  std::vector<std::string> names;
  for (const PartStats& part : parts) names.push_back(part.name);
  return names;
}

RunEvidence Seen(int n, const Request& request, const PacketsSeen& seen = {}) {
  RunEvidence run = UniformRun(n, request);
  ObservePackets(seen, &run);
  return run;
}

std::string Texts(const Decomposition& d) {
  std::string texts;
  for (const result::Caveat& c : d.caveats) texts += c.code() + ": " + c.text() + "\n";
  return texts;
}

TEST(Packets, GiveEveryPlantedPartBackToTheNanosecondAndNeedNoKernelStamp) {
  Random random(5);
  const auto length = [&] { return 30'000 + static_cast<int64_t>(random.Below(2'000'000)); };
  for (int i = 0; i < 40; ++i) {
    const Request r = {.wait = length(),
                       .encode = length(),
                       .submit = length(),
                       .send = length(),
                       .network = length(),
                       .server = length(),
                       .receive = length(),
                       .decode = length()};
    RunEvidence run = Seen(1, r);
    result::RunResult& agent = run.agents[0];
    agent.mutable_samples(0)->set_kernel_sent(0);
    agent.mutable_samples(0)->set_kernel_received(0);
    agent.mutable_server_trace()->Clear();
    const Decomposition d = Cut(run);
    EXPECT_EQ(d.boundaries.rungs, (Rungs{.client_packets = true, .server_packets = true}));
    EXPECT_THAT(Sums(d.parts), ElementsAre(r.wait, r.encode, r.submit, r.send, r.network, r.server,
                                           r.receive, r.decode));
  }
}

// Acceptance row 8: the server's clock elsewhere, and of another rate.
TEST(Packets, TheServersClockMovesNothingAndItsRateAlmostNothing) {
  const Request r;
  const Decomposition before = Cut(Seen(200, r));
  for (const int64_t offset : {3'700'000ll, -250'000'000ll, 86'400'000'000'000ll}) {
    EXPECT_EQ(Sums(Cut(Seen(200, r, {.server_offset = offset})).parts), Sums(before.parts));
  }
  for (const double ppm : {50.0, 200.0, -200.0}) {
    const Decomposition d = Cut(Seen(200, r, {.server_rate = 1 + ppm * 1e-6}));
    for (size_t i = 0; i < d.parts.size(); ++i) {
      EXPECT_LE(std::abs(d.parts[i].mean_ns - before.parts[i].mean_ns), 1'000)
          << d.parts[i].name << " at " << ppm << " ppm";
    }
  }
}

TEST(Packets, ShowTransferAndEmissionBesideThePartsNotInTheirSum) {
  const Decomposition d = Cut(Seen(100, {}));
  EXPECT_THAT(Names(d.inside),
              ElementsAre("request_transfer", "response_transfer", "server_emission"));
  EXPECT_THAT(Sums(d.inside), ElementsAre(100 * 1'100, 100 * 2'300, 100 * 1'700));
  const std::vector<int64_t> sums = Sums(d.parts);
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), 100 * Request{}.response());
}

TEST(Packets, BelowTheMatchRateTheyAreNotUsedAndThatIsSaid) {
  RunEvidence run = Seen(1000, {});
  const auto drop = [](int n, result::WireTrace* trace) {
    for (int i = 0; i < n; ++i) trace->mutable_records(i)->set_response_last(0);
  };
  drop(5, run.agents[0].mutable_wire());
  EXPECT_TRUE(Cut(run).boundaries.rungs.client_packets);  // 99.5 %
  EXPECT_EQ(Cut(run).excluded.at("no_client_packets"), 5u);
  drop(6, run.agents[0].mutable_wire());
  run.agents[0].mutable_wire()->set_ring_drops(17);
  drop(6, &*run.server_wire);
  const Decomposition d = Cut(run);
  EXPECT_EQ(d.boundaries.rungs, Rungs{});  // kernel stamps and the server's own record instead
  EXPECT_TRUE(d.boundaries.send && d.boundaries.receive && d.boundaries.server);
  EXPECT_THAT(Texts(d), HasSubstr("client_packets_unavailable: get: packets on the host of agent "
                                  "agent-0 are not used: only 994 of 1000"));
  EXPECT_THAT(Texts(d), HasSubstr("dropped 17 of"));
  EXPECT_THAT(Texts(d), HasSubstr("server_packets_unavailable"));
}

TEST(Packets, AServerThatOnlyPacketsCouldTellIsWithheldWithoutThem) {
  RunEvidence run = Seen(200, {});
  run.agents[0].mutable_server_trace()->Clear();
  for (int i = 0; i < 2; ++i) run.server_wire->mutable_records(i)->set_request_last(0);
  const Decomposition d = Cut(run);
  EXPECT_FALSE(d.boundaries.server);
  EXPECT_THAT(Texts(d), HasSubstr("server_packets_unavailable"));
  EXPECT_THAT(Texts(d), HasSubstr("server_split_unavailable"));
}

TEST(Packets, AreVoidWhereAClockStepped) {
  RunEvidence run = Seen(200, {});
  run.agents[0].mutable_wire()->set_clock_step_ns(-1'001);
  run.server_wire->set_clock_step_ns(1'001);
  const Decomposition d = Cut(run);
  EXPECT_EQ(d.boundaries.rungs, Rungs{});
  EXPECT_THAT(Texts(d), HasSubstr("clock of client.example stepped"));
  EXPECT_THAT(Texts(d), HasSubstr("clock of server.example stepped"));
}

TEST(Packets, AnObserverThatCouldNotWatchSaysWhy) {
  RunEvidence run = UniformRun(200);
  run.agents[0].mutable_wire()->set_place(result::WireTrace::CLIENT);
  run.agents[0].mutable_wire()->set_reason("no CAP_NET_RAW");
  const Decomposition d = Cut(run);
  EXPECT_THAT(Texts(d), HasSubstr("no CAP_NET_RAW"));
  EXPECT_EQ(d.samples_used, 200u);
}

TEST(Packets, OneRequestWithTwoDifferentRecordsHasNone) {
  RunEvidence run = Seen(200, {});
  result::WireRecord twice = run.server_wire->records(0);
  twice.set_response_first(twice.response_first() + 1);
  *run.server_wire->add_records() = twice;
  EXPECT_EQ(Cut(run).excluded.at("no_server_packets"), 1u);
}

TEST(Causes, SumToTheResponseAndNameTheServersQueueing) {
  const Request r;
  const Decomposition d = Cut(Seen(100, r));
  EXPECT_THAT(Names(d.causes),
              ElementsAre("wait", "client_work", "client_queueing", "client_stack", "backlog",
                          "network", "server_queueing", "server_service"));
  EXPECT_THAT(Sums(d.causes), ElementsAre(100 * r.wait, 100 * (r.encode + r.submit + r.decode), 0,
                                          100 * (r.send + r.receive), 0, 100 * r.network,
                                          100 * (r.server - 20'000), 100 * 20'000));
}

TEST(Causes, AnswersThatTheWorkerWasTooBusyToTakeAreClientQueueing) {
  const Request r;
  RunEvidence run = Seen(100, r);
  for (auto& s : *run.agents[0].mutable_samples()) s.set_polled(s.kernel_received() + 11'000);
  const Decomposition d = Cut(run);
  EXPECT_EQ(d.causes[2].sum_ns, 100 * 11'000);
  EXPECT_EQ(d.causes[3].sum_ns, 100 * (r.send + r.receive - 11'000));
  // Never more than the wait itself.
  for (auto& s : *run.agents[0].mutable_samples()) s.set_polled(s.received() + 1);
  EXPECT_EQ(Cut(run).causes[2].sum_ns, 100 * r.receive);
}

TEST(Causes, ARequestBehindEarlierBytesIsBacklogNotClientStack) {
  const Request r = {.submit = 500'000, .send = 300'000};
  RunEvidence run = Seen(100, r, {.before = 290'000});
  for (auto& s : *run.agents[0].mutable_samples()) s.set_send_blocked_ns(480'000);
  const Decomposition d = Cut(run);
  EXPECT_EQ(d.causes[4].sum_ns, 100 * (480'000 + 290'000));
  EXPECT_EQ(d.causes[1].sum_ns, 100 * (r.encode + 20'000 + r.decode));
  EXPECT_EQ(d.causes[3].sum_ns, 100 * (10'000 + r.receive));
  const std::vector<int64_t> sums = Sums(d.causes);
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), 100 * r.response());
}

TEST(Causes, AreNotGuessedWithoutTheWorkersLooks) {
  RunEvidence run = Seen(100, {});
  run.agents[0].mutable_samples(3)->set_polled(0);
  EXPECT_THAT(Cut(run).causes, IsEmpty());
}

}  // namespace
}  // namespace kbench::analysis
