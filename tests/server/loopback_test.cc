// The whole server over real loopback sockets: what only sockets can show. Protocol rules have
// their tests without sockets, in conversation_test and request_handler_test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/tls.h"
#include "client/client.h"
#include "client/requests.h"
#include "tests/base/judge.h"
#include "tests/server/loopback_client.h"

namespace kbench::server {
namespace {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::Residence;
using kinetic::ResidenceLog;
using kinetic::StatusCode;
using ::testing::HasSubstr;

std::string Signed(const Command& command, absl::string_view value = "") {
  return RequestBytes(command, kinetic::kFactoryIdentity, kinetic::kFactoryKey, value);
}

Command Put(LoopbackClient* client, absl::string_view key) {
  Command put = client->Next(MessageType::kPut);
  put.key_value = {.key = key, .synchronization = kinetic::Synchronization::kWriteBack};
  return put;
}

Command Get(LoopbackClient* client, absl::string_view key) {
  Command get = client->Next(MessageType::kGet);
  get.key_value = {.key = key};
  return get;
}

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 131 >> 3);
  return bytes;
}

// A drive's answers on the wire: what was held back leaves when its time has come, though nothing
// else happens, and each record of the residence log is its own request's.
TEST(Loopback, AReadOvertakesAWriteThatIsHeldBack) {
  const Dialect& drive = *FindDialect("kineticd");
  RunningServer server({.dialect = &drive, .limits = drive.limits});
  LoopbackClient client(server.address());
  Command put = Put(&client, "k");
  put.key_value->tag = "";
  put.key_value->synchronization = kinetic::Synchronization::kWriteThrough;
  const std::string both = Signed(put, "v") + Signed(Get(&client, "k"));
  client.Send(both);  // one send, one receive
  const std::optional<Answer> first = client.Receive(), second = client.Receive();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->ack_sequence, 2u);
  EXPECT_EQ(first->value, "v");
  EXPECT_EQ(second->ack_sequence, 1u);
  EXPECT_EQ(second->status, StatusCode::kSuccess);
  LoopbackClient other(server.address());
  const ResidenceLog log = other.Residences(client.connection_id());
  ASSERT_EQ(log.records.size(), 2u);
  EXPECT_EQ(log.records[0].sequence, 1u);
  EXPECT_GE(log.records[0].duration(), drive.write_hold);
  EXPECT_EQ(log.records[1].sequence, 2u);
  EXPECT_LE(log.records[1].sent, log.records[0].sent);
  // A client that closes its side while an answer is held back still gets it.
  put.header = client.Next(MessageType::kPut).header;
  client.Send(Signed(put, "v"));
  client.CloseWrite();
  EXPECT_EQ(client.Receive()->ack_sequence, 3u);
  EXPECT_FALSE(client.Receive().has_value());
}

TEST(Loopback, WithoutATagADriveSaysSoAndHangsUp) {
  const Dialect& drive = *FindDialect("kineticd");
  RunningServer server({.dialect = &drive, .limits = drive.limits});
  LoopbackClient client(server.address());
  client.Send(Signed(Put(&client, "k"), "v"));
  const std::optional<Answer> last = client.Receive();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->auth_type, kinetic::AuthType::kUnsolicitedStatus);
  EXPECT_EQ(last->status, StatusCode::kInvalidRequest);
  EXPECT_EQ(last->status_message, "Tag required");
  EXPECT_EQ(last->connection_id, client.connection_id());
  EXPECT_FALSE(client.Receive().has_value()) << "the connection is closed";
}

TEST(Loopback, TheSimulatorClosesWithoutAWord) {
  const Dialect& simulator = *FindDialect("simulator");
  RunningServer server({.dialect = &simulator, .limits = simulator.limits});
  LoopbackClient client(server.address());
  client.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_FALSE(client.Receive().has_value());
  LoopbackClient stranger(server.address());
  stranger.Send(RequestBytes(stranger.Next(MessageType::kNoop), 99, "asdfasdf"));
  const std::optional<Answer> answer = stranger.Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->message, "\x20\x01") << "11 bytes with the frame's header: authType alone";
  EXPECT_EQ(stranger.Ask(stranger.Next(MessageType::kNoop)).status, StatusCode::kSuccess);
}

TEST(Loopback, KeepsValuesOfEverySizeForAnotherConnection) {
  RunningServer server;
  LoopbackClient writer(server.address());
  LoopbackClient reader(server.address());
  EXPECT_NE(writer.connection_id(), reader.connection_id());
  for (const size_t size : {0u, 1u, 4096u, 4097u, 512u * 1024, 1024u * 1024}) {
    const std::string value = Pattern(size);
    EXPECT_EQ(writer.Ask(Put(&writer, "k"), value).status, StatusCode::kSuccess) << size;
    const Answer got = reader.Ask(Get(&reader, "k"));
    EXPECT_EQ(got.status, StatusCode::kSuccess);
    EXPECT_TRUE(got.value == value) << size << " bytes came back as " << got.value.size();
    // The next PUT replaces it.
    Command erase = writer.Next(MessageType::kDelete);
    erase.key_value = {.key = "k", .synchronization = kinetic::Synchronization::kWriteBack};
    EXPECT_EQ(writer.Ask(erase).status, StatusCode::kSuccess);
  }
}

TEST(Loopback, TakesARequestByteByByte) {
  RunningServer server;
  LoopbackClient client(server.address());
  for (const char byte : Signed(Put(&client, "k"), "value")) {
    client.Send(absl::string_view(&byte, 1));
  }
  EXPECT_EQ(client.Receive()->status, StatusCode::kSuccess);
  EXPECT_EQ(client.Ask(Get(&client, "k")).value, "value");
}

TEST(Loopback, AnswersPipelinedRequestsInOrder) {
  RunningServer server;
  LoopbackClient client(server.address());
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    bytes += i % 2 == 0 ? Signed(Put(&client, absl::StrCat("k", i)), Pattern(5000))
                        : Signed(Get(&client, absl::StrCat("k", i - 1)));
  }
  client.Send(bytes);
  for (uint64_t sequence = 1; sequence <= 100; ++sequence) {
    const std::optional<Answer> answer = client.Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->ack_sequence, sequence);
    EXPECT_EQ(answer->value.size(), sequence % 2 == 0 ? 5000u : 0u);
  }
}

TEST(Loopback, AnswersWhatWasSentBeforeTheClientsEnd) {
  RunningServer server;
  LoopbackClient client(server.address());
  std::string both = client.NextBytes(MessageType::kNoop);
  both += client.NextBytes(MessageType::kNoop);
  client.Send(both);
  client.CloseWrite();
  for (uint64_t sequence = 1; sequence <= 2; ++sequence) {
    const std::optional<Answer> answer = client.Receive();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->ack_sequence, sequence);
  }
  EXPECT_FALSE(client.Receive().has_value()) << "and closes then";
}

TEST(Loopback, SaysWhyBeforeItCloses) {
  RunningServer server;
  LoopbackClient client(server.address());
  // More than it has read follows the garbage: the last words must not be lost to a reset.
  client.Send(absl::StrCat("GET / HTTP/1.1\r\n\r\n", std::string(300'000, 'x')));
  const std::optional<Answer> last = client.Receive();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->auth_type, kinetic::AuthType::kUnsolicitedStatus);
  EXPECT_EQ(last->status, StatusCode::kInvalidRequest);
  EXPECT_THAT(last->status_message, HasSubstr("0x46"));
  EXPECT_FALSE(client.Receive().has_value());
}

TEST(Loopback, OneClientsEndIsNobodyElsesTrouble) {
  RunningServer server;
  LoopbackClient stays(server.address());
  for (int i = 0; i < 20; ++i) {
    LoopbackClient leaves(server.address());
    const std::string half = Signed(Put(&leaves, "half"), Pattern(100'000)).substr(0, 50'000);
    leaves.Send(half);
    if (i % 2 == 0) {  // with a reset
      const linger now = {.l_onoff = 1, .l_linger = 0};
      setsockopt(leaves.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
  }
  EXPECT_EQ(stays.Ask(Get(&stays, "half")).status, StatusCode::kNotFound) << "no half value";
  EXPECT_EQ(stays.Ask(stays.Next(MessageType::kNoop)).status, StatusCode::kSuccess);
}

TEST(Loopback, DoesNotReadFromOneWhoDoesNotTakeItsAnswers) {
  ServerOptions options;
  options.limits.unsent_bytes = 4 * 1024 * 1024;
  RunningServer server(std::move(options));
  LoopbackClient client(server.address());
  ASSERT_EQ(client.Ask(Put(&client, "k"), Pattern(1024 * 1024)).status, StatusCode::kSuccess);
  // 4,000 GETs would be 4 GiB of answers. The server stops reading, so the client's sends stop
  // too: until nothing more is taken within 200 ms.
  const timeval patience = {.tv_sec = 0, .tv_usec = 200'000};
  setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int small = 4096;
  setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
  uint64_t asked = 0;
  std::string rest;
  for (bool blocked = false; !blocked && asked < 200'000;) {
    const std::string get = Signed(Get(&client, "k"));
    const ssize_t n = send(client.fd(), get.data(), get.size(), MSG_NOSIGNAL);
    blocked = n < static_cast<ssize_t>(get.size());
    if (n <= 0) break;
    rest = get.substr(static_cast<size_t>(n));
    ++asked;
  }
  EXPECT_LT(asked, 200'000u) << "the server took every request";
  // Meanwhile others are served; and once its answers are taken, so is this one.
  LoopbackClient other(server.address());
  EXPECT_EQ(other.Ask(other.Next(MessageType::kNoop)).status, StatusCode::kSuccess);
  const uint64_t looked_at = std::min<uint64_t>(asked - (rest.empty() ? 0 : 1), 64);
  for (uint64_t i = 0; i < looked_at; ++i) {
    const std::optional<Answer> answer = client.Receive();
    ASSERT_TRUE(answer.has_value()) << i;
    EXPECT_EQ(answer->ack_sequence, i + 2);
    EXPECT_EQ(answer->value.size(), 1024u * 1024);
  }
}

// Answers that are held for their service time and then do not fit the socket go on when it has
// room.
TEST(Loopback, HeldAnswersSurviveShortSends) {
  ServerOptions options;
  options.service_time = "get=1ms";
  RunningServer server(std::move(options));
  LoopbackClient client(server.address());
  const int small = 64 * 1024;
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  ASSERT_EQ(client.Ask(Put(&client, "k"), Pattern(1024 * 1024)).status, StatusCode::kSuccess);
  std::string gets;
  for (int i = 0; i < 8; ++i) gets += Signed(Get(&client, "k"));
  client.Send(gets);
  const timeval patience = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  for (uint64_t sequence = 2; sequence <= 9; ++sequence) {
    const std::optional<Answer> answer = client.Receive();
    ASSERT_TRUE(answer.has_value()) << "stalled before answer " << sequence;
    EXPECT_EQ(answer->ack_sequence, sequence);
    EXPECT_EQ(answer->value.size(), 1024u * 1024);
  }
}

// The same over TLS, where what was offered to a full socket must be offered again, and no less.
TEST(Loopback, HeldAnswersSurviveShortSendsOverTls) {
  ServerOptions options;
  options.service_time = "get=2ms";
  options.tls_listen = HostPort{.host = "127.0.0.1", .port = 0};
  RunningServer server(std::move(options));
  const TlsContext tls = *TlsContext::Client("");
  auto client = client::Client::Connect({.server = *Resolve(server.tls_address()), .tls = &tls});
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Call(client::PutRequest("k"), Pattern(3000)).ok());
  constexpr uint64_t kGets = 4500;
  uint64_t last = 0;
  for (uint64_t i = 0; i < kGets; ++i) {
    const auto sequence = (*client)->Send(client::GetRequest("k"));
    ASSERT_TRUE(sequence.ok()) << sequence.status();
    last = *sequence;
  }
  // Awaiting the last one keeps all others.
  const auto reply = (*client)->Await(last);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->value.size(), 3000u);
  for (uint64_t sequence = 2; sequence < last; ++sequence) {
    ASSERT_TRUE((*client)->Await(sequence).ok()) << sequence;
  }
}

TEST(Loopback, ARequestAndAGoodbyeInOneRecordAreBothTaken) {
  ServerOptions options;
  options.tls_listen = HostPort{.host = "127.0.0.1", .port = 0};
  RunningServer server(std::move(options));
  const TlsContext context = *TlsContext::Client("");
  const SocketAddress address = *Resolve(server.tls_address());
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(connect(fd.get(), address.get(), address.length), 0);
  TlsStream stream(TlsStream::Side::kClient, context, fd.get());
  std::vector<uint8_t> buffer(65536);
  TlsStream::Outcome got = stream.Receive(MutableBytes(buffer));
  ASSERT_EQ(got.kind, TlsStream::Kind::kDone) << stream.error();
  const Answer greeting = ParseAnswer(
      Bytes(buffer).subspan(kinetic::kFrameHeaderSize, got.bytes - kinetic::kFrameHeaderSize), {},
      kinetic::kFactoryKey);
  const int cork = 1, uncork = 0;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_CORK, &cork, sizeof(cork));
  const std::string noop = Signed(Request(MessageType::kNoop, *greeting.connection_id, 1));
  ASSERT_EQ(stream.Send(AsBytes(noop)).bytes, noop.size());
  stream.Shutdown();
  setsockopt(fd.get(), IPPROTO_TCP, TCP_CORK, &uncork, sizeof(uncork));
  const timeval patience = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  got = stream.Receive(MutableBytes(buffer));
  EXPECT_EQ(got.kind, TlsStream::Kind::kDone) << "the answer";
  got = stream.Receive(MutableBytes(buffer));
  EXPECT_EQ(got.kind, TlsStream::Kind::kEnded) << "and the server's own good-bye";
}

TEST(Loopback, ServesThousandsOfConnectionsAtOnce) {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // Both ends are in this process.
  const size_t wanted = 4000;
  if (files.rlim_cur < 2 * wanted + 100) GTEST_SKIP() << "RLIMIT_NOFILE is " << files.rlim_cur;
  RunningServer server;
  std::vector<std::unique_ptr<LoopbackClient>> clients;
  std::vector<int64_t> ids;
  for (size_t i = 0; i < wanted; ++i) {
    clients.push_back(std::make_unique<LoopbackClient>(server.address()));
    ids.push_back(clients.back()->connection_id());
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end()) << "connectionIDs are unique";
  for (auto& client : clients) client->Send(client->NextBytes(MessageType::kNoop));
  for (auto& client : clients) ASSERT_EQ(client->Receive()->ack_sequence, 1u);
}

TEST(Loopback, TurnsAwayWhoIsTooMuchAndWelcomesTheNextOne) {
  ServerOptions options;
  options.limits.connections = 2;
  RunningServer server(std::move(options));
  LoopbackClient first(server.address());
  {
    LoopbackClient second(server.address());
    LoopbackClient third(server.address(), /*greet=*/false);
    const std::optional<Answer> refusal = third.Receive();
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->status, StatusCode::kServiceBusy);
    EXPECT_THAT(refusal->status_message, HasSubstr("2 connections"));
    EXPECT_FALSE(third.Receive().has_value());
    second.CloseWrite();
    EXPECT_FALSE(second.Receive().has_value()) << "the server has let it go";
  }
  LoopbackClient fourth(server.address());
  EXPECT_EQ(fourth.greeting().status, StatusCode::kSuccess);
}

TEST(Loopback, RecordsEveryResidenceAndItsServiceTime) {
  for (const ServiceModel model : {ServiceModel::kSleep, ServiceModel::kBusy}) {
    ServerOptions options;
    options.service_time = "get=3ms";
    options.service_model = model;
    RunningServer server(std::move(options));
    LoopbackClient client(server.address());
    for (int i = 0; i < 10; ++i) {
      client.Ask(client.Next(MessageType::kNoop));
      client.Ask(Get(&client, "k"));
    }
    LoopbackClient observer(server.address());
    const ResidenceLog log = observer.Residences(client.connection_id());
    ASSERT_EQ(log.records.size(), 20u);
    EXPECT_THAT(log.service_spec, HasSubstr("get=3ms"));
    int short_noops = 0;
    for (const Residence& record : log.records) {
      const bool get = record.sequence % 2 == 0;
      const bool full = record.duration() >= Millis(3);
      EXPECT_TRUE(full || !get) << record.sequence;
      short_noops += !full;
      EXPECT_EQ((record.flags & Residence::kKernelReceived) != 0, server.stamps());
      EXPECT_EQ(record.flags & Residence::kSharedStamp, 0u) << "one request at a time";
    }
    EXPECT_GT(short_noops, 0) << "a NOOP has no injected time";
    EXPECT_EQ(observer.Residences(client.connection_id(), 15).records.size(), 6u);
  }
}

// Four GETs of one client each, sent together: a device with unlimited parallelism holds all for
// their 100 ms at once; a serial one serves them one after another. Judged by the server's own
// stamps: what overlaps, not how long it took.
TEST(Loopback, SleepOverlapsAndBusySerialises) {
  for (const ServiceModel model : {ServiceModel::kSleep, ServiceModel::kBusy}) {
    ServerOptions options;
    options.service_time = "get=100ms";
    options.service_model = model;
    RunningServer server(std::move(options));
    const ForeignCpu others;
    std::vector<std::unique_ptr<LoopbackClient>> clients;
    clients.reserve(4);
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<LoopbackClient>(server.address()));
    }
    for (auto& client : clients) client->Send(Signed(Get(client.get(), "k")));
    for (auto& client : clients) ASSERT_TRUE(client->Receive().has_value());
    std::vector<ServerTime> sent;
    LoopbackClient observer(server.address());
    for (auto& client : clients) {
      const ResidenceLog log = observer.Residences(client->connection_id());
      ASSERT_EQ(log.records.size(), 1u);
      sent.push_back(log.records[0].sent);
    }
    std::sort(sent.begin(), sent.end());
    if (model == ServiceModel::kBusy) {
      EXPECT_GE(sent[3] - sent[0], Millis(300)) << "100 ms each, one after another";
    } else {
      JudgeWhenQuiet(sent[3] - sent[0] < Millis(300),
                     {.what = "four sleeping requests of 100 ms",
                      .figure = absl::StrCat((sent[3] - sent[0]).count(), " ns apart"),
                      .bound = "less than one after another"},
                     others.Cpus());
    }
  }
}

TEST(Loopback, ClosesItsConnectionsWhenItIsStopped) {
  RunningServer server;
  LoopbackClient client(server.address());
  EXPECT_TRUE(server.Stop().ok());
  EXPECT_FALSE(client.Receive().has_value());
}

TEST(Loopback, ListensBeyondLoopbackOnlyWhenTold) {
  ServerOptions options;
  options.listen = HostPort{.host = "0.0.0.0", .port = 0};
  const absl::Status refused = Server::Open(std::move(options)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--allow-remote"));
}

TEST(Loopback, AnAddressInUseIsNamed) {
  RunningServer server;
  ServerOptions options;
  options.listen = server.address();
  const absl::Status refused = Server::Open(std::move(options)).status();
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr(server.address().ToString()));
}

}  // namespace
}  // namespace kbench::server
