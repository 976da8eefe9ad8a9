// Whatever a server sends, in whatever pieces: the agent's session keeps its books (sent = answered
// + failed + lost) and never matches an answer to a request that is not in flight; the client
// library's dialogue never gives two replies to one request.
//
//   script of steps (script.h), kind modulo 6:
//     0  raw bytes
//     1  a Command: acknowledges the oldest request in flight, signed with our key
//     2  the same, acknowledges what it says itself
//     3  the same as 1, signed with another key
//     4  the same as 1, as an UNSOLICITEDSTATUS
//     5  a good answer to the oldest request, cut into pieces of (size + 1) bytes; to a GET the
//     value
//        that it must bring, tagged by algorithm number (first byte modulo 8), rightly or, with the
//        byte's highest bit, wrongly: that is never a good answer
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/load/recorder.h"
#include "agent/load/session.h"
#include "agent/load/workload.h"
#include "client/dialogue.h"
#include "client/requests.h"
#include "kinetic/codec.h"
#include "kinetic/tag.h"
#include "tests/fuzz/script.h"
#include "transport/transport.h"

namespace kbench {
namespace {

using kinetic::Command;
using kinetic::Signature;

void Check(bool condition) {
  if (!condition) std::abort();
}

MonoTime now_;
MonoTime Now() { return now_ = now_ + Nanos(100); }

// Takes frames and says at once that they are sent.
class Line final : public Transport {
 public:
  absl::StatusOr<FlowId> Connect(const SocketAddress&, Nanos) override { return FlowId(0); }
  absl::Status Reopen(FlowId, const SocketAddress&, Nanos) override {
    closed = false;
    return absl::OkStatus();
  }
  void Send(FlowId, const OutgoingFrame& frame) override {
    frame.stamps->submitted = frame.stamps->send_returned = Now();
    tokens.push_back(frame.token);
    // A head may hold several PDUs, and end in a part of the last one's value.
    for (Bytes in = frame.head; !in.empty();) {
      const auto header = kinetic::DecodeFrameHeader(in.data(), {});
      Check(header.ok());
      const Bytes message = in.subspan(kinetic::kFrameHeaderSize, header->message_size);
      kinetic::Decoder decoder;
      Check(decoder.Decode(message).ok());
      const Command& command = decoder.message().command;
      in_flight.push_back(
          {.sequence = *command.header.sequence,
           .type = *command.header.message_type,
           .key = command.key_value.has_value() ? std::string(*command.key_value->key) : ""});
      in = in.subspan(kinetic::kFrameHeaderSize + message.size());
      if (header->value_size > 0) break;
    }
  }
  std::span<const TransportEvent> Poll(MonoTime) override { return {}; }
  void Close(FlowId) override { closed = true; }
  TransportCounters counters() const override { return {}; }
  FactList facts() const override { return {}; }

  struct Asked {
    uint64_t sequence = 1;
    kinetic::MessageType type = kinetic::MessageType::kInvalid;
    std::string key;
  };
  std::vector<uint32_t> tokens;  // sent, not told yet
  std::vector<Asked> in_flight;  // oldest first; some may be answered
  bool closed = false;
};

Command Good(uint64_t sequence) {
  Command command;
  command.has_header = true;
  command.header.ack_sequence = sequence;
  command.header.message_type = kinetic::MessageType::kGetResponse;
  command.status = {.code = kinetic::StatusCode::kSuccess};
  return command;
}

Command Greeting() {
  Command command;
  command.has_header = true;
  command.header.connection_id = 5;
  command.header.cluster_version = 0;
  command.status = {.code = kinetic::StatusCode::kSuccess};
  return command;
}

// Both kinds of client on the same bytes.
class Clients {
 public:
  Clients()
      : key_(kinetic::kFactoryKey),
        values_(1, 64),
        session_({.depth_max = 4,
                  .sample_every = 2,
                  .batch_parts = 2,
                  .verify = true,
                  .value_bytes = 64,
                  .requests = {.tag = kinetic::TagAlgorithm::kSha2,
                               .keys = KeyGenerator(1, 0, 16),
                               .key_count = 8,
                               .batch_ops = 2,
                               .key = &key_,
                               .values = &values_},
                  .now = &Now},
                 &line_),
        ops_({.ops = {{.kind = OpKind::kGet},
                      {.kind = OpKind::kGetMiss},
                      {.kind = OpKind::kPut},
                      {.kind = OpKind::kNext},
                      {.kind = OpKind::kRange},
                      {.kind = OpKind::kGetLog},
                      {.kind = OpKind::kBatch}},
              .keys = 8}),
        recorder_({.ops = 7, .samples_max = 16}) {
    Greet();
    Check(session_.ready() && dialogue_.greeted());
    session_.Begin(
        {.ops = &ops_, .depth = 4, .reopens = true, .max_ops = 64, .recorder = &recorder_});
    session_.Issue(Now(), kNever);
    for (int i = 0; i < 4; ++i) {
      std::string ignored;
      dialogue_.Ask(client::NoopRequest(), 0, &ignored);
    }
  }

  Line::Asked Oldest() const {
    return line_.in_flight.empty() ? Line::Asked{} : line_.in_flight.front();
  }
  const kinetic::HmacKey* key() const { return &key_; }
  uint64_t good_gets() const { return recorder_.ops()[0].counts.answered; }

  // The value that a GET of this key must bring.
  std::string ValueOf(const std::string& key) const {
    const uint64_t word = KeyGenerator(1, 0, 16).WordOf(key).value_or(0);
    std::string value(kValueLabelSize, 0);
    EncodeValueLabel(values_.LabelOf(word, 1), reinterpret_cast<uint8_t*>(value.data()));
    absl::StrAppend(&value, AsText(values_.BodyOf(word)));
    return value;
  }

  void Take(absl::string_view bytes) {
    TellSent();
    if (!session_.closed()) {
      const MonoTime at = Now();
      session_.Take({.kind = TransportEvent::Kind::kReceived,
                     .bytes = AsBytes(bytes),
                     .polled = at,
                     .woke = at,
                     .received = at});
      session_.IssueFreed(kNever);
    }
    Check(session_.in_flight() <= 4);
    for (Bytes in = AsBytes(bytes); dialogue_good_;) {
      absl::StatusOr<std::optional<client::Reply>> reply = dialogue_.Next(&in);
      dialogue_good_ = reply.ok();
      if (!reply.ok() || !reply->has_value()) break;
      const uint64_t sequence = (*reply)->sequence;
      Check(sequence == 0 || (sequence <= 4 && replied_.insert(sequence).second));
      (*reply)->Describe();
    }
  }
  // As a worker does whose connections may come back.
  void Reopen() {
    if (!session_.closed() || reopens_ == 3) return;
    ++reopens_;
    line_.tokens.clear();
    line_.in_flight.clear();
    session_.Reopened();
    Greet();
    Check(session_.ready() && session_.in_flight() <= 4);
  }
  void AnswerOldest(absl::string_view pdu, size_t piece = SIZE_MAX) {
    if (!line_.in_flight.empty()) line_.in_flight.erase(line_.in_flight.begin());
    for (size_t at = 0; at < pdu.size(); at += std::min(piece, pdu.size())) {
      Take(pdu.substr(at, piece));
    }
  }
  void Finish() {
    TellSent();
    session_.Finish();
    Check(recorder_.totals().Identical());
    Check(recorder_.totals().sent <= 64);
  }

 private:
  void Greet() {
    std::string pdu;
    kinetic::Encoder().Append(Greeting(), Signature::Unsolicited(), 0, &pdu);
    Take(pdu);
  }
  void TellSent() {
    std::vector<uint32_t> tokens;
    tokens.swap(line_.tokens);
    for (const uint32_t token : tokens) {
      session_.Take({.kind = TransportEvent::Kind::kSent, .token = token});
    }
  }

  kinetic::HmacKey key_;
  ValuePool values_;
  Line line_;
  Session session_;
  OpStream ops_;
  Recorder recorder_;
  client::Dialogue dialogue_{client::Dialogue::Options{}};
  bool dialogue_good_ = true;
  std::set<uint64_t> replied_;
  int reopens_ = 0;
};

void AnswerWell(Bytes script, Clients* clients) {
  const Line::Asked asked = clients->Oldest();
  const uint8_t first = script.empty() ? 0 : script[0];
  Command answer = Good(asked.sequence);
  if (kinetic::IsRequest(asked.type)) {
    answer.header.message_type = kinetic::ResponseOf(asked.type);
  }
  std::string value, tag;
  bool wrong = false;
  if (asked.type == kinetic::MessageType::kGet) {
    value = clients->ValueOf(asked.key);
    const auto algorithm = static_cast<kinetic::TagAlgorithm>(first % 8);
    tag = "?";
    if (kinetic::TagSize(algorithm) > 0) {
      wrong = (first & 0x80) != 0;
      tag = std::string(kinetic::MakeTag(algorithm, AsBytes(value)).text());
      if (wrong) tag.back() ^= 1;
    }
    answer.key_value = {.tag = tag, .algorithm = first % 8};
  }
  std::string pdu;
  kinetic::Encoder().Append(answer, Signature::Hmac(1, clients->key()),
                            static_cast<uint32_t>(value.size()), &pdu);
  pdu += value;
  const uint64_t good = clients->good_gets();
  clients->AnswerOldest(pdu, script.size() + 1);
  if (wrong) Check(clients->good_gets() == good);
}

int RunInput(const uint8_t* data, size_t size) {
  static const auto* const other = new kinetic::HmacKey("another key");
  now_ = MonoTime(1'000'000);
  Clients clients;
  kinetic::Encoder encoder;
  kinetic::Decoder decoder;
  Bytes script(data, size);
  fuzz::Step step;
  while (fuzz::NextStep(&script, &step)) {
    clients.Reopen();
    const int kind = step.kind % 6;
    if (kind == 0) {
      clients.Take(AsText(step.bytes));
      continue;
    }
    std::string pdu;
    if (kind == 5) {
      AnswerWell(step.bytes, &clients);
      continue;
    }
    if (!decoder.Decode(AsBytes(fuzz::MessageOf(step.bytes))).ok()) continue;
    Command command = decoder.message().command;
    command.has_header = true;
    if (kind != 2) command.header.ack_sequence = clients.Oldest().sequence;
    const Signature signature = kind == 4   ? Signature::Unsolicited()
                                : kind == 3 ? Signature::Hmac(1, other)
                                            : Signature::Hmac(1, clients.key());
    encoder.Append(command, signature, 0, &pdu);
    clients.AnswerOldest(pdu);
  }
  clients.Finish();
  return 0;
}

}  // namespace
}  // namespace kbench

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return kbench::RunInput(data, size);
}
