// Residence records of the reference server, joined to our samples.
#include "agent/run/server_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/run/runner.h"
#include "base/fd.h"
#include "server/server.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"
#include "tests/base/certificate.h"
#include "tests/base/scratch_files.h"

namespace kbench {
namespace {

using testing::HasSubstr;

// The reference server on its own thread.
class ReferenceServer {
 public:
  explicit ReferenceServer(const std::string& service_time, server::ServerOptions options = {})
      : stop_(::eventfd(0, EFD_CLOEXEC)) {
    options.listen = HostPort{.host = "127.0.0.1"};
    options.service_time = service_time;
    server_ = std::move(server::Server::Open(std::move(options)).value());
    thread_ = std::thread([this] { EXPECT_TRUE(server_->Run(stop_.get()).ok()); });
  }
  ~ReferenceServer() {
    const uint64_t one = 1;
    EXPECT_EQ(::write(stop_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    thread_.join();
  }
  HostPort address() const { return server_->address(); }
  HostPort tls_address() const { return server_->tls_address(); }

 private:
  Fd stop_;
  std::unique_ptr<server::Server> server_;
  std::thread thread_;
};

RunOutcome RunSampled(const HostPort& server, TransportKind transport = TransportKind::kEpoll,
                      const std::optional<TlsOptions>& tls = {}) {
  RunSpec spec = SmallSpec(server);
  spec.transport = transport;
  spec.tls = tls;
  spec.flows = 3;
  spec.load = true;
  spec.sample_every = 3;
  spec.samples_max = 100'000;
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 100;
  Runner runner(spec);
  EXPECT_TRUE(runner.Prepare().ok());
  EXPECT_TRUE(runner.Load().ok());
  auto outcome = runner.Run(MonoNow() + Millis(100), [](const Interval&) {});
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return *std::move(outcome);
}

TEST(ServerTrace, HasARecordForEverySampleAndForNothingElse) {
  const ReferenceServer server("");
  const RunOutcome outcome = RunSampled(server.address());
  const ServerTrace& trace = outcome.server_trace;
  ASSERT_TRUE(trace.available) << trace.reason;
  ASSERT_GT(outcome.samples.size(), 10u);
  std::map<std::pair<int64_t, uint64_t>, Nanos> residences;
  for (const ServerTrace::Record& record : trace.records) {
    residences[{record.connection_id, record.residence.sequence}] = record.residence.duration();
  }
  EXPECT_EQ(residences.size(), trace.records.size());
  EXPECT_EQ(residences.size(), outcome.samples.size());
  for (const OpRecord& sample : outcome.samples) {
    const auto it = residences.find({sample.connection_id, sample.sequence});
    ASSERT_NE(it, residences.end());
    // Each duration is of one clock; the server's lies within the client's.
    EXPECT_LE(it->second, sample.woke - sample.send.submitted);
  }
}

// A run of reads, writes and batches, its values verified, 8 requests deep: everything is answered,
// every record joins, and some read left before a write that came before it.
void ExpectARunWithOvertaking(const RunSpec& spec) {
  Runner runner(spec);
  ASSERT_TRUE(runner.Prepare().ok());
  ASSERT_TRUE(runner.Load().ok());
  const auto outcome = runner.Run(MonoNow() + Millis(2), [](const Interval&) {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->totals().answered, 100u);
  EXPECT_EQ(outcome->totals().failed + outcome->totals().lost, 0u);
  EXPECT_EQ(outcome->protocol_errors, 0u);
  EXPECT_EQ(outcome->unsolicited, 0u) << outcome->unsolicited_text;
  ASSERT_TRUE(outcome->server_trace.available) << outcome->server_trace.reason;
  std::map<uint64_t, kinetic::Residence> residences;
  for (const ServerTrace::Record& record : outcome->server_trace.records) {
    residences[record.residence.sequence] = record.residence;
  }
  EXPECT_EQ(residences.size(), outcome->samples.size());
  int overtaken = 0;
  ServerTime latest;
  for (const auto& [sequence, residence] : residences) {
    overtaken += residence.sent < latest;
    latest = std::max(latest, residence.sent);
  }
  EXPECT_GT(overtaken, 0);
  for (const OpRecord& sample : outcome->samples) {
    const auto it = residences.find(sample.sequence);
    ASSERT_NE(it, residences.end()) << sample.sequence;
    EXPECT_LE(it->second.duration(), sample.woke - sample.send.submitted);
  }
}

// A drive's answers come out of order: writes are held back, and reads overtake them. Every client
// stack takes them, plain and over TLS.
TEST(ServerTrace, JoinsAnswersThatOvertakeEachOtherOverEveryTransport) {
  server::Dialect drive = *server::FindDialect("kineticd");
  drive.tag_needed = false;  // what a workload puts into its tags is not this test's matter
  drive.write_hold = Millis(20);
  const std::string certificate = testing::TempDir() + "/server_trace_drive.pem";
  WriteCertificate("127.0.0.1", certificate, certificate + ".key");
  std::ifstream in(certificate);
  std::stringstream pem;
  pem << in.rdbuf();
  const ReferenceServer server("", {.tls_listen = HostPort{.host = "127.0.0.1"},
                                    .tls_certificate_file = certificate,
                                    .tls_key_file = certificate + ".key",
                                    .dialect = &drive,
                                    .limits = drive.limits});
  for (const TransportKind transport :
       {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring}) {
    if (transport == TransportKind::kUring) {
      const auto usable = MakeTransport(transport, {});
      if (!usable.ok()) GTEST_SKIP() << usable.status();
    }
    for (const bool tls : {false, true}) {
      SCOPED_TRACE(absl::StrCat(std::string(Name(transport)), tls ? " over TLS" : ""));
      RunSpec spec = SmallSpec(tls ? server.tls_address() : server.address());
      if (tls) spec.tls = TlsOptions{.ca_pem = pem.str(), .server_name = "127.0.0.1"};
      spec.transport = transport;
      spec.synchronization = kinetic::Synchronization::kWriteThrough;
      spec.ops.push_back({.kind = OpKind::kBatch, .weight = 0.5});
      spec.batch_ops = 3;
      spec.depth = 8;
      spec.load = true;
      spec.verify = true;
      spec.sample_every = 1;
      spec.samples_max = 100'000;
      spec.duration = Seconds(60);
      spec.op_timeout = Seconds(30);
      spec.max_ops_per_flow = 100;
      ExpectARunWithOvertaking(spec);
    }
  }
}

// A whole run over TLS, its records too: the server has no other port open to them.
TEST(ServerTrace, ComesOverTlsWhenTheRunDoes) {
  const TempDir dir;
  const std::string certificate = dir / "server.pem";
  WriteCertificate("127.0.0.1", certificate, certificate + ".key");
  std::ifstream in(certificate);
  std::stringstream pem;
  pem << in.rdbuf();
  const ReferenceServer server("", {.tls_listen = HostPort{.host = "127.0.0.1"},
                                    .tls_certificate_file = certificate,
                                    .tls_key_file = certificate + ".key"});
  for (const TransportKind transport : {TransportKind::kSocket, TransportKind::kEpoll}) {
    const RunOutcome outcome =
        RunSampled(server.tls_address(), transport,
                   TlsOptions{.ca_pem = pem.str(), .server_name = "127.0.0.1"});
    EXPECT_GT(outcome.totals().answered, 0u);
    EXPECT_EQ(outcome.totals().failed, 0u);
    EXPECT_EQ(outcome.totals().lost, 0u);
    ASSERT_TRUE(outcome.server_trace.available) << outcome.server_trace.reason;
    EXPECT_EQ(outcome.server_trace.records.size(), outcome.samples.size());
    EXPECT_GT(outcome.samples.size(), 0u);
  }
}

TEST(ServerTrace, ARunOverTlsNeedsTheServersCertificate) {
  const ReferenceServer server("", {.tls_listen = HostPort{.host = "127.0.0.1"}});
  const TempDir dir;
  const std::string other = dir / "other.pem";
  WriteCertificate("127.0.0.1", other, other + ".key");
  std::ifstream in(other);
  std::stringstream pem;
  pem << in.rdbuf();
  RunSpec spec = SmallSpec(server.tls_address());
  spec.tls = TlsOptions{.ca_pem = pem.str(), .server_name = "127.0.0.1"};
  const absl::Status refused = Runner(spec).Prepare();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("certificate verify failed"));
  spec.tls->ca_pem.clear();
  spec.server = server.address();
  const absl::Status plain = Runner(spec).Prepare();
  EXPECT_EQ(plain.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(plain.message()), HasSubstr("is that the server's TLS port?"));
}

TEST(ServerTrace, CarriesTheInjectedServiceTime) {
  const ReferenceServer server("get=2ms,put=2ms");
  const RunOutcome outcome = RunSampled(server.address());
  ASSERT_TRUE(outcome.server_trace.available) << outcome.server_trace.reason;
  EXPECT_THAT(outcome.server_trace.service_spec, testing::StartsWith("get=2ms,put=2ms"));
  ASSERT_FALSE(outcome.server_trace.records.empty());
  for (const ServerTrace::Record& record : outcome.server_trace.records) {
    EXPECT_GE(record.residence.duration(), Millis(2));
  }
}

TEST(ServerTrace, SaysWhyThereIsNone) {
  EXPECT_EQ(FetchServerTrace({}, {}).reason, "no request was sampled");
  const RecordingServer other;
  TraceRequest request = {.server = *Resolve(other.address()),
                          .identity = 1,
                          .hmac_key = std::string(kinetic::kFactoryKey),
                          .timeout = Seconds(2)};
  const std::vector<OpRecord> samples(1);
  EXPECT_THAT(FetchServerTrace(request, samples).reason, HasSubstr("NOT_FOUND"));
  request.hmac_key = "another key";
  EXPECT_THAT(FetchServerTrace(request, samples).reason, HasSubstr("HMAC_FAILURE"));
  const RecordingServer silent({.silent = true});
  request.server = *Resolve(silent.address());
  request.timeout = Millis(20);
  const ServerTrace trace = FetchServerTrace(request, samples);
  EXPECT_FALSE(trace.available);
  EXPECT_THAT(trace.reason, HasSubstr("handshake"));
}

}  // namespace
}  // namespace kbench
