// TLS over another transport: what it keeps, what it waits for, and what it says of a handshake
// that fails. That it keeps the promises of every transport is in transport_contract_test.cc.
#include "transport/tls_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/base/certificate.h"
#include "tests/base/scratch_files.h"
#include "tests/transport/transport_rig.h"

namespace kbench {
namespace {

using ::testing::HasSubstr;

constexpr char kGreeting[] = "the first words of a server";

struct Certificate {
  explicit Certificate(const std::string& name, const std::string& file)
      : path(dir / (file + ".pem")), key(path + ".key") {
    WriteCertificate(name, path, key);
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    pem = text.str();
  }
  const TempDir dir;
  std::string path, key, pem;
};

const Certificate& PeerCertificate() {
  static const Certificate made("localhost", "peer");
  return made;
}

// A transport without a kernel whose peers are TLS servers in memory. Poll() gives to the peers
// what was sent and returns what they said: that first, and the kSent events behind it.
class MemoryPeers final : public Transport {
 public:
  explicit MemoryPeers(int version) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_max_proto_version(context_, version);
    SSL_CTX_use_certificate_chain_file(context_, PeerCertificate().path.c_str());
    SSL_CTX_use_PrivateKey_file(context_, PeerCertificate().key.c_str(), SSL_FILETYPE_PEM);
  }
  ~MemoryPeers() override {
    for (const Peer& peer : peers_) SSL_free(peer.ssl);
    SSL_CTX_free(context_);
  }

  absl::StatusOr<FlowId> Connect(const SocketAddress&, Nanos) override {
    Peer& peer = peers_.emplace_back();
    peer.ssl = SSL_new(context_);
    SSL_set_bio(peer.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(peer.ssl);
    return FlowId(peers_.size() - 1);
  }
  absl::Status Reopen(FlowId, const SocketAddress&, Nanos) override {
    return absl::UnimplementedError("these peers come once");
  }
  void Send(FlowId flow, const OutgoingFrame& frame) override { queued_.push_back({flow, frame}); }
  void Close(FlowId flow) override { peers_[Index(flow)].open = false; }
  TransportCounters counters() const override { return {}; }
  FactList facts() const override { return {}; }

  std::span<const TransportEvent> Poll(MonoTime) override {
    ++polls;
    events_.clear();
    for (const auto& [flow, frame] : queued_) {
      Peer& peer = peers_[Index(flow)];
      if (!peer.open || hold_sent) continue;
      BIO_write(SSL_get_rbio(peer.ssl), frame.head.data(), static_cast<int>(frame.head.size()));
      ++peer.frames;
    }
    for (uint32_t i = 0; i < peers_.size(); ++i) Speak(FlowId(i));
    for (const auto& [flow, frame] : queued_) {
      if (!peers_[Index(flow)].open || hold_sent) continue;
      events_.push_back({.kind = TransportEvent::Kind::kSent, .flow = flow, .token = frame.token});
    }
    queued_.clear();
    return events_;
  }

  void Say(uint32_t flow, const std::string& words) {
    ASSERT_EQ(SSL_write(peers_[flow].ssl, words.data(), static_cast<int>(words.size())),
              static_cast<int>(words.size()));
  }
  SSL* ssl(uint32_t flow) { return peers_[flow].ssl; }
  const std::string& heard(uint32_t flow) const { return peers_[flow].heard; }
  int frames(uint32_t flow) const { return peers_[flow].frames; }

  size_t most_bytes = SIZE_MAX;  // of an event
  bool hold_sent = false;        // frames vanish without their kSent
  int polls = 0;

 private:
  struct Peer {
    SSL* ssl = nullptr;
    bool open = true;
    bool greeted = false;
    int frames = 0;
    std::string heard;
    std::string said;  // the bytes of an event
  };

  void Speak(FlowId flow) {
    Peer& peer = peers_[Index(flow)];
    if (!peer.open) return;
    if (SSL_do_handshake(peer.ssl) == 1 && !std::exchange(peer.greeted, true)) {
      Say(Index(flow), kGreeting);
    }
    char text[4096];
    for (int n; (n = SSL_read(peer.ssl, text, sizeof(text))) > 0;) peer.heard.append(text, n);
    const size_t pending = BIO_ctrl_pending(SSL_get_wbio(peer.ssl));
    peer.said.resize(std::min(pending, most_bytes));
    if (peer.said.empty()) return;
    BIO_read(SSL_get_wbio(peer.ssl), peer.said.data(), static_cast<int>(peer.said.size()));
    events_.push_back({.kind = TransportEvent::Kind::kReceived,
                       .flow = flow,
                       .bytes = AsBytes(peer.said),
                       .received = MonoTime(polls)});
  }

  SSL_CTX* context_;
  std::vector<Peer> peers_;
  std::vector<std::pair<FlowId, OutgoingFrame>> queued_;
  std::vector<TransportEvent> events_;
};

class OverMemory : public testing::TestWithParam<int> {
 protected:
  OverMemory() {
    const TransportOptions options{.flows_max = 2, .frames_max = 2, .tls = TlsOptions{}};
    auto peers = std::make_unique<MemoryPeers>(GetParam());
    peers_ = peers.get();
    tls_ = *TlsTransport::Make(options, std::move(peers));
  }

  absl::Status Connect() { return tls_->Connect({}, Seconds(10)).status(); }
  // What comes, as text: "0:words", "0 sent 7", "0 closed 71".
  std::vector<std::string> Events(MonoTime deadline = MonoTime()) {
    std::vector<std::string> said;
    for (const TransportEvent& event : tls_->Poll(deadline)) {
      const uint32_t flow = Index(event.flow);
      switch (event.kind) {
        case TransportEvent::Kind::kReceived:
          said.push_back(absl::StrCat(flow, ":", AsText(event.bytes)));
          received_ = event.received;
          break;
        case TransportEvent::Kind::kSent:
          said.push_back(absl::StrCat(flow, " sent ", event.token));
          break;
        case TransportEvent::Kind::kClosed:
          said.push_back(absl::StrCat(flow, " closed ", event.error));
          break;
      }
    }
    return said;
  }
  static std::string AsText(Bytes bytes) { return std::string(bytes.begin(), bytes.end()); }
  void Send(uint32_t flow, absl::string_view text, uint32_t token) {
    tls_->Send(FlowId(flow), {.head = AsBytes(text), .token = token, .stamps = &stamps_});
  }

  using Said = std::vector<std::string>;
  const Said kGreeted0 = {absl::StrCat("0:", kGreeting)};
  const Said kGreeted1 = {absl::StrCat("1:", kGreeting)};

  MemoryPeers* peers_ = nullptr;
  std::unique_ptr<Transport> tls_;
  SendStamps stamps_;
  MonoTime received_;
};

TEST_P(OverMemory, KeepsTheGreetingThatCameWithTheHandshake) {
  ASSERT_TRUE(Connect().ok());
  const int polls = peers_->polls;
  EXPECT_EQ(Events(), kGreeted0);
  EXPECT_EQ(peers_->polls, polls) << "it was there already";
}

TEST_P(OverMemory, KeepsWhatComesOnOtherFlowsDuringAConnect) {
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events(), kGreeted0);
  Send(0, "a question", 7);
  peers_->Say(0, "an answer");
  ASSERT_TRUE(Connect().ok());
  Said said = Events();
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said, (Said{"0 sent 7", "0:an answer", kGreeted1[0]}));
  EXPECT_EQ(peers_->heard(0), "a question");
}

TEST_P(OverMemory, GoesOnUntilARecordIsWhole) {
  peers_->most_bytes = 1;
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events(MonoNow() + Seconds(60)), kGreeted0);
  EXPECT_EQ(received_, MonoTime(peers_->polls)) << "the stamps of the receive that completed it";
  const int polls = peers_->polls;
  peers_->Say(0, "x");
  EXPECT_TRUE(Events(MonoTime()).empty()) << "a deadline in the past looks once";
  EXPECT_EQ(peers_->polls, polls + 1);
  EXPECT_EQ(Events(MonoNow() + Seconds(60)), Said{"0:x"});
}

TEST_P(OverMemory, SendsHeadAndValueAsOneStream) {
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events(), kGreeted0);
  std::string sent;
  for (const size_t bytes :
       {size_t{0}, size_t{1}, size_t{16'380}, size_t{16'381}, size_t{70'000}}) {
    const std::string head = "head", value(bytes, 'v');
    tls_->Send(FlowId(0), {.head = AsBytes(head), .value = AsBytes(value), .stamps = &stamps_});
    EXPECT_EQ(Events(), Said{"0 sent 0"});
    sent += head + value;
    EXPECT_EQ(peers_->heard(0), sent);
  }
  const std::string head(20'000, 'h');
  tls_->Send(FlowId(0), {.head = AsBytes(head), .value = AsBytes(sent), .stamps = &stamps_});
  EXPECT_EQ(Events(), Said{"0 sent 0"});
  EXPECT_EQ(peers_->heard(0), sent + head + sent);
}

TEST_P(OverMemory, GoodByeEndsAFlowInOrderBehindTheLastWords) {
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events(), kGreeted0);
  peers_->Say(0, "last words");
  SSL_shutdown(peers_->ssl(0));
  EXPECT_EQ(Events(), (Said{"0:last words", "0 closed 0"}));
  Send(0, "nobody hears it", 1);
  EXPECT_TRUE(Events().empty());
}

TEST_P(OverMemory, WhatIsNoTlsEndsAFlowWithAnError) {
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events(), kGreeted0);
  const std::string noise(100, 'n');
  BIO_write(SSL_get_wbio(peers_->ssl(0)), noise.data(), static_cast<int>(noise.size()));
  EXPECT_EQ(Events(), Said{absl::StrCat("0 closed ", EPROTO)});
}

TEST_P(OverMemory, AClosedFlowGivesItsBuffersBack) {
  ASSERT_TRUE(Connect().ok());
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events().size(), 2u);
  peers_->hold_sent = true;
  for (uint32_t flow = 0; flow < 2; ++flow) {
    Send(flow, "one", 1);
    Send(flow, "two", 2);
    EXPECT_TRUE(Events().empty());
    tls_->Close(FlowId(flow));
  }
  peers_->hold_sent = false;
  ASSERT_TRUE(Connect().ok());  // ends the program when there is no buffer
  EXPECT_EQ(Events().size(), 1u);
  Send(2, "three", 3);
  Send(2, "four", 4);
  EXPECT_EQ(Events(), (Said{"2 sent 3", "2 sent 4"}));
  EXPECT_EQ(peers_->heard(2), "threefour");
}

// What TLS has to say in answer goes by itself: to a key update with the next frame, in front of
// it; to a wish to negotiate again (TLS 1.2) at once, in a frame of its own.
TEST_P(OverMemory, AnswersWhatTlsItselfAsks) {
  ASSERT_TRUE(Connect().ok());
  EXPECT_EQ(Events(), kGreeted0);
  const int frames = peers_->frames(0);
  if (GetParam() == TLS1_2_VERSION) {
    SSL_renegotiate(peers_->ssl(0));
    SSL_do_handshake(peers_->ssl(0));
    EXPECT_TRUE(Events().empty());
    EXPECT_EQ(Events(), Said{absl::StrCat("0 closed ", EPROTO)}) << "this server gives up then";
    EXPECT_EQ(peers_->frames(0), frames + 1) << "the refusal";
    return;
  }
  for (int round = 1; round <= 3; ++round) {
    SSL_key_update(peers_->ssl(0), SSL_KEY_UPDATE_REQUESTED);
    peers_->Say(0, "words");
    EXPECT_EQ(Events(), Said{"0:words"});
    Send(0, "x", 9);
    EXPECT_EQ(Events(), Said{"0 sent 9"});
    EXPECT_EQ(peers_->heard(0), std::string(round, 'x')) << "by the new key";
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, OverMemory, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& tested) {
                           return tested.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

class Handshake : public testing::TestWithParam<TransportKind> {
 protected:
  absl::Status Connect(const SocketAddress& peer, const TlsOptions& tls,
                       Nanos timeout = Seconds(30)) {
    made_ = MakeTransport(GetParam(), {.tls = tls});
    if (!made_.ok()) return made_.status();
    return (*made_)->Connect(peer, timeout).status();
  }
  static TlsContext Server() {
    return *TlsContext::Server(PeerCertificate().path, PeerCertificate().key);
  }
  absl::StatusOr<std::unique_ptr<Transport>> made_ = nullptr;
};

#define SKIP_WITHOUT_URING(status) \
  if (GetParam() == TransportKind::kUring && !made_.ok()) GTEST_SKIP() << (status)

TEST_P(Handshake, TakesACertificateOfAnAuthorityGiven) {
  const TlsContext server = Server();
  FakePeer peer({.greeting_bytes = 10, .tls = &server});
  const absl::Status status =
      Connect(peer.address(), {.ca_pem = PeerCertificate().pem, .server_name = "localhost"});
  SKIP_WITHOUT_URING(status);
  ASSERT_TRUE(status.ok()) << status;
  std::map<std::string, std::string> facts;
  for (const auto& [name, value] : (*made_)->facts()) facts[name] = value;
  EXPECT_EQ(facts["transport"], std::string(Name(GetParam())));
  EXPECT_EQ(facts["tls"], "TLSv1.3");
  EXPECT_THAT(facts["tls_cipher"], HasSubstr("TLS_"));
  EXPECT_EQ(facts["tls_certificate"], "verified");
}

TEST_P(Handshake, RefusesACertificateOfNobodyItTrustsAndSaysSo) {
  const Certificate other("localhost", "tls_transport_other");
  const TlsContext server = Server();
  FakePeer peer({.tls = &server});
  const absl::Status status =
      Connect(peer.address(), {.ca_pem = other.pem, .server_name = "localhost"});
  SKIP_WITHOUT_URING(status);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("certificate verify failed"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:"));
}

TEST_P(Handshake, RefusesACertificateOfAnotherHost) {
  const TlsContext server = Server();
  FakePeer peer({.tls = &server});
  const absl::Status status =
      Connect(peer.address(), {.ca_pem = PeerCertificate().pem, .server_name = "elsewhere"});
  SKIP_WITHOUT_URING(status);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("hostname mismatch"));
}

TEST_P(Handshake, SaysThatAServerSpeaksNoTls) {
  FakePeer peer({.greeting_bytes = 446});
  const absl::Status status = Connect(peer.address(), {});
  SKIP_WITHOUT_URING(status);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is that the server's TLS port?"));
}

TEST_P(Handshake, WaitsForASilentServerNoLongerThanItMay) {
  FakePeer peer({});
  const MonoTime before = MonoNow();
  const absl::Status status = Connect(peer.address(), {}, Millis(50));
  SKIP_WITHOUT_URING(status);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("within 50 ms"));
  EXPECT_GE(MonoNow() - before, Millis(50));
}

TEST_P(Handshake, SaysThatAServerLeft) {
  FakePeer peer({.close_after_read = 1});
  const absl::Status status = Connect(peer.address(), {});
  SKIP_WITHOUT_URING(status);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("during the TLS handshake"));
}

TEST_P(Handshake, ACloseWithoutGoodByeIsACloseInOrder) {
  auto made =
      TransportRig::Make({.kind = GetParam(), .tls = true},
                         {.greeting_bytes = 50, .close_after_written = 50, .good_bye = false}, {});
  if (!made.ok()) GTEST_SKIP() << made.status();
  TransportRig& rig = **made;
  rig.PollUntil([&] { return rig.log(0).closed > 0; });
  EXPECT_EQ(rig.log(0).received, 50u);
  EXPECT_EQ(rig.log(0).error, 0);
}

INSTANTIATE_TEST_SUITE_P(Stacks, Handshake,
                         testing::Values(TransportKind::kSocket, TransportKind::kEpoll,
                                         TransportKind::kUring),
                         [](const auto& tested) { return std::string(Name(tested.param)); });

TEST(TlsTransport, RefusesAuthoritiesThatAreNone) {
  for (const std::string pem : {"not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    const auto made = MakeTransport(TransportKind::kSocket, {.tls = TlsOptions{.ca_pem = pem}});
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument) << pem;
  }
  const std::string cut = PeerCertificate().pem + "-----BEGIN CERTIFICATE-----\nAAAA\n";
  EXPECT_FALSE(MakeTransport(TransportKind::kSocket, {.tls = TlsOptions{.ca_pem = cut}}).ok());
}

TEST(TlsTransport, NeedsAKernelBelow) {
  const auto made = MakeTransport(TransportKind::kNull, {.tls = TlsOptions{}});
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("null transport"));
}

}  // namespace
}  // namespace kbench
