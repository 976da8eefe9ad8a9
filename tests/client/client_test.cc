// The client library against the reference server over real sockets, plain and TLS: every request
// that it can make.
#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/requests.h"
#include "tests/base/certificate.h"
#include "tests/client/scripted_server.h"
#include "tests/client/ways.h"
#include "tests/e2e/process.h"
#include "tests/server/loopback_client.h"

namespace kbench::client {
namespace {

using kinetic::GetLog;
using kinetic::PinOp;
using kinetic::StatusCode;
using server::RunningServer;
using server::ServerOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr StatusCode kOk = StatusCode::kSuccess;

ServerOptions WithTls() { return {.tls_listen = HostPort{.host = "127.0.0.1", .port = 0}}; }

std::unique_ptr<Client> ConnectTo(const HostPort& address, const TlsContext* tls = nullptr,
                                  Nanos timeout = Seconds(10),
                                  std::optional<TransportKind> transport = std::nullopt) {
  auto client = Client::Connect(
      {.server = *Resolve(address), .tls = tls, .timeout = timeout, .transport = transport});
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

StatusCode Status(const absl::StatusOr<Reply>& reply) {
  EXPECT_TRUE(reply.ok()) << reply.status();
  return reply.ok() ? reply->status : StatusCode::kInvalid;
}

class ClientTest : public ::testing::TestWithParam<Way> {
 protected:
  ClientTest() : server_(WithTls()) {}
  void SetUp() override {
    const Way& way = GetParam();
    if (const auto possible = Possible(way); !possible.ok()) GTEST_SKIP() << possible;
    client_ = ConnectTo(way.tls ? server_.tls_address() : server_.address(),
                        way.tls ? &tls_ : nullptr, Seconds(10), way.transport);
    ASSERT_NE(client_, nullptr);
  }
  StatusCode Call(const kinetic::Command& command, absl::string_view value = "") {
    return Status(client_->Call(command, value));
  }

  TlsContext tls_ = *TlsContext::Client("");
  RunningServer server_;
  std::unique_ptr<Client> client_;
};

INSTANTIATE_TEST_SUITE_P(Over, ClientTest, ::testing::ValuesIn(Ways()),
                         [](const auto& of) { return NameOf(of.param); });

TEST_P(ClientTest, PutsGetsAndDeletesValuesOfEverySize) {
  EXPECT_EQ(client_->tls(), GetParam().tls);
  for (const size_t size : {0, 1, 16'384, 16'385, 300'000, 1 << 20}) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 13 >> 4);
    EXPECT_EQ(Call(PutRequest("k", {.next = "v1", .force = true}), value), kOk) << size;
    const auto got = client_->Call(GetRequest("k"));
    ASSERT_EQ(Status(got), kOk);
    EXPECT_TRUE(got->value == value) << size;
    EXPECT_EQ(got->command().key_value->db_version, "v1");
  }
  EXPECT_EQ(client_->Call(GetRequest("k", /*metadata_only=*/true))->value, "");
  EXPECT_EQ(client_->Call(GetVersionRequest("k"))->command().key_value->db_version, "v1");
  EXPECT_EQ(Call(PutRequest("k", {.expected = "other"}), "x"), StatusCode::kVersionMismatch);
  EXPECT_EQ(Call(DeleteRequest("k", {.expected = "v1"})), kOk);
  EXPECT_EQ(Call(GetRequest("k")), StatusCode::kNotFound);
}

TEST_P(ClientTest, WalksKeysInOrderAndInPages) {
  for (int i = 0; i < 450; ++i) {
    ASSERT_TRUE(client_
                    ->Send(PutRequest(absl::StrCat("k", 1000 + i), {.force = true},
                                      kinetic::Synchronization::kWriteBack))
                    .ok());
  }
  for (uint64_t sequence = 1; sequence <= 450; ++sequence) {
    ASSERT_EQ(Status(client_->Await(451 - sequence)), kOk) << "awaited in another order";
  }
  EXPECT_EQ(client_->Call(GetNextRequest("k1000"))->command().key_value->key, "k1001");
  EXPECT_EQ(client_->Call(GetPreviousRequest("k1001"))->command().key_value->key, "k1000");
  std::vector<std::string> keys;
  const auto all = [&keys](absl::string_view key) {
    keys.emplace_back(key);
    return true;
  };
  ASSERT_EQ(Status(client_->VisitKeys("k", "l", all)), kOk);
  ASSERT_EQ(keys.size(), 450u) << "the server gives 200 at a time";
  EXPECT_EQ(keys.front(), "k1000");
  EXPECT_EQ(keys.back(), "k1449");
}

TEST_P(ClientTest, EndsAndAbortsBatches) {
  auto batch = Batch::Start(client_.get(), 7);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_TRUE(batch->Add(PutRequest("a"), "1").ok());
  ASSERT_TRUE(batch->Add(PutRequest("b"), std::string(100'000, 'b')).ok());
  EXPECT_EQ(Call(GetRequest("a")), StatusCode::kNotFound);
  EXPECT_EQ(Status(batch->Commit()), kOk);
  EXPECT_EQ(client_->Call(GetRequest("b"))->value.size(), 100'000u);
  auto other = Batch::Start(client_.get(), 8);
  ASSERT_TRUE(other->Add(DeleteRequest("a")).ok());
  EXPECT_EQ(Status(other->Abort()), kOk);
  EXPECT_EQ(Call(GetRequest("a")), kOk);
  const auto twice = Batch::Start(client_.get(), 9);
  const auto refused = Batch::Start(client_.get(), 9);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("INVALID_BATCH"));
}

TEST_P(ClientTest, ReadsLogsAndLooksAfterTheMedium) {
  const auto logs = client_->Call(GetLogRequest(
      {GetLog::Type::kConfiguration, GetLog::Type::kLimits, GetLog::Type::kMessages}));
  ASSERT_EQ(Status(logs), kOk);
  EXPECT_EQ(logs->command().get_log->configuration->tls_port, server_.tls_address().port);
  EXPECT_EQ(Call(DeviceLogRequest("no.such.log")), StatusCode::kNotFound);
  EXPECT_EQ(Call(NoopRequest()), kOk);
  EXPECT_EQ(Call(FlushRequest()), kOk);
  kinetic::Command put = PutRequest("bad");
  put.key_value->tag = "12345678901234567890";  // no SHA-1 of anything here
  put.key_value->algorithm = 1;
  EXPECT_EQ(Call(put, "value"), kOk);
  EXPECT_EQ(Call(PutRequest("good"), "value"), kOk);
  kinetic::Command summed = PutRequest("good and summed");
  const kinetic::Tag tag = kinetic::MakeTag(kinetic::TagAlgorithm::kCrc32c, AsBytes("value"));
  SetTag(tag, &summed);
  EXPECT_EQ(Call(summed, "value"), kOk);
  EXPECT_EQ(client_->Call(GetRequest("good and summed"))->command().key_value->tag,
            "\xe1\xe0\x03\x63");
  summed.key_value->key = "bad sum";
  EXPECT_EQ(Call(summed, "another value"), kOk);
  summed.key_value->key = "bad length";
  summed.key_value->tag = "t1";
  EXPECT_EQ(Call(summed, "another value"), kOk);
  summed.key_value->key = "empty";
  summed.key_value->tag = "";
  EXPECT_EQ(Call(summed, "another value"), kOk);
  SetTag(tag, &summed);
  summed.key_value->key = "called a CRC32";
  summed.key_value->algorithm = 6;
  EXPECT_EQ(Call(summed, "another value"), kOk);
  const auto scan = client_->Call(MediaScanRequest({}));
  ASSERT_EQ(Status(scan), kOk);
  EXPECT_THAT(scan->command().range->keys, ElementsAre("bad", "bad length", "bad sum"));
  EXPECT_EQ(scan->command().range->end_key, "good and summed");
  EXPECT_EQ(Call(MediaOptimizeRequest({.start_key = "a", .end_key = "z"})), kOk);
}

TEST_P(ClientTest, AdministersTheDeviceOverTlsOnly) {
  const StatusCode wanted = GetParam().tls ? kOk : StatusCode::kInvalidRequest;
  EXPECT_EQ(Call(SetErasePinRequest("", "123")), wanted);
  EXPECT_EQ(Call(SetLockPinRequest("", "456")), wanted);
  kinetic::Security::Acl acl = {.identity = 5, .key = "k", .hmac_algorithm = kinetic::kHmacSha1};
  acl.scopes.push_back({.permissions = {static_cast<int32_t>(kinetic::Permission::kRead)}});
  EXPECT_EQ(Call(SetAclsRequest({acl})), wanted);
  EXPECT_EQ(Status(client_->CallByPin(PinRequest(PinOp::kLock), "456")), wanted);
  if (GetParam().tls) {
    EXPECT_EQ(Call(NoopRequest()), StatusCode::kDeviceLocked);
    const auto late = ConnectTo(server_.tls_address(), &tls_);
    EXPECT_EQ(late->greeting().status, kOk) << "who comes over TLS may have the PIN";
    EXPECT_EQ(ConnectTo(server_.address(), nullptr)->greeting().status, StatusCode::kDeviceLocked);
    EXPECT_EQ(Status(late->CallByPin(PinRequest(PinOp::kUnlock), "456")), kOk);
  }
  EXPECT_EQ(Call(SetClusterVersionRequest(4)), kOk);
  EXPECT_EQ(Call(NoopRequest()), StatusCode::kVersionFailure);
  EXPECT_EQ(Call(NoopRequest()), kOk) << "the refusal told the new version";
  EXPECT_EQ(Call(FirmwareRequest(), "image"), kOk);
  EXPECT_EQ(Call(PowerRequest(kinetic::PowerLevel::kHibernate)), kOk);
  EXPECT_EQ(Call(NoopRequest()), StatusCode::kHibernate);
  EXPECT_EQ(Call(PowerRequest(kinetic::PowerLevel::kOperational)), kOk);
  EXPECT_EQ(Status(client_->CallByPin(PinRequest(PinOp::kErase), "123")), wanted);
}

TEST(Client, ChecksTheServersCertificateWhenItIsTold) {
  const e2e::TempDir dir;
  const std::string good = dir.path() + "/good.pem", key = dir.path() + "/good.key";
  const std::string other = dir.path() + "/other.pem";
  WriteCertificate("127.0.0.1", good, key);
  WriteCertificate("127.0.0.1", other, dir.path() + "/other.key");
  ServerOptions options = WithTls();
  options.tls_certificate_file = good;
  options.tls_key_file = key;
  RunningServer server(std::move(options));
  const auto connect = [&](const std::string& authorities, const std::string& name) {
    const TlsContext tls = *TlsContext::Client(authorities);
    return Client::Connect(
               {.server = *Resolve(server.tls_address()), .server_name = name, .tls = &tls})
        .status();
  };
  EXPECT_TRUE(connect(good, "127.0.0.1").ok()) << connect(good, "127.0.0.1");
  EXPECT_TRUE(connect("", "whatever").ok()) << "not told to check";
  EXPECT_THAT(std::string(connect(other, "127.0.0.1").message()), HasSubstr("certificate"));
  EXPECT_THAT(std::string(connect(good, "127.0.0.2").message()), HasSubstr("mismatch"));
  EXPECT_THAT(std::string(connect(good, "drive.example").message()), HasSubstr("mismatch"));
  EXPECT_FALSE(TlsContext::Client(dir.path() + "/none").ok());
  EXPECT_FALSE(TlsContext::Server(good, dir.path() + "/other.key").ok()) << "another's key";
}

TEST(Client, AWrongKeyIsRefusedAndAWrongAnswerNotBelieved) {
  RunningServer server;
  auto client = Client::Connect({.server = *Resolve(server.address()), .hmac_key = "wrong"});
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(Status((*client)->Call(NoopRequest())), StatusCode::kHmacFailure);
  auto stranger = Client::Connect({.server = *Resolve(server.address()), .identity = 77});
  const auto lost = (*stranger)->Call(NoopRequest());
  EXPECT_TRUE(absl::IsUnavailable(lost.status())) << lost.status();
  EXPECT_THAT(std::string(lost.status().message()), HasSubstr("identity 77 is unknown"));
}

TEST(Client, GivesUpOnAServerThatAcceptsAndStaysSilent) {
  ScriptedServer server("");
  const auto client =
      Client::Connect({.server = *Resolve(server.address()), .timeout = Millis(50)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(client.status())) << client.status();
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("handshake"));
}

TEST(Client, SaysWhenWhatItMetIsNoKinetic) {
  ScriptedServer server("SSH-2.0-OpenSSH_9.2\r\n");
  const auto client = Client::Connect({.server = *Resolve(server.address())});
  EXPECT_TRUE(absl::IsInvalidArgument(client.status())) << client.status();
}

// What the client says to a NOOP that is answered like this.
absl::Status AfterANoop(const std::string& answer, std::optional<int64_t> cluster_version = {}) {
  ScriptedServer server(GreetingPdu(/*cluster_version=*/3) + answer);
  const auto client =
      Client::Connect({.server = *Resolve(server.address()), .cluster_version = cluster_version});
  if (!client.ok()) return client.status();
  return (*client)->Call(NoopRequest()).status();
}

TEST(Client, TakesNoAnswerOfAnotherMessageType) {
  using kinetic::MessageType;
  EXPECT_TRUE(AfterANoop(SignedPdu(FirstAnswer(MessageType::kNoopResponse))).ok());
  for (const StatusCode status : {StatusCode::kSuccess, StatusCode::kNotFound}) {
    const absl::Status other =
        AfterANoop(SignedPdu(FirstAnswer(MessageType::kGetResponse, status)));
    EXPECT_TRUE(absl::IsDataLoss(other)) << other;
    EXPECT_THAT(std::string(other.message()), HasSubstr("reply to NOOP has GET_RESPONSE"));
  }
  kinetic::Command untyped = FirstAnswer(MessageType::kNoopResponse);
  untyped.header.message_type.reset();
  const absl::Status none = AfterANoop(SignedPdu(untyped));
  EXPECT_TRUE(absl::IsDataLoss(none)) << none;
  EXPECT_THAT(std::string(none.message()), HasSubstr("the answer has no message type"));
  untyped.status->code = StatusCode::kInvalidRequest;
  EXPECT_TRUE(AfterANoop(SignedPdu(untyped)).ok()) << "a refusal is one without it";
}

TEST(Client, TakesNoAnswerWithoutAStatusOrWithAValueThatNobodyAskedFor) {
  kinetic::Command answer = FirstAnswer(kinetic::MessageType::kNoopResponse);
  const absl::Status value = AfterANoop(SignedPdu(answer, "surprise"));
  EXPECT_TRUE(absl::IsDataLoss(value)) << value;
  EXPECT_THAT(std::string(value.message()), HasSubstr("8 bytes of value"));
  answer.status.reset();
  const absl::Status silent = AfterANoop(SignedPdu(answer));
  EXPECT_TRUE(absl::IsDataLoss(silent)) << silent;
  EXPECT_THAT(std::string(silent.message()), HasSubstr("no status"));
}

TEST(Client, AsksAboutTheIdentityWhenTheAnswerHasNoCommand) {
  const absl::Status stranger = AfterANoop(CommandlessPdu());
  EXPECT_TRUE(absl::IsPermissionDenied(stranger)) << stranger;
  EXPECT_THAT(std::string(stranger.message()), HasSubstr("does the server know identity 1?"));
}

TEST(Client, HintsAtKeysForHmacFailureAlone) {
  RunningServer server;
  const auto hint = [&server](const std::string& key, std::optional<int64_t> cluster_version) {
    auto client = Client::Connect({.server = *Resolve(server.address()),
                                   .hmac_key = key,
                                   .cluster_version = cluster_version});
    EXPECT_TRUE(client.ok()) << client.status();
    const auto reply = (*client)->Call(GetRequest("nothing"));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return (*client)->HintFor(*reply);
  };
  const std::string factory(kinetic::kFactoryKey);
  EXPECT_EQ(hint("wrong", {}), "is the HMAC key of identity 1 right?");
  EXPECT_EQ(hint(factory, 9), "the server's cluster version is 0, and the request said 9");
  EXPECT_EQ(hint(factory, {}), "") << "NOT_FOUND says it all";
}

TEST(Client, SaysTheClusterVersionThatItWasTold) {
  RunningServer server;
  auto client = Client::Connect({.server = *Resolve(server.address()), .cluster_version = 9});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Status((*client)->Call(NoopRequest())), StatusCode::kVersionFailure)
        << "it takes no other";
  }
}

TEST(Client, SaysThatAGreetingRefusesTheConnection) {
  ScriptedServer server(GreetingPdu(0, StatusCode::kServiceBusy));
  const auto client = Client::Connect({.server = *Resolve(server.address())});
  EXPECT_TRUE(absl::IsPermissionDenied(client.status())) << client.status();
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("SERVICE_BUSY"));
}

TEST(Client, SaysThatNobodyListens) {
  HostPort nobody;
  { nobody = RunningServer().address(); }
  const auto client = Client::Connect({.server = *Resolve(nobody)});
  EXPECT_TRUE(absl::IsUnavailable(client.status())) << client.status();
}

}  // namespace
}  // namespace kbench::client
