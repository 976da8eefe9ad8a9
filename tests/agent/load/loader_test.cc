// How an agent has its keys on a server before a run, over real loopback sockets.
#include "agent/load/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/run/runner.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"

namespace kbench {
namespace {

using testing::HasSubstr;

RunSpec LoadingSpec(const HostPort& server, uint64_t keys = 500) {
  RunSpec spec = SmallSpec(server);
  spec.keys = keys;
  spec.load = true;
  return spec;
}

absl::StatusOr<LoadOutcome> LoadOf(const RunSpec& spec, Nanos most = Nanos()) {
  Runner runner(spec);
  const absl::Status prepared = runner.Prepare();
  if (!prepared.ok()) return prepared;
  return runner.Load(most);
}

absl::StatusOr<LoadOutcome> LookAndLoad(RunSpec spec) {
  spec.reuse = true;
  return LoadOf(spec);
}

TEST(Loader, HasAWindowOfItsOwnOverConnectionsOfItsOwn) {
  for (const TransportKind transport :
       {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring}) {
    SCOPED_TRACE(std::string(Name(transport)));
    if (!MakeTransport(transport, {}).ok()) continue;
    RecordingServer server({.record = false, .answers_together = true});
    RunSpec spec = LoadingSpec(server.address(), 5000);
    spec.transport = transport;
    spec.depth = 1;
    spec.duration = Seconds(60);
    spec.max_ops_per_flow = 50;
    Runner runner(spec);
    ASSERT_TRUE(runner.Prepare().ok());
    const auto loaded = runner.Load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->written, 5000u);
    EXPECT_EQ(server.store().size(), 5000u);
    EXPECT_EQ(loaded->flows, 1u) << "no more than the run has";
    EXPECT_GT(loaded->widest, 64u);
    EXPECT_GT(server.most_at_once(), 16u) << "and so the server had many at once";
    EXPECT_EQ(server.accepted(), 3u) << "to prove the path, for the load, and for the run";
    const auto outcome = runner.Run(MonoNow() + Millis(10), [](const Interval&) {});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->totals().answered, 50u);
    ASSERT_TRUE(outcome->load.has_value());
    EXPECT_EQ(outcome->load->written, 5000u);
  }
}

TEST(Loader, SharesTheKeysAmongWorkersAndFlows) {
  RecordingServer server({.record = false});
  for (const uint64_t keys : {1u, 7u, 64u, 65u, 1000u}) {
    server.Forget();
    RunSpec spec = LoadingSpec(server.address(), keys);
    spec.flows = 7;
    spec.workers = 3;
    const auto loaded = LoadOf(spec);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->flows, 3u);
    EXPECT_EQ(server.store().size(), keys);
  }
}

TEST(Loader, KeepsToTheServersOwnLimitOfUnansweredWrites) {
  RecordingServer server({.record = false, .answers_together = true, .write_limit = 3});
  RunSpec spec = LoadingSpec(server.address(), 2000);
  spec.ops = {{.kind = OpKind::kGet}};
  spec.depth = 8;
  const auto loaded = LoadOf(spec);
  ASSERT_TRUE(loaded.ok()) << loaded.status() << ": a limit of writes is none of the run's reads";
  EXPECT_EQ(loaded->widest, 3u);
  EXPECT_LE(server.most_at_once(), 3u);
}

// 4294967295 is how some servers say that there is no limit, and no number of slots to make.
TEST(Loader, TakesTheLargestLimitForNone) {
  RecordingServer server({.record = false, .answers_together = true, .write_limit = UINT32_MAX});
  const auto loaded = LoadOf(LoadingSpec(server.address(), 5000));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_GT(loaded->widest, 64u);
}

TEST(Loader, WaitsForABusyServer) {
  RecordingServer server({.record = false, .busy_puts = 40});
  const auto loaded = LoadOf(LoadingSpec(server.address(), 100));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(server.store().size(), 100u);
  EXPECT_EQ(loaded->sent_again, 40u);
  EXPECT_GT(loaded->backed_off, Nanos());
}

TEST(Loader, GivesABusyServerUpWhenItsTimeIsOverAndSaysWhatItHeard) {
  RecordingServer server({.record = false, .busy_puts = UINT64_MAX});
  const auto loaded = LoadOf(LoadingSpec(server.address(), 100), Millis(200));
  EXPECT_TRUE(absl::IsDeadlineExceeded(loaded.status())) << loaded.status();
  EXPECT_THAT(loaded.status().message(),
              HasSubstr("not over within the time that its controller gives it, 200ms: 0 of"));
  EXPECT_THAT(loaded.status().message(), HasSubstr("SERVICE_BUSY"));
}

TEST(Loader, WritesNothingWhenItFindsItsKeys) {
  RecordingServer server({.record = false});
  ASSERT_TRUE(LoadOf(LoadingSpec(server.address())).ok());
  const std::map<std::string, std::string> before = server.store();
  const uint64_t requests = server.requests();
  RunSpec later = LoadingSpec(server.address());
  later.run_id = "another";
  later.seed = 4711;  // of another repetition
  later.flows = 3;
  const auto found = LookAndLoad(later);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->keys, 500u);
  EXPECT_EQ(found->written, 0u);
  EXPECT_EQ(found->looked, 64u);
  EXPECT_EQ(found->missing, "");
  EXPECT_EQ(server.requests(), requests + 64 + 3) << "the sample, and a NOOP for each connection";
  EXPECT_EQ(server.store(), before);
}

TEST(Loader, KeysThatARunHasWrittenAgainAreStillItsOwn) {
  RecordingServer server({.record = false});
  RunSpec spec = LoadingSpec(server.address(), 20);
  spec.ops = {{.kind = OpKind::kPut}};
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 200;
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  ASSERT_TRUE(runner.Load().ok());
  ASSERT_TRUE(runner.Run(MonoNow() + Millis(10), [](const Interval&) {}).ok());
  spec.seed = 4711;
  const auto found = LookAndLoad(spec);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->written, 0u) << found->missing;
}

// Values that are too short to say what they are, and empty ones, are compared as they are.
TEST(Loader, KnowsShortValuesByTheirBytes) {
  for (const uint32_t size : {0u, 1u, 31u, 32u, 33u}) {
    RecordingServer server({.record = false});
    RunSpec spec = LoadingSpec(server.address());
    spec.value_bytes = size;
    ASSERT_TRUE(LoadOf(spec).ok());
    const auto found = LookAndLoad(spec);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->written, 0u) << size << ": " << found->missing;
    if (size == 0) continue;
    RecordingServer corrupt({.record = false, .corrupt_values = true});
    spec.server = corrupt.address();
    ASSERT_TRUE(LoadOf(spec).ok());
    const auto lost = LookAndLoad(spec);
    ASSERT_TRUE(lost.ok()) << lost.status();
    EXPECT_EQ(lost->written, 500u) << size;
    EXPECT_THAT(lost->missing, HasSubstr("WRONG_VALUE")) << size;
  }
}

struct Other {
  const char* what;
  void (*change)(RunSpec*);
  const char* says;
};

class LoaderFinds : public testing::TestWithParam<Other> {};

TEST_P(LoaderFinds, AnotherDataSetAndWritesItsOwn) {
  RecordingServer server({.record = false});
  RunSpec spec = LoadingSpec(server.address());
  spec.value_bytes = 1000;
  spec.compressible = 0.5;
  ASSERT_TRUE(LoadOf(spec).ok());
  RunSpec other = spec;
  GetParam().change(&other);
  const auto loaded = LookAndLoad(other);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->written, other.keys);
  EXPECT_THAT(loaded->missing, HasSubstr(GetParam().says));
  const auto found = LookAndLoad(other);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->written, 0u) << found->missing;
}

INSTANTIATE_TEST_SUITE_P(
    Where, LoaderFinds,
    testing::Values(Other{"size", [](RunSpec* s) { s->value_bytes = 999; }, "WRONG_VALUE_LENGTH"},
                    Other{"compressible", [](RunSpec* s) { s->compressible = 0.49; },
                          "it is another value"},
                    Other{"key_seed", [](RunSpec* s) { s->key_seed = 44; }, "NOT_FOUND"},
                    Other{"agent",
                          [](RunSpec* s) {
                            s->agent_index = 1;
                            s->agent_count = 2;
                          },
                          "NOT_FOUND"},
                    Other{"key_size", [](RunSpec* s) { s->key_bytes = 17; }, "NOT_FOUND"},
                    Other{"more_keys", [](RunSpec* s) { s->keys = 1000; }, "of 64 keys that were"}),
    [](const auto& tested) { return std::string(tested.param.what); });

TEST(Loader, WritesEverythingToAServerThatHasForgottenIt) {
  RecordingServer server({.record = false});
  ASSERT_TRUE(LoadOf(LoadingSpec(server.address())).ok());
  server.Forget();
  const auto loaded = LookAndLoad(LoadingSpec(server.address()));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->written, 500u);
  EXPECT_THAT(loaded->missing, HasSubstr("64 of 64 keys that were read are not as this run needs "
                                         "them: NOT_FOUND"));
  EXPECT_EQ(server.store().size(), 500u);
}

// The sample is written last, so a load that was cut short is never taken for one that was not.
TEST(Loader, DoesNotTakeHalfALoadForAWholeOne) {
  RecordingServer server({.record = false, .refuse_puts_after = 430});
  ASSERT_FALSE(LoadOf(LoadingSpec(server.address())).ok());
  ASSERT_EQ(server.store().size(), 430u) << "all but six of those that are no sample";
  const KeyGenerator keys(43, 0, 16);
  std::string text(16, ' ');
  for (uint64_t i = 0; i < KeySample(500, 100).size(); ++i) {
    keys.Write(keys.Word(KeySample(500, 100).Key(i)), text.data());
    EXPECT_FALSE(server.store().contains(text)) << "key " << KeySample(500, 100).Key(i);
  }
}

// It was reached before the load: who hangs up now has gone away.
TEST(Loader, AServerThatGreetsNobodyAnyMoreIsLostAndNotUnreachable) {
  RecordingServer server({.record = false, .greetings = 1});
  RunSpec spec = LoadingSpec(server.address());
  spec.connect_timeout = Millis(100);
  const auto loaded = LoadOf(spec);
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kAborted) << loaded.status();
  EXPECT_GT(server.accepted(), 2u) << "it was asked again for a while";
}

TEST(Loader, ALookAtASilentServerEndsTheRun) {
  RecordingServer server({.record = false, .swallow_after = 10});
  RunSpec spec = LoadingSpec(server.address());
  spec.op_timeout = Millis(100);
  const auto loaded = LookAndLoad(spec);
  EXPECT_TRUE(absl::IsUnavailable(loaded.status())) << loaded.status();
  EXPECT_THAT(loaded.status().message(), HasSubstr("did not answer a GET"));
}

TEST(Loader, ALookIsRefusedLikeAnyRequest) {
  RecordingServer server({.hmac_key = "another key"});
  const auto loaded = LookAndLoad(LoadingSpec(server.address()));
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kPermissionDenied) << loaded.status();
  EXPECT_THAT(loaded.status().message(), HasSubstr("HMAC_FAILURE"));
}

}  // namespace
}  // namespace kbench
