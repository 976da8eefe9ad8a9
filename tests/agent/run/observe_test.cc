// A run that watches its own packets: every sampled request has its record, between the client's
// own stamps; and where nothing can be watched the result says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "agent/run/runner.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"

namespace kbench {
namespace {

using testing::HasSubstr;

RunSpec ObservedSpec(const HostPort& server) {
  RunSpec spec = SmallSpec(server);
  spec.flows = 2;
  spec.depth = 2;
  spec.sample_every = 1;
  spec.samples_max = 1000;
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 30;
  spec.observe = true;
  return spec;
}

RunOutcome RunOf(const RunSpec& spec) {
  Runner runner(spec);
  const absl::Status prepared = runner.Prepare();
  EXPECT_TRUE(prepared.ok()) << prepared;
  if (spec.load) {
    EXPECT_TRUE(runner.Load().ok());
  }
  auto outcome = runner.Run(MonoNow() + Millis(100), [](const Interval&) {});
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return *std::move(outcome);
}

class Observed : public testing::TestWithParam<TransportKind> {
 protected:
  void SetUp() override {
    if (!MakeTransport(GetParam(), {}).ok()) GTEST_SKIP() << "no such transport here";
  }

  // Each sample's record lies between the client's own stamps; `relayed`: at least so long on the
  // wire.
  void ExpectAll(const RunOutcome& outcome, Nanos relayed) {
    const observer::WireObservation& seen = outcome.wire.seen;
    std::map<std::pair<int64_t, uint64_t>, observer::WireRecord> records;
    for (const auto& record : seen.records) {
      records[{record.connection_id, record.sequence}] = record;
    }
    ASSERT_EQ(outcome.samples.size(), 60u);
    EXPECT_EQ(records.size(), 60u);
    EXPECT_EQ(seen.counters.ring_drops, 0u);
    const Nanos error = outcome.clocks.error + seen.clocks.error + Micros(1);
    for (const OpRecord& sample : outcome.samples) {
      const auto found = records.find({sample.connection_id, sample.sequence});
      ASSERT_NE(found, records.end()) << "request " << sample.sequence;
      const observer::WireRecord& record = found->second;
      EXPECT_LE(sample.send.submitted, seen.clocks.ToMono(record.request_first) + error);
      EXPECT_LE(record.request_first, record.request_last);
      EXPECT_LE(record.request_last + relayed, record.response_first);
      EXPECT_LE(record.response_first, record.response_last);
      EXPECT_LE(seen.clocks.ToMono(record.response_last), sample.received + error);
    }
    EXPECT_EQ(seen.sums.departures, 60u);
  }
};

TEST_P(Observed, EverySampledRequestHasItsPackets) {
  for (const bool load : {false, true}) {
    RecordingServer server({.record = false});
    RunSpec spec = ObservedSpec(server.address());
    spec.transport = GetParam();
    spec.load = load;
    const RunOutcome outcome = RunOf(spec);
    if (!outcome.wire.available) GTEST_SKIP() << outcome.wire.reason;
    ExpectAll(outcome, Nanos());
  }
}

TEST_P(Observed, ARelayIsPartOfTheWire) {
  RecordingServer server({.record = false});
  RunSpec spec = ObservedSpec(server.address());
  spec.transport = GetParam();
  spec.inject = {.relay = true, .relay_delay = Millis(1)};
  const RunOutcome outcome = RunOf(spec);
  if (!outcome.wire.available) GTEST_SKIP() << outcome.wire.reason;
  ExpectAll(outcome, Millis(2));
}

INSTANTIATE_TEST_SUITE_P(Stacks, Observed,
                         testing::Values(TransportKind::kSocket, TransportKind::kEpoll,
                                         TransportKind::kUring),
                         [](const auto& tested) { return std::string(Name(tested.param)); });

TEST(NotObserved, SaysWhy) {
  RecordingServer server({.record = false});
  RunSpec spec = ObservedSpec(server.address());
  spec.observe = false;
  EXPECT_EQ(RunOf(spec).wire.reason, "not asked for");
  spec.observe = true;
  spec.transport = TransportKind::kNull;
  const RunOutcome null_run = RunOf(spec);
  EXPECT_FALSE(null_run.wire.available);
  EXPECT_THAT(null_run.wire.reason, HasSubstr("null transport"));
}

}  // namespace
}  // namespace kbench
