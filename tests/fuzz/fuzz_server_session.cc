// A whole conversation with the reference server, from bytes: whatever a client sends, in whatever
// pieces, every answer is a Kinetic PDU, acknowledges a sequence that was sent, and is signed for
// the one who asked; memory stays within the limits.
//
//   script of steps (script.h), kind modulo 8:
//     0  raw bytes
//     1  a Command: gets this connection's ID and the next sequence, is signed by identity 1
//     2  the same, and the next step's bytes are its value
//     3  the same as 1, but header and sequence stay as they are
//     4  a Command by the PIN "1"
//     5  1 over the connection with TLS
//     6  4 over the connection with TLS
//     7  the plain connection is closed and opened again
//
// The first step's kind, divided by 8, picks the dialect.
#include <array>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "server/conversation.h"
#include "server/dialect.h"
#include "server/memory_store.h"
#include "server/request_handler.h"
#include "tests/fuzz/script.h"

namespace kbench::server {
namespace {

using kinetic::Command;

void Check(bool condition) {
  if (!condition) std::abort();
}

// A device with everything on it but the network.
struct Bench {
  explicit Bench(const Dialect* which)
      : dialect(which),
        limits(which->limits),
        device(*Device::Open(&store, {.access = AccessTable::Factory()})),
        handler({.limits = &limits,
                 .dialect = dialect,
                 .store = &store,
                 .device = &device,
                 .counters = &counters,
                 .logs = &logs}) {
    limits.unsent_bytes = 1 << 20;
    desk.limits = &limits;
    desk.dialect = dialect;
    desk.counters = &counters;
    desk.device = &device;
    desk.handler = &handler;
    desk.logs = &logs;
    desk.service = &service;
  }

  const Dialect* dialect;
  Limits limits;
  MemoryStore store{8 << 20};
  Device device;
  OpCounters counters;
  ResidenceTrace trace{16, ""};
  LogRequests logs{&limits, dialect, &store, &counters, &trace, &device};
  RequestHandler handler;
  ServiceTime service;
  Desk desk;
  bool security = false;  // some SECURITY was sent
};

class Line {
 public:
  Line(Bench* bench, int64_t id, bool tls)
      : bench_(bench), conversation_(id, tls, &bench->desk), id_(id) {
    Answers();
  }

  void Send(absl::string_view bytes) {
    using Kind = Conversation::Step::Kind;
    for (Bytes in = AsBytes(bytes);;) {
      const Kind kind = conversation_.Consume(&in, RealTime(1)).kind;
      if (kind == Kind::kPending) {
        while (!conversation_.task()->Step()) {
        }
        conversation_.EndTask();
      }
      if (kind == Kind::kMore || kind == Kind::kClosing) break;
    }
    Answers();
  }
  // The command as this connection would send it.
  void Number(Command* command) {
    command->has_header = true;
    command->header.connection_id = id_;
    command->header.cluster_version.reset();
    command->header.sequence = ++sequence_;
  }
  void Sent(const Command& command) {
    if (command.header.sequence.has_value()) sent_.insert(*command.header.sequence);
    bench_->security |= command.security.has_value();
  }

 private:
  void Answers() {
    Outbox& outbox = conversation_.outbox();
    std::string bytes;
    while (!outbox.empty()) {
      outbox.Ripen(MonoNow() + Seconds(1));
      std::array<iovec, 4> pieces;
      const int used = outbox.Gather(MonoTime(), 1 << 20, pieces);
      Check(used > 0);
      size_t n = 0;
      for (int i = 0; i < used; ++i) {
        bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
        n += pieces[i].iov_len;
      }
      outbox.Sent(n, RealTime(2), &ring_);
    }
    kinetic::FrameReader reader;
    kinetic::Decoder decoder;
    static const auto* const key = new kinetic::HmacKey(kinetic::kFactoryKey);
    for (Bytes in = AsBytes(bytes); !in.empty();) {
      const absl::StatusOr<bool> complete = reader.Consume(&in);
      Check(complete.ok() && *complete);
      Check(decoder.Decode(reader.message()).ok());
      const kinetic::Message& message = decoder.message();
      const bool no_command = !bench_->dialect->unknown_identity_ends && !message.has_command;
      Check(no_command || message.command.status.has_value());
      if (raw_) continue;  // whose sequence raw bytes hold is not known here
      Check(!no_command);
      // A SECURITY may give identity 1 another key; an erase gives it back.
      if (message.auth_type == kinetic::AuthType::kHmac && !bench_->security) {
        Check(kinetic::VerifyHmac(message, *key) && message.identity == 1);
      }
      const std::optional<uint64_t> ack = message.command.header.ack_sequence;
      Check(!ack.has_value() || sent_.contains(*ack));
    }
  }

 public:
  bool raw_ = false;

 private:
  Bench* bench_;
  Conversation conversation_;
  ResidenceRing ring_{4};
  int64_t id_;
  uint64_t sequence_ = 0;
  std::set<uint64_t> sent_;
};

int RunInput(const uint8_t* data, size_t size) {
  static const auto* const key = new kinetic::HmacKey(kinetic::kFactoryKey);
  static const std::vector<std::string> names = DialectNames();
  fuzz::Step first;
  Bytes peeked(data, size);
  const size_t pick = fuzz::NextStep(&peeked, &first) ? first.kind / 8 : 0;
  Bench bench(FindDialect(names[pick % names.size()]));
  int64_t id = 100;
  auto plain = std::make_unique<Line>(&bench, ++id, false);
  Line secure(&bench, ++id, true);
  kinetic::Encoder encoder;
  kinetic::Decoder decoder;
  Bytes script(data, size);
  fuzz::Step step;
  while (fuzz::NextStep(&script, &step)) {
    const int kind = step.kind % 8;
    if (kind == 0) {
      plain->raw_ = true;
      plain->Send(AsText(step.bytes));
      continue;
    }
    if (kind == 7) {
      plain = std::make_unique<Line>(&bench, ++id, false);
      continue;
    }
    if (!decoder.Decode(AsBytes(fuzz::MessageOf(step.bytes))).ok()) continue;
    Command command = decoder.message().command;
    Line* line = kind == 5 || kind == 6 ? &secure : plain.get();
    if (kind != 3) line->Number(&command);
    line->Sent(command);
    fuzz::Step value;
    if (kind == 2 && !fuzz::NextStep(&script, &value)) break;
    kinetic::Signature signature = kinetic::Signature::Hmac(1, key);
    if (kind == 4 || kind == 6) signature = {.kind = kinetic::Signature::Kind::kPin, .pin = "1"};
    std::string pdu;
    encoder.Append(command, signature, static_cast<uint32_t>(value.bytes.size()), &pdu);
    absl::StrAppend(&pdu, AsText(value.bytes));
    line->Send(pdu);
    Check(bench.store.room().used_bytes <= 8 << 20);
  }
  return 0;
}

}  // namespace
}  // namespace kbench::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return kbench::server::RunInput(data, size);
}
