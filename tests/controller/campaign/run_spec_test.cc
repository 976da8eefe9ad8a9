#include "controller/campaign/run_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/fleet/exit_codes.h"
#include "tests/base/certificate.h"
#include "tests/controller/result_rig.h"

namespace kbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RunSpec, CarriesEverySettingAndInput) {
  Settings s;
  s.identity = 7;
  s.ops = {{"get", 0.75}, {"put", 0.25}};
  s.value_sizes = ValueSizes::Fixed(1);
  s.keys = 2;
  s.key_bytes = 32;
  s.batch_ops = 14;
  s.verify = true;
  s.tag = "sha1";
  s.key_order = "sequential";
  s.synchronization = "flush";
  s.flows = 3;
  s.depth = 4;
  s.transport = "uring";
  s.poll = "spin";
  s.flush = "op";
  s.workers = 2;
  s.send_buffer_bytes = 5;
  s.receive_buffer_bytes = 6;
  s.congestion_control = "reno";
  s.warmup = Nanos(8);
  s.duration = Nanos(9);
  s.op_timeout = Nanos(10);
  s.connect_timeout = Nanos(11);
  s.reconnects = 15;
  s.sample_every = 12;
  s.samples_max = 13;
  const control::RunSpec spec = MakeRunSpec(s, {.run_id = "r",
                                                .agent_index = 1,
                                                .agent_count = 2,
                                                .server = "10.0.0.9:8123",
                                                .hmac_key = "secret",
                                                .worker_cpus = {4, 5},
                                                .seed = 99});
  EXPECT_EQ(spec.run_id(), "r");
  EXPECT_EQ(spec.agent_index(), 1u);
  EXPECT_EQ(spec.agent_count(), 2u);
  EXPECT_EQ(spec.server(), "10.0.0.9:8123");
  EXPECT_EQ(spec.identity(), 7);
  EXPECT_EQ(spec.hmac_key(), "secret");
  EXPECT_EQ(spec.transport(), "uring");
  EXPECT_EQ(spec.workers(), 2u);
  EXPECT_THAT(spec.worker_cpus(), ElementsAre(4, 5));
  EXPECT_EQ(spec.flows(), 3u);
  EXPECT_EQ(spec.depth(), 4u);
  EXPECT_TRUE(spec.has_closed());
  ASSERT_EQ(spec.ops_size(), 2);
  EXPECT_EQ(spec.ops(1).op(), "put");
  EXPECT_EQ(spec.ops(1).weight(), 0.25);
  EXPECT_EQ(spec.keys(), 2u);
  EXPECT_EQ(spec.key_order(), "sequential");
  EXPECT_EQ(spec.key_bytes(), 32u);
  EXPECT_EQ(spec.value_bytes(), 1u);
  EXPECT_EQ(spec.batch_ops(), 14u);
  EXPECT_TRUE(spec.verify());
  EXPECT_EQ(spec.tag(), "sha1");
  EXPECT_EQ(spec.seed(), 99u);
  EXPECT_TRUE(spec.load());
  EXPECT_EQ(spec.warmup_ns(), 8);
  EXPECT_EQ(spec.duration_ns(), 9);
  EXPECT_EQ(spec.op_timeout_ns(), 10);
  EXPECT_EQ(spec.connect_timeout_ns(), 11);
  EXPECT_EQ(spec.reconnects(), 15u);
  EXPECT_EQ(spec.poll(), "spin");
  EXPECT_EQ(spec.flush(), "op");
  EXPECT_EQ(spec.sample_every(), 12u);
  EXPECT_FALSE(spec.observe());
  EXPECT_EQ(spec.samples_max(), 13u);
  EXPECT_EQ(spec.socket_options().send_buffer_bytes(), 5u);
  EXPECT_EQ(spec.socket_options().receive_buffer_bytes(), 6u);
  EXPECT_EQ(spec.socket_options().congestion_control(), "reno");
  EXPECT_EQ(spec.synchronization(), "flush");
}

TEST(RunSpec, AuthoritiesGoOnlyToRunsOverTls) {
  Settings s;
  EXPECT_FALSE(MakeRunSpec(s, {.tls_ca = "pem"}).tls());
  EXPECT_EQ(MakeRunSpec(s, {.tls_ca = "pem"}).tls_ca(), "");
  s.tls = true;
  EXPECT_TRUE(MakeRunSpec(s, {.tls_ca = "pem"}).tls());
  EXPECT_EQ(MakeRunSpec(s, {.tls_ca = "pem"}).tls_ca(), "pem");
}

TEST(RunSpec, APassDecidesWhatIsLookedAt) {
  using analysis::Pass;
  Settings s;
  s.sample_every = 12;
  s.full_sample_every = 3;
  const auto spec = [&s](Pass pass) { return MakeRunSpec(s, {.pass = pass}); };
  EXPECT_EQ(spec(Pass::kBare).sample_every(), 0u);
  EXPECT_FALSE(spec(Pass::kBare).observe());
  EXPECT_EQ(spec(Pass::kSampled).sample_every(), 12u);
  EXPECT_FALSE(spec(Pass::kSampled).observe());
  EXPECT_EQ(spec(Pass::kFull).sample_every(), 3u);
  EXPECT_TRUE(spec(Pass::kFull).observe());
  s.transport = "null";
  EXPECT_FALSE(spec(Pass::kFull).observe()) << "there are no packets";
}

TEST(RunSpec, InjectsOnlyWhatIsAskedFor) {
  Settings s;
  EXPECT_FALSE(MakeRunSpec(s, {}).has_inject());
  s.inject_encode = Nanos(3);
  s.inject_decode = Nanos(4);
  const control::Inject burns = MakeRunSpec(s, {}).inject();
  EXPECT_EQ(burns.encode_ns(), 3);
  EXPECT_EQ(burns.decode_ns(), 4);
  EXPECT_FALSE(burns.relay());
  s.inject_relay = Nanos(5);
  EXPECT_TRUE(MakeRunSpec(s, {}).inject().relay());
  EXPECT_EQ(MakeRunSpec(s, {}).inject().relay_ns(), 5);
  s = Settings();
  s.inject_relay.reset();
  s.relay_rate = 1'000'000;
  EXPECT_TRUE(MakeRunSpec(s, {}).inject().relay());
  EXPECT_EQ(MakeRunSpec(s, {}).inject().relay_rate(), 1'000'000);
  s.relay_rate = 0;
  s.inject_relay = Nanos(0);
  EXPECT_TRUE(MakeRunSpec(s, {}).inject().relay()) << "without a delay it is still there";
}

TEST(RunSpec, ATotalRateIsSharedAndARatePerAgentIsNot) {
  Settings s;
  s.open_loop = true;
  s.arrival = "poisson";
  s.rate_total = *RateProfile::Parse("9k/s");
  EXPECT_EQ(MakeRunSpec(s, {.agent_count = 3}).open().rate(), 3000);
  s.rate_total = {};
  s.rate_per_agent = *RateProfile::Parse("5k/s");
  const control::RunSpec spec = MakeRunSpec(s, {.agent_count = 3});
  EXPECT_EQ(spec.open().rate(), 5000);
  EXPECT_EQ(spec.open().arrival(), "poisson");
  EXPECT_FALSE(spec.has_closed());
}

TEST(RunSpec, ARampIsSharedOverTheAgentsAndAsLongAsTheWindow) {
  Settings s;
  s.open_loop = true;
  s.arrival = "ramp";
  s.duration = Seconds(4);
  s.rate_total = *RateProfile::Parse("1k/s to 3k/s");
  const control::RunSpec spec = MakeRunSpec(s, {.agent_count = 2});
  EXPECT_EQ(spec.open().rate(), 1000);
  ASSERT_EQ(spec.open().stretches_size(), 1);
  EXPECT_EQ(spec.open().stretches(0).from(), 500);
  EXPECT_EQ(spec.open().stretches(0).to(), 1500);
  EXPECT_EQ(spec.open().stretches(0).length_ns(), Seconds(4).count());
  s.arrival = "bursts";
  s.burst_size = 16;
  s.rate_total = *RateProfile::Parse("1k/s");
  EXPECT_EQ(MakeRunSpec(s, {}).open().burst(), 16);
  EXPECT_EQ(MakeRunSpec(s, {}).open().stretches_size(), 0);
}

TEST(RunSpec, AWarmUpIsTheRunWithoutWhatMeasures) {
  Settings s;
  s.open_loop = true;
  s.arrival = "ramp";
  s.verify = true;
  s.rate_per_agent = *RateProfile::Parse("1k/s to 3k/s");
  control::RunSpec spec = MakeRunSpec(s, {.pass = analysis::Pass::kFull, .seed = 7});
  const control::RunSpec run = spec;
  MakeWarmUp(8, Seconds(60), &spec);
  EXPECT_EQ(spec.seed(), 8u);
  EXPECT_EQ(spec.key_seed(), run.key_seed()) << "over the same keys";
  EXPECT_EQ(spec.load(), run.load());
  EXPECT_EQ(spec.duration_ns(), Seconds(60).count());
  EXPECT_EQ(spec.warmup_ns(), 0);
  EXPECT_EQ(spec.sample_every(), 0u);
  EXPECT_FALSE(spec.observe());
  EXPECT_EQ(spec.open().arrival(), "constant");
  EXPECT_EQ(spec.open().rate(), 1000);
  EXPECT_EQ(spec.open().stretches_size(), 0);
}

TEST(RunSpec, KeysAndValuesAreToldAsTheyWereAsked) {
  Settings s;
  const control::RunSpec plain = MakeRunSpec(s, {});
  EXPECT_EQ(plain.zipf_theta(), 0);
  EXPECT_EQ(plain.hot_keys(), 0);
  EXPECT_EQ(plain.value_sizes(), "");
  s.key_order = "latest";
  s.value_sizes = *ValueSizes::Parse("1KiB=1,4KiB=1");
  s.compressible = 0.5;
  const control::RunSpec spec = MakeRunSpec(s, {});
  EXPECT_EQ(spec.zipf_theta(), 0.99);
  EXPECT_EQ(spec.value_bytes(), 4096u) << "the largest";
  EXPECT_EQ(spec.value_sizes(), "1KiB=1,4KiB=1");
  EXPECT_EQ(spec.compressible(), 0.5);
  s.key_order = "hotspot";
  s.hot_keys = 0.01;
  EXPECT_EQ(MakeRunSpec(s, {}).hot_keys(), 0.01);
  EXPECT_EQ(MakeRunSpec(s, {}).hot_requests(), 0.8);
  EXPECT_EQ(MakeRunSpec(s, {}).zipf_theta(), 0);
}

TEST(HmacKey, IsTheFilesBytesWithoutTheLastNewline) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "key", "s3cret \n\n").ok());
  EXPECT_EQ(*ReadHmacKey(dir / "key"), "s3cret \n") << "only the one that an editor adds";
  EXPECT_EQ(*ReadHmacKey(""), kFactoryKey);
}

TEST(HmacKey, AMissingOrEmptyFileIsNamed) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "empty", "\n").ok());
  for (const std::string& path : {dir / "gone", dir / "empty"}) {
    const absl::Status status = ReadHmacKey(path).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("server.key_file " + path));
  }
}

TEST(Authorities, AreTheFilesPem) {
  const TempDir dir;
  WriteCertificate("localhost", dir / "ca", dir / "ca.key");
  EXPECT_THAT(*ReadAuthorities(dir / "ca"), HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_EQ(*ReadAuthorities(""), "");
}

TEST(Authorities, AMissingFileOrOneWithoutAnyIsNamed) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "empty", "").ok());
  ASSERT_TRUE(WriteDurably(dir / "text", "no certificate\n").ok());
  for (const std::string& path : {dir / "gone", dir / "empty", dir / "text"}) {
    const absl::Status status = ReadAuthorities(path).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("server.ca_file " + path));
  }
}

// The table at the head of exit_codes.h.
TEST(ExitCodes, AreTheDocumentedOnes) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kDone);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), ExitCode::kVersionMismatch);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kServerUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), ExitCode::kIncomplete);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), ExitCode::kPhaseTimeout);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), ExitCode::kInterrupted);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), ExitCode::kInternal);
  EXPECT_EQ(ExitCodeOf(absl::UnknownError("")), ExitCode::kInternal);
  EXPECT_EQ(static_cast<int>(ExitCode::kPhaseTimeout), 11);
  EXPECT_EQ(static_cast<int>(ExitCode::kInterrupted), 130);
  EXPECT_EQ(static_cast<int>(ExitCode::kTerminated), 143);
}

}  // namespace
}  // namespace kbench
