// What is injected is in every request, where it was ordered, and nowhere else; and the result says
// so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/run/runner.h"
#include "base/units.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"
#include "tests/base/judge.h"

namespace kbench {
namespace {

using testing::HasSubstr;

std::string CaveatText(const RunOutcome& outcome, absl::string_view code) {
  for (const Caveat& caveat : outcome.caveats) {
    if (caveat.code == code) return caveat.text;
  }
  return "";
}

class Injected : public testing::TestWithParam<TransportKind> {
 protected:
  // Loads 200 keys and runs 20 requests on each of two flows, every one sampled.
  RunOutcome Run(const Inject& inject) {
    RecordingServer server({.record = false});
    RunSpec spec = SmallSpec(server.address());
    spec.transport = GetParam();
    spec.ops.push_back({.kind = OpKind::kBatch});
    spec.flows = 2;
    spec.load = true;
    spec.keys = 200;
    spec.sample_every = 1;
    spec.samples_max = 1000;
    spec.duration = Seconds(60);
    spec.op_timeout = Seconds(60);  // a machine that stands still loses nothing
    spec.max_ops_per_flow = 20;
    spec.inject = inject;
    Runner runner(spec);
    const absl::Status prepared = runner.Prepare();
    EXPECT_TRUE(prepared.ok()) << prepared;
    const MonoTime loading = MonoNow();
    EXPECT_TRUE(runner.Load().ok());
    load_ = MonoNow() - loading;
    auto outcome = runner.Run(MonoNow() + Millis(100), [](const Interval&) {});
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->samples.size(), 40u);
    return *std::move(outcome);
  }

  void SetUp() override {
    if (!MakeTransport(GetParam(), {}).ok()) GTEST_SKIP() << "no such transport here";
  }

  Nanos load_;
};

TEST_P(Injected, EncodeBurnIsInEveryRequestOfTheMeasuredStageAlone) {
  const ForeignCpu others;
  const RunOutcome outcome = Run({.encode = Millis(20)});
  for (const OpRecord& sample : outcome.samples) {
    EXPECT_GE(sample.encoded - sample.started, Millis(20));
  }
  JudgeWhenQuiet(load_ < Millis(20) * 200,
                 {.what = "loading 200 keys",
                  .figure = FormatDuration(load_),
                  .bound = "less than burning for each would take"},
                 others.Cpus());
  EXPECT_THAT(CaveatText(outcome, "injected"),
              HasSubstr("20ms of CPU time while a request is encoded"));
}

TEST_P(Injected, DecodeBurnIsInEveryAnswer) {
  const RunOutcome outcome = Run({.decode = Millis(2)});
  for (const OpRecord& sample : outcome.samples) {
    EXPECT_GE(sample.decoded - sample.received, Millis(2));
  }
  EXPECT_THAT(CaveatText(outcome, "injected"),
              HasSubstr("2ms of CPU time while an answer is decoded"));
}

TEST_P(Injected, ARelayDelaysEveryRequestOnItsWay) {
  const RunOutcome outcome = Run({.relay = true, .relay_delay = Millis(1)});
  for (const OpRecord& sample : outcome.samples) {
    EXPECT_GE(sample.received - sample.send.submitted, Millis(2));
  }
  EXPECT_GE(outcome.relay.chunks, 80u);
  EXPECT_GE(outcome.relay.up, Millis(1));
  EXPECT_GE(outcome.relay.down, Millis(1));
  EXPECT_THAT(CaveatText(outcome, "injected"), HasSubstr("1ms each way in a relay"));
  // The server's own account is fetched round the relay.
  EXPECT_THAT(outcome.server_trace.reason, HasSubstr("NOT_FOUND"));
}

TEST_P(Injected, NothingIsSaidWhereNothingIsInjected) {
  EXPECT_EQ(CaveatText(Run({}), "injected"), "");
}

INSTANTIATE_TEST_SUITE_P(Stacks, Injected,
                         testing::Values(TransportKind::kSocket, TransportKind::kEpoll,
                                         TransportKind::kUring),
                         [](const auto& tested) { return std::string(Name(tested.param)); });

TEST(InjectedRelay, NamesAServerThatIsNotThere) {
  HostPort free_port;
  { free_port = RecordingServer().address(); }
  RunSpec spec = SmallSpec(free_port);
  spec.inject.relay = true;
  const absl::Status status = Runner(spec).Prepare();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(free_port.ToString()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("refused"));
}

}  // namespace
}  // namespace kbench
