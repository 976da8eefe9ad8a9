#include "agent/service/run_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "agent/run/runner.h"
#include "agent/service/result_proto.h"
#include "tests/agent/service/wire_spec.h"

namespace kbench {
namespace {

using testing::HasSubstr;
using testing::Not;

control::RunSpec Valid() { return WireSpec("127.0.0.1:8123"); }

control::OpenLoop Open(const std::string& arrival) {
  control::OpenLoop open;
  open.set_arrival(arrival);
  open.set_rate(10);
  return open;
}

control::OpenLoop Open(const std::string& arrival, double from, double to, int64_t length_ns) {
  control::OpenLoop open = Open(arrival);
  control::RateStretch* stretch = open.add_stretches();
  stretch->set_from(from);
  stretch->set_to(to);
  stretch->set_length_ns(length_ns);
  return open;
}

TEST(RunProto, TakesArrivalsKeysAndValues) {
  control::RunSpec wire = Valid();
  *wire.mutable_open() = Open("ramp", 5, 15, wire.duration_ns());
  wire.set_key_order("hotspot");
  wire.set_hot_keys(0.1);
  wire.set_hot_requests(0.7);
  wire.set_value_bytes(2048);
  wire.set_value_sizes("1KiB=1,2KiB=3");
  wire.set_compressible(0.25);
  auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->open->stretches.size(), 1u);
  EXPECT_EQ(spec->open->stretches[0].from, 5);
  EXPECT_EQ(spec->open->stretches[0].to, 15);
  EXPECT_EQ(spec->open->stretches[0].length, spec->duration);
  EXPECT_EQ(spec->key_order, KeyOrder::kHotspot);
  EXPECT_EQ(spec->hot_keys, 0.1);
  EXPECT_EQ(spec->hot_requests, 0.7);
  EXPECT_EQ(spec->sizes().mean(), 1024 * 0.25 + 2048 * 0.75);
  EXPECT_EQ(spec->compressible, 0.25);
  *wire.mutable_open() = Open("bursts");
  wire.mutable_open()->set_burst(8);
  wire.set_key_order("zipf");
  wire.set_zipf_theta(1.2);
  wire.clear_hot_keys();
  wire.clear_hot_requests();
  spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->open->burst, 8u);
  EXPECT_EQ(spec->zipf_theta, 1.2);
}

TEST(RunProto, TakesEveryField) {
  control::RunSpec wire = Valid();
  wire.set_agent_index(2);
  wire.set_agent_count(3);
  wire.set_workers(2);
  wire.add_worker_cpus(0);
  wire.add_worker_cpus(1);
  wire.mutable_open()->set_arrival("poisson");
  wire.mutable_open()->set_rate(1234.5);
  wire.set_key_order("sequential");
  wire.set_load(true);
  wire.set_warmup_ns(7);
  wire.set_poll("spin");
  wire.set_flush("op");
  wire.set_sample_every(64);
  wire.mutable_socket_options()->set_send_buffer_bytes(1);
  wire.mutable_socket_options()->set_receive_buffer_bytes(2);
  wire.mutable_socket_options()->set_congestion_control("cubic");
  wire.set_synchronization("flush");
  wire.set_tag("sha2");
  wire.set_observe(true);
  wire.mutable_inject()->set_encode_ns(11);
  wire.mutable_inject()->set_decode_ns(12);
  wire.mutable_inject()->set_relay_ns(13);
  const auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->run_id, "run-1");
  EXPECT_EQ(spec->agent_index, 2u);
  EXPECT_EQ(spec->agent_count, 3u);
  EXPECT_EQ(spec->server.ToString(), "127.0.0.1:8123");
  EXPECT_EQ(spec->identity, 1);
  EXPECT_EQ(spec->hmac_key, "asdfasdf");
  EXPECT_EQ(spec->transport, TransportKind::kEpoll);
  EXPECT_EQ(spec->workers, 2u);
  EXPECT_EQ(spec->worker_cpus, (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(spec->flows, 2u);
  EXPECT_EQ(spec->depth, 2u);
  ASSERT_TRUE(spec->open.has_value());
  EXPECT_EQ(spec->open->arrival, ArrivalKind::kPoisson);
  EXPECT_EQ(spec->open->rate, 1234.5);
  ASSERT_EQ(spec->ops.size(), 1u);
  EXPECT_EQ(spec->ops[0].kind, OpKind::kPut);
  EXPECT_EQ(spec->keys, 10u);
  EXPECT_EQ(spec->key_order, KeyOrder::kSequential);
  EXPECT_EQ(spec->key_bytes, 16u);
  EXPECT_EQ(spec->value_bytes, 100u);
  EXPECT_EQ(spec->range_keys, 7u);
  EXPECT_EQ(spec->seed, 1u);
  EXPECT_TRUE(spec->load);
  EXPECT_EQ(spec->warmup, Nanos(7));
  EXPECT_EQ(spec->duration, Millis(100));
  EXPECT_EQ(spec->op_timeout, Seconds(2));
  EXPECT_EQ(spec->connect_timeout, Seconds(30));
  EXPECT_EQ(spec->poll, PollMode::kSpin);
  EXPECT_EQ(spec->flush, FlushMode::kOp);
  EXPECT_EQ(spec->sample_every, 64u);
  EXPECT_EQ(spec->samples_max, 1000u);
  EXPECT_EQ(spec->send_buffer_bytes, 1);
  EXPECT_EQ(spec->receive_buffer_bytes, 2);
  EXPECT_EQ(spec->congestion_control, "cubic");
  EXPECT_EQ(spec->synchronization, kinetic::Synchronization::kFlush);
  EXPECT_EQ(spec->tag, kinetic::TagAlgorithm::kSha2);
  EXPECT_TRUE(spec->observe);
  EXPECT_EQ(spec->inject.encode, Nanos(11));
  EXPECT_EQ(spec->inject.decode, Nanos(12));
  EXPECT_TRUE(spec->inject.relay);
  EXPECT_EQ(spec->inject.relay_delay, Nanos(13));
}

// A sweep of operations has one workload.verify for all its cells.
TEST(RunProto, WhatReadsNothingMayBeAskedToVerify) {
  control::RunSpec spec = Valid();
  spec.clear_ops();
  spec.add_ops()->set_op("put");
  spec.mutable_ops(0)->set_weight(1);
  spec.set_value_bytes(16);
  spec.set_verify(true);
  const auto taken = FromProto(spec);
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_TRUE(taken->verify);
  spec.set_transport("null");
  EXPECT_TRUE(FromProto(spec).ok()) << FromProto(spec).status();
  spec.mutable_ops(0)->set_op("next");
  EXPECT_FALSE(FromProto(spec).ok());
}

TEST(RunProto, CountsProtocolErrorsOnTheirOwn) {
  RunOutcome outcome;
  outcome.protocol_errors = 3;
  EXPECT_EQ(ToProto(RunSpec{}, outcome, {}).protocol_errors(), 3u);
}

TEST(RunProto, AnExternalClientIsTakenWithWhatItCanBeHeldTo) {
  control::RunSpec wire = Valid();
  wire.set_transport("external");
  wire.set_observe(true);
  control::ExternalClient* client = wire.mutable_client();
  client->set_name("mine");
  client->add_arguments("{port}");
  client->set_grace_ns(7);
  client->set_memory_bytes(8);
  client->set_output("fio");
  const auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_TRUE(spec->client.has_value());
  EXPECT_EQ(spec->client->name, "mine");
  EXPECT_EQ(spec->client->arguments, std::vector<std::string>{"{port}"});
  EXPECT_EQ(spec->client->grace, Nanos(7));
  EXPECT_EQ(spec->client->memory_bytes, 8u);
  EXPECT_EQ(spec->client->format, FigureFormat::kFio);
  EXPECT_EQ(spec->client->path, "") << "the owner's to say";

  const std::pair<std::function<void(control::RunSpec*)>, const char*> refused[] = {
      {[](control::RunSpec* s) { s->set_transport("epoll"); }, "transport"},
      {[](control::RunSpec* s) { s->clear_client(); }, "transport"},
      {[](control::RunSpec* s) { s->mutable_client()->clear_name(); }, "client.name"},
      {[](control::RunSpec* s) { s->mutable_client()->set_grace_ns(-1); }, "client.grace_ns"},
      {[](control::RunSpec* s) { s->mutable_client()->set_output("xml"); }, "client.output"},
      {[](control::RunSpec* s) { s->set_tls(true); }, "tls"},
      {[](control::RunSpec* s) { s->set_load(true); }, "load"},
      {[](control::RunSpec* s) { *s->mutable_open() = Open("constant"); }, "open"},
      {[](control::RunSpec* s) { s->set_verify(true); }, "verify"},
      {[](control::RunSpec* s) { s->mutable_inject()->set_encode_ns(1); }, "inject"},
      {[](control::RunSpec* s) { s->set_observe(false); }, "observe"},
  };
  for (const auto& [bend, field] : refused) {
    control::RunSpec bent = wire;
    bend(&bent);
    const absl::Status status = FromProto(bent).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  }
}

TEST(RunProto, ARelayMayBeALink) {
  control::RunSpec wire = Valid();
  wire.mutable_inject()->set_relay_rate(1'000'000'000);
  const auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->inject.relay);
  EXPECT_EQ(spec->inject.relay_rate, 1'000'000'000);
}

TEST(RunProto, ARelayMayAddNothingButItself) {
  control::RunSpec wire = Valid();
  EXPECT_FALSE(FromProto(wire)->inject.any());
  wire.mutable_inject()->set_relay(true);
  const auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->inject.relay);
  EXPECT_EQ(spec->inject.relay_delay, Nanos());
}

TEST(RunProto, TlsExpectsTheServersName) {
  control::RunSpec wire = Valid();
  EXPECT_FALSE(FromProto(wire)->tls.has_value());
  wire.set_tls(true);
  const auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok() && spec->tls.has_value()) << spec.status();
  EXPECT_EQ(spec->tls->server_name, "127.0.0.1");
  EXPECT_EQ(spec->tls->ca_pem, "");
}

TEST(RunProto, RefusesWhatCannotBeAndNamesTheField) {
  const struct {
    const char* field;
    std::function<void(control::RunSpec*)> spoil;
  } kCases[] = {
      {"run_id", [](auto* s) { s->clear_run_id(); }},
      {"agent_count", [](auto* s) { s->set_agent_count(0); }},
      {"agent_index", [](auto* s) { s->set_agent_index(1); }},
      {"server", [](auto* s) { s->set_server("nowhere"); }},
      {"server", [](auto* s) { s->set_server("127.0.0.1:0"); }},
      {"hmac_key", [](auto* s) { s->clear_hmac_key(); }},
      {"transport", [](auto* s) { s->set_transport("rdma"); }},
      {"workers", [](auto* s) { s->set_workers(0); }},
      {"workers", [](auto* s) { s->set_workers(3); }},
      {"worker_cpus",
       [](auto* s) { s->mutable_worker_cpus()->Add(1), s->mutable_worker_cpus()->Add(2); }},
      {"flows", [](auto* s) { s->set_flows(0); }},
      {"depth", [](auto* s) { s->set_depth(0); }},
      {"depth", [](auto* s) { s->set_flows(1 << 16), s->set_depth(1 << 16); }},
      {"mode", [](auto* s) { s->clear_mode(); }},
      {"open.arrival", [](auto* s) { s->mutable_open()->set_rate(1); }},
      {"open.rate",
       [](auto* s) {
         s->mutable_open()->set_arrival("constant");
         s->mutable_open()->set_rate(-1);
       }},
      {"open.rate",
       [](auto* s) {
         s->mutable_open()->set_arrival("constant");
         s->mutable_open()->set_rate(std::nan(""));
       }},
      {"ops", [](auto* s) { s->clear_ops(); }},
      {"ops[0].op", [](auto* s) { s->mutable_ops(0)->set_op("scan"); }},
      {"ops[0].weight", [](auto* s) { s->mutable_ops(0)->set_weight(0); }},
      {"ops[1].op", [](auto* s) { *s->add_ops() = s->ops(0); }},
      {"keys", [](auto* s) { s->set_keys(0); }},
      {"key_order", [](auto* s) { s->set_key_order("zpif"); }},
      {"zipf_theta", [](auto* s) { s->set_key_order("zipf"); }},
      {"zipf_theta", [](auto* s) { s->set_zipf_theta(1); }},
      {"zipf_theta", [](auto* s) { s->set_key_order("zipf"), s->set_zipf_theta(-1); }},
      {"hot_keys", [](auto* s) { s->set_key_order("hotspot"); }},
      {"hot_keys", [](auto* s) { s->set_hot_keys(0.5); }},
      {"hot_requests",
       [](auto* s) {
         s->set_key_order("hotspot");
         s->set_hot_keys(0.5);
         s->set_hot_requests(1.5);
       }},
      {"value_sizes", [](auto* s) { s->set_value_sizes("uniform"); }},
      {"value_sizes", [](auto* s) { s->set_value_sizes("1KiB=1,2KiB=1"); }},
      {"value_sizes",
       [](auto* s) {
         s->set_value_bytes(2048);
         s->set_value_sizes("1KiB=1,2KiB=1");
         s->set_transport("null");
       }},
      {"verify",
       [](auto* s) {
         s->set_value_bytes(2048);
         s->set_value_sizes("31B=1,2KiB=1");
         s->set_verify(true);
         s->mutable_ops(0)->set_op("get");
       }},
      {"compressible", [](auto* s) { s->set_compressible(1.1); }},
      {"tag", [](auto* s) { s->set_tag("md5"); }},
      {"tag", [](auto* s) { s->set_tag("crc64"); }},
      {"open.burst", [](auto* s) { *s->mutable_open() = Open("bursts"); }},
      {"open.burst",
       [](auto* s) {
         *s->mutable_open() = Open("constant");
         s->mutable_open()->set_burst(2);
       }},
      {"open.stretches", [](auto* s) { *s->mutable_open() = Open("ramp"); }},
      {"open.stretches",
       [](auto* s) { *s->mutable_open() = Open("poisson", 1, 2, s->duration_ns()); }},
      {"open.stretches",
       [](auto* s) { *s->mutable_open() = Open("ramp", 1, 2, s->duration_ns() - 1); }},
      {"open.stretches[0]",
       [](auto* s) { *s->mutable_open() = Open("steps", 1, 2, s->duration_ns()); }},
      {"open.stretches[0].from",
       [](auto* s) { *s->mutable_open() = Open("ramp", 0, 2, s->duration_ns()); }},
      {"open.stretches[0].length_ns", [](auto* s) { *s->mutable_open() = Open("ramp", 1, 2, 0); }},
      {"key_bytes", [](auto* s) { s->set_key_bytes(7); }},
      {"value_bytes", [](auto* s) { s->set_value_bytes((1 << 20) + 1); }},
      {"range_keys", [](auto* s) { s->set_range_keys(0); }},
      {"ops[0].op",
       [](auto* s) {
         s->set_transport("null");
         s->mutable_ops(0)->set_op("get_miss");
       }},
      {"warmup_ns", [](auto* s) { s->set_warmup_ns(-1); }},
      {"duration_ns", [](auto* s) { s->set_duration_ns(0); }},
      {"op_timeout_ns", [](auto* s) { s->set_op_timeout_ns(0); }},
      {"connect_timeout_ns", [](auto* s) { s->set_connect_timeout_ns(-5); }},
      {"poll", [](auto* s) { s->set_poll("adaptive"); }},
      {"flush", [](auto* s) { s->set_flush("never"); }},
      {"sample_every", [](auto* s) { s->set_sample_every(~0u); }},
      {"samples_max", [](auto* s) { s->set_samples_max(~0u); }},
      {"socket_options.send_buffer_bytes",
       [](auto* s) { s->mutable_socket_options()->set_send_buffer_bytes(~0u); }},
      {"socket_options.receive_buffer_bytes",
       [](auto* s) { s->mutable_socket_options()->set_receive_buffer_bytes(~0u); }},
      {"tls_ca", [](auto* s) { s->set_tls_ca("without tls"); }},
      {"tls_ca",
       [](auto* s) {
         s->set_tls(true);
         s->set_tls_ca("no certificate");
       }},
      {"tls",
       [](auto* s) {
         s->set_tls(true);
         s->set_transport("null");
       }},
      {"synchronization", [](auto* s) { s->set_synchronization("sometimes"); }},
      {"inject.encode_ns", [](auto* s) { s->mutable_inject()->set_encode_ns(-1); }},
      {"inject.decode_ns", [](auto* s) { s->mutable_inject()->set_decode_ns(1'000'000'001); }},
      {"inject.relay_ns", [](auto* s) { s->mutable_inject()->set_relay_ns(1'000'000'001); }},
      {"inject", [](auto* s) { s->mutable_inject()->set_relay_ns(1'000'000'000); }},
      {"inject.relay_rate", [](auto* s) { s->mutable_inject()->set_relay_rate(-1); }},
      {"inject.relay_rate",
       [](auto* s) { s->mutable_inject()->set_relay_rate(1'000'000'000'001); }},
      {"inject", [](auto* s) { s->mutable_inject()->set_relay_rate(1); }},
      {"inject.relay",
       [](auto* s) {
         s->set_transport("null");
         s->mutable_inject()->set_relay(true);
       }},
  };
  for (const auto& test : kCases) {
    control::RunSpec wire = Valid();
    test.spoil(&wire);
    const auto spec = FromProto(wire);
    ASSERT_FALSE(spec.ok()) << test.field;
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(spec.status().message()),
                testing::StartsWith(absl::StrCat("run spec: ", test.field, ": ")));
    EXPECT_THAT(std::string(spec.status().message()), Not(HasSubstr("asdfasdf")));
  }
}

TEST(RunProto, ANullRunSurvivesTheWayIntoTheResult) {
  control::RunSpec wire = Valid();
  wire.set_transport("null");
  wire.set_sample_every(10);
  wire.set_samples_max(2);
  const auto spec = FromProto(wire);
  ASSERT_TRUE(spec.ok()) << spec.status();
  Runner runner(*spec);
  ASSERT_TRUE(runner.Prepare().ok());
  const auto outcome = runner.Run(MonoNow() + Millis(100), [](const Interval&) {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const result::RunResult result = ToProto(*spec, *outcome, {.agent = "a:1", .spec_sha256 = "abc"});

  const result::Counts& counts = result.counts();
  EXPECT_GT(counts.answered(), 0u);
  EXPECT_EQ(counts.due(), counts.sent() + counts.unsent());
  EXPECT_EQ(counts.sent(), counts.answered() + counts.failed() + counts.lost());
  ASSERT_EQ(result.ops_size(), 1);
  const result::OpResult& op = result.ops(0);
  EXPECT_EQ(op.op(), "put");
  EXPECT_EQ(op.counts().answered(), counts.answered());
  EXPECT_EQ(Histogram::Decode(op.response_ns())->count(), counts.answered());
  EXPECT_EQ(Histogram::Decode(op.service_ns())->count(), counts.answered());
  EXPECT_EQ(op.statuses().at("SUCCESS"), counts.answered());
  EXPECT_GE(op.phases_size(), 4);
  EXPECT_EQ(result.agent(), "a:1");
  EXPECT_EQ(result.spec_sha256(), "abc");
  EXPECT_EQ(result.measured_ns(), 100'000'000);
  EXPECT_EQ(result.transport().transport(), "null");
  EXPECT_GT(result.host().cpus(), 0u);
  EXPECT_EQ(result.host().cpu_numbers_size(), static_cast<int>(result.host().cpus()));
  EXPECT_EQ(result.samples_size(), 2);
  EXPECT_GT(result.samples_dropped(), 0u);
  for (const result::OpSample& sample : result.samples()) {
    EXPECT_TRUE(sample.probed());
    EXPECT_TRUE(sample.answered());
    EXPECT_LE(sample.intended(), sample.started());
    EXPECT_LE(sample.started(), sample.encoded());
    EXPECT_LE(sample.encoded(), sample.submitted());
    EXPECT_LE(sample.submitted(), sample.decoded());
    EXPECT_EQ(sample.kernel_sent(), 0) << "no kernel, no stamp";
  }
  bool told = false;
  for (const result::Caveat& caveat : result.caveats()) told |= caveat.code() == "samples_dropped";
  EXPECT_TRUE(told);
  EXPECT_THAT(result.SerializeAsString(), Not(HasSubstr("asdfasdf")));
}

TEST(RunProto, MakesServersTextsPrintable) {
  EXPECT_EQ(ToProto(absl::UnavailableError("bad \x01\xff text")).text(), "bad ?? text");
}

TEST(RunProto, KeepsTheKindOfAFailure) {
  EXPECT_EQ(ToProto(absl::UnavailableError("")).kind(), control::Failed::SERVER_UNREACHABLE);
  EXPECT_EQ(ToProto(absl::PermissionDeniedError("")).kind(), control::Failed::SERVER_REFUSED);
  EXPECT_EQ(ToProto(absl::AbortedError("")).kind(), control::Failed::SERVER_LOST);
  EXPECT_EQ(ToProto(absl::OutOfRangeError("")).kind(), control::Failed::MISSED_START);
  EXPECT_EQ(ToProto(absl::DataLossError("")).kind(), control::Failed::UNKNOWN);
}

}  // namespace
}  // namespace kbench
