// PEER2PEERPUSH between real servers, plain and TLS, nested, and when things go wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/requests.h"
#include "tests/base/judge.h"
#include "tests/client/scripted_server.h"
#include "tests/server/loopback_client.h"

namespace kbench::client {
namespace {

using kinetic::P2pOperation;
using kinetic::StatusCode;
using server::RunningServer;
using server::ServerOptions;
using ::testing::HasSubstr;

constexpr StatusCode kOk = StatusCode::kSuccess;

std::unique_ptr<Client> ConnectTo(const HostPort& address) {
  auto client = Client::Connect({.server = *Resolve(address)});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

class PushTest : public ::testing::Test {
 protected:
  P2pOperation To(const HostPort& peer, bool tls = false) {
    hosts_.push_back(std::make_unique<std::string>(peer.host));
    P2pOperation push;
    push.peer = {.hostname = *hosts_.back(), .port = peer.port, .tls = tls};
    return push;
  }
  std::string ValueAt(Client* client, absl::string_view key) {
    const auto reply = client->Call(GetRequest(key));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply->status == kOk ? reply->value : kinetic::Name(reply->status);
  }
  Reply Push(const P2pOperation& push) {
    auto reply = source_->Call(PushRequest(push));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : Reply();
  }

  RunningServer first_;
  RunningServer second_{ServerOptions{.tls_listen = HostPort{.host = "127.0.0.1", .port = 0}}};
  RunningServer third_;
  std::unique_ptr<Client> source_ = ConnectTo(first_.address());
  std::unique_ptr<Client> target_ = ConnectTo(second_.address());
  std::vector<std::unique_ptr<std::string>> hosts_;
};

TEST_F(PushTest, CarriesObjectsWithAllThatIsKnownOfThem) {
  kinetic::Command put = PutRequest("k", {.next = "v7", .force = true});
  put.key_value->tag = "tag";
  put.key_value->algorithm = 104;
  ASSERT_EQ(source_->Call(put, std::string(300'000, 'x'))->status, kOk);
  for (const bool tls : {false, true}) {
    P2pOperation push = To(tls ? second_.tls_address() : second_.address(), tls);
    push.operations = {{.key = "k", .new_key = tls ? "over-tls" : "plain"}};
    const Reply reply = Push(push);
    EXPECT_EQ(reply.status, kOk) << reply.Describe();
    ASSERT_TRUE(reply.command().p2p.has_value());
    EXPECT_EQ(reply.command().p2p->all_child_operations_succeeded, true);
    ASSERT_EQ(reply.command().p2p->operations.size(), 1u);
    EXPECT_EQ(reply.command().p2p->operations[0].key, "k") << "echoed";
    EXPECT_EQ(reply.command().p2p->operations[0].status->code, kOk);
    const auto there = target_->Call(GetRequest(tls ? "over-tls" : "plain"));
    EXPECT_EQ(there->value.size(), 300'000u);
    EXPECT_EQ(there->command().key_value->db_version, "v7");
    EXPECT_EQ(there->command().key_value->tag, "tag");
    EXPECT_EQ(there->command().key_value->algorithm, 104);
  }
}

TEST_F(PushTest, BelievesNoPeerWhoseAnswerIsNone) {
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  ScriptedServer peer(GreetingPdu() +
                      SignedPdu(FirstAnswer(kinetic::MessageType::kDeleteResponse)));
  P2pOperation push = To(peer.address());
  push.operations = {{.key = "k"}};
  const Reply reply = Push(push);
  ASSERT_TRUE(reply.command().p2p.has_value()) << reply.Describe();
  EXPECT_EQ(reply.command().p2p->all_child_operations_succeeded, false);
  const auto& status = reply.command().p2p->operations.at(0).status;
  EXPECT_EQ(status->code, StatusCode::kRemoteConnectionError);
  EXPECT_THAT(std::string(*status->message), HasSubstr("reply to PUT has DELETE_RESPONSE"));
}

TEST_F(PushTest, EveryOperationHasItsOwnStatusAndTheRestIsDone) {
  ASSERT_EQ(source_->Call(PutRequest("a", {.next = "1", .force = true}), "va")->status, kOk);
  ASSERT_EQ(source_->Call(PutRequest("b"), "vb")->status, kOk);
  ASSERT_EQ(target_->Call(PutRequest("a", {.next = "old", .force = true}), "old")->status, kOk);
  P2pOperation push = To(second_.address());
  push.operations = {{.key = "a", .version = "another"},
                     {.key = "missing"},
                     {.key = "a", .version = "old", .new_key = "a"},
                     {.key = "b"}};
  const Reply reply = Push(push);
  EXPECT_EQ(reply.status, kOk);
  const P2pOperation& told = *reply.command().p2p;
  EXPECT_EQ(told.all_child_operations_succeeded, false);
  ASSERT_EQ(told.operations.size(), 4u);
  EXPECT_EQ(told.operations[0].status->code, StatusCode::kVersionMismatch);
  EXPECT_EQ(told.operations[1].status->code, StatusCode::kNotFound);
  EXPECT_EQ(told.operations[2].status->code, kOk) << "the peer's version is the one expected";
  EXPECT_EQ(told.operations[3].status->code, kOk);
  EXPECT_EQ(ValueAt(target_.get(), "a"), "va");
  EXPECT_EQ(ValueAt(target_.get(), "b"), "vb");
}

TEST_F(PushTest, ANestedPushIsDoneByThePeer) {
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  P2pOperation nested = To(third_.address());
  nested.operations = {{.key = "k2", .new_key = "k3"}, {.key = "never there"}};
  P2pOperation push = To(second_.address());
  push.operations = {{.key = "k", .new_key = "k2", .nested = {nested}}};
  const Reply reply = Push(push);
  EXPECT_EQ(reply.status, kOk);
  const P2pOperation& told = *reply.command().p2p;
  EXPECT_EQ(told.all_child_operations_succeeded, false);
  EXPECT_EQ(told.operations[0].status->code, StatusCode::kNestedOperationErrors);
  ASSERT_EQ(told.operations[0].nested.size(), 1u);
  ASSERT_EQ(told.operations[0].nested[0].operations.size(), 2u);
  EXPECT_EQ(told.operations[0].nested[0].operations[0].status->code, kOk);
  EXPECT_EQ(told.operations[0].nested[0].operations[1].status->code, StatusCode::kNotFound);
  EXPECT_EQ(ValueAt(ConnectTo(third_.address()).get(), "k3"), "value");
}

TEST_F(PushTest, AServerCanPushToItself) {
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  P2pOperation push = To(first_.address());
  push.operations = {{.key = "k", .new_key = "copy"}};
  EXPECT_EQ(Push(push).status, kOk);
  EXPECT_EQ(ValueAt(source_.get(), "copy"), "value");
}

TEST_F(PushTest, APeerThatIsNotThereFailsThePushAsAWhole) {
  HostPort nobody;
  { nobody = RunningServer().address(); }
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  P2pOperation push = To(nobody);
  push.operations = {{.key = "k"}};
  const Reply reply = Push(push);
  EXPECT_EQ(reply.status, StatusCode::kRemoteConnectionError);
  EXPECT_THAT(reply.text, HasSubstr(nobody.ToString()));
  EXPECT_EQ(Push(P2pOperation()).status, StatusCode::kInvalidRequest) << "no peer";
}

// Others are served, and this connection's next requests wait their turn, while a peer is slow.
TEST_F(PushTest, HoldsUpNobodyElse) {
  RunningServer slow(ServerOptions{.service_time = "put=3s"});
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  P2pOperation push = To(slow.address());
  push.operations = {{.key = "k"}};
  const uint64_t pushed = *source_->Send(PushRequest(push));
  const uint64_t behind = *source_->Send(NoopRequest());
  const auto other = ConnectTo(first_.address());
  const ForeignCpu others;
  const MonoTime begin = MonoNow();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(other->Call(NoopRequest())->status, kOk);
  const Nanos took = MonoNow() - begin;
  JudgeWhenQuiet(took < Seconds(2),
                 {.what = "ten requests of another beside a push of 3 s",
                  .figure = absl::StrCat(took.seconds(), " s"),
                  .bound = "less than 2 s: they do not wait for it"},
                 others.Cpus());
  EXPECT_EQ(source_->Await(pushed)->status, kOk);
  EXPECT_EQ(source_->Await(behind)->status, kOk);
}

TEST_F(PushTest, AClientThatLeavesAndAServerThatEndsWaitForNoPeer) {
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  // Listens, and never accepts.
  Fd silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto any = Resolve(*ParseHostPort("127.0.0.1:0"));
  ASSERT_EQ(bind(silent.get(), any->get(), any->length), 0);
  ASSERT_EQ(listen(silent.get(), 4), 0);
  P2pOperation push = To(*LocalAddress(silent.get()));
  push.operations = {{.key = "k"}};
  ASSERT_TRUE(source_->Send(PushRequest(push)).ok());
  source_.reset();
  EXPECT_EQ(ConnectTo(first_.address())->Call(NoopRequest())->status, kOk);
  const ForeignCpu others;
  const MonoTime begin = MonoNow();
  EXPECT_TRUE(first_.Stop().ok());
  const Nanos took = MonoNow() - begin;
  JudgeWhenQuiet(took < Seconds(8),
                 {.what = "the end of a server that pushes to one that is silent",
                  .figure = absl::StrCat(took.seconds(), " s"),
                  .bound = "less than the ten seconds that the push would have had"},
                 others.Cpus());
}

TEST_F(PushTest, ItsTimeoutIsThatOfAllItsOperationsTogether) {
  RunningServer slow(ServerOptions{.service_time = "put=200ms"});
  ASSERT_EQ(source_->Call(PutRequest("k"), "value")->status, kOk);
  P2pOperation push = To(slow.address());
  for (int i = 0; i < 30; ++i) push.operations.push_back({.key = "k", .new_key = "k2"});
  kinetic::Command command = PushRequest(push);
  command.header.timeout_ms = 500;
  const auto reply = source_->Call(command);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->status, kOk);
  const P2pOperation& told = *reply->command().p2p;
  EXPECT_EQ(told.all_child_operations_succeeded, false);
  ASSERT_EQ(told.operations.size(), 30u);
  EXPECT_EQ(told.operations.front().status->code, kOk);
  EXPECT_EQ(told.operations.back().status->code, StatusCode::kNotAttempted);
}

}  // namespace
}  // namespace kbench::client
