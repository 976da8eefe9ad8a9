#include "transport/tls_transport.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "transport/flow_socket.h"

namespace kbench {
namespace {

using Kind = TransportEvent::Kind;

constexpr size_t kRecordBytes = TlsEngine::kRecordBytes;

// What a frame's ciphertext takes at most.
size_t SealedSize(size_t bytes) {
  return bytes + (bytes / kRecordBytes + 1) * TlsEngine::kRecordOverhead;
}

absl::Status SaidGoodBye(const std::string& peer) {
  return absl::UnavailableError(absl::StrCat(
      peer, " closed the connection during the TLS handshake; is that the server's TLS port?"));
}

absl::Status Failed(const std::string& peer, const TlsEngine& engine) {
  const std::string what =
      absl::StrCat("the TLS handshake with ", peer, " failed: ", engine.error());
  if (engine.untrusted()) {
    return absl::PermissionDeniedError(
        absl::StrCat(what,
                     "; are the authorities given those of this server's certificate, and is "
                     "it for this host name?"));
  }
  return absl::UnavailableError(absl::StrCat(what, "; is that the server's TLS port?"));
}

}  // namespace

TransportOptions TlsTransport::PlainOptions(const TransportOptions& options) {
  TransportOptions plain = options;
  plain.tls.reset();
  plain.frames_max += options.flows_max;  // a control frame each
  return plain;
}

absl::StatusOr<std::unique_ptr<Transport>> TlsTransport::Make(const TransportOptions& options,
                                                              std::unique_ptr<Transport> plain) {
  const TlsOptions& tls = *options.tls;
  if (tls.context != nullptr) {
    return std::unique_ptr<Transport>(
        new TlsTransport(options, tls.context->Share(), std::move(plain)));
  }
  ASSIGN_OR_RETURN(TlsContext context, TlsContext::ClientOfPem(tls.ca_pem));
  return std::unique_ptr<Transport>(
      new TlsTransport(options, std::move(context), std::move(plain)));
}

TlsTransport::TlsTransport(const TransportOptions& options, TlsContext context,
                           std::unique_ptr<Transport> plain)
    : context_(std::move(context)),
      server_name_(options.tls->server_name),
      cancelled_(options.cancelled),
      sealed_(PlainOptions(options).frames_max),
      first_record_(kRecordBytes),
      plain_(std::move(plain)) {
  flows_.reserve(options.flows_max);
  events_.reserve(2 * size_t{options.frames_max} + 4 * size_t{options.flows_max});
  for (size_t i = sealed_.size(); i > 0; --i) free_.push_back(static_cast<uint32_t>(i - 1));
}

absl::StatusOr<FlowId> TlsTransport::Connect(const SocketAddress& peer, Nanos timeout) {
  const MonoTime deadline = MonoNow() + timeout;
  ASSIGN_OR_RETURN(const FlowId id, plain_->Connect(peer, timeout));
  flows_.resize(Index(id) + 1);
  RETURN_IF_ERROR(Begin(id, peer, timeout, deadline));
  return id;
}

absl::Status TlsTransport::Reopen(FlowId id, const SocketAddress& peer, Nanos timeout) {
  const MonoTime deadline = MonoNow() + timeout;
  RETURN_IF_ERROR(plain_->Reopen(id, peer, timeout));
  std::erase_if(kept_, [id](const Kept& kept) { return kept.event.flow == id; });
  return Begin(id, peer, timeout, deadline);
}

absl::Status TlsTransport::Begin(FlowId id, const SocketAddress& peer, Nanos timeout,
                                 MonoTime deadline) {
  flows_[Index(id)] = std::make_unique<Flow>(context_, server_name_);
  const absl::Status status = Handshake(id, ToString(peer), timeout, deadline);
  if (!status.ok()) {
    Close(id);
    return status;
  }
  if (tls_facts_.empty()) {
    const TlsEngine& engine = flow(id).engine;
    tls_facts_ = {{"tls", engine.version()},
                  {"tls_cipher", engine.cipher()},
                  {"tls_certificate", context_.verifies() ? "verified" : "any is taken"}};
  }
  return absl::OkStatus();
}

absl::Status TlsTransport::Handshake(FlowId id, const std::string& peer, Nanos timeout,
                                     MonoTime deadline) {
  Flow& f = flow(id);
  Bytes nothing;
  f.engine.Handshake(&nothing, &f.owed);
  SendOwed(id);
  absl::Status status;
  // Over when the peer has what it needs to go on, not when we have.
  for (bool done = false; !done || f.control_in_flight || !f.owed.empty();) {
    if (cancelled_ != nullptr && cancelled_->load()) return absl::CancelledError("cancelled");
    const MonoTime now = MonoNow();
    if (now >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("no TLS handshake with ", peer, " within ", timeout.count() / 1'000'000,
                       " ms; does the server speak TLS on that port?"));
    }
    const MonoTime until =
        cancelled_ == nullptr ? deadline : std::min(deadline, now + kCancelSlice);
    for (const TransportEvent& event : plain_->Poll(until)) {
      if (event.flow != id) {
        Keep(event, event.bytes);
      } else if (status.ok()) {
        status = Advance(event, peer, &done);
      }
    }
    if (status.ok()) continue;
    // The alert says to the peer why; once, without waiting.
    for (const TransportEvent& event : plain_->Poll(MonoNow())) {
      if (event.flow != id) Keep(event, event.bytes);
    }
    return status;
  }
  return absl::OkStatus();
}

absl::Status TlsTransport::Advance(const TransportEvent& event, const std::string& peer,
                                   bool* done) {
  Flow& f = flow(event.flow);
  switch (event.kind) {
    case Kind::kSent:
      TakeSent(event);
      return absl::OkStatus();
    case Kind::kClosed:
      if (*done) {
        // Whatever the server had to say is kept already, and so is its leaving.
        f.control_in_flight = false;
        f.owed.clear();
        Keep(event, {});
        return absl::OkStatus();
      }
      if (event.error == 0) return SaidGoodBye(peer);
      return absl::UnavailableError(
          absl::StrCat("the connection to ", peer,
                       " was lost during the TLS handshake: ", strerror(event.error)));
    case Kind::kReceived:
      break;
  }
  Bytes bytes = event.bytes;
  if (!*done) {
    const TlsEngine::Outcome outcome = f.engine.Handshake(&bytes, &f.owed);
    SendOwed(event.flow);
    if (outcome.kind == TlsEngine::Kind::kEnded) return SaidGoodBye(peer);
    if (outcome.kind == TlsEngine::Kind::kFailed) return Failed(peer, f.engine);
    *done = outcome.kind == TlsEngine::Kind::kDone;
  }
  // The server's first words may have come along with the end of its handshake.
  if (!bytes.empty()) Keep(event, bytes);
  return absl::OkStatus();
}

void TlsTransport::Keep(const TransportEvent& event, Bytes bytes) {
  kept_.push_back({.event = event, .bytes = std::vector<uint8_t>(bytes.begin(), bytes.end())});
}

void TlsTransport::Send(FlowId id, const OutgoingFrame& frame) {
  Flow& f = flow(id);
  if (!f.open || f.broken) return;
  const uint32_t index = TakeBuffer(id);
  Sealed& sealed = sealed_[index];
  sealed.token = frame.token;
  sealed.bytes.reserve(f.owed.size() + SealedSize(frame.head.size() + frame.value.size()));
  sealed.bytes.assign(f.owed.begin(), f.owed.end());
  f.owed.clear();
  if (!Seal(&f, frame, &sealed.bytes)) {
    FreeBuffer(index);
    f.broken = true;
    Keep({.kind = Kind::kClosed, .flow = id, .error = EPROTO}, {});
    return;
  }
  plain_->Send(
      id, {.head = sealed.bytes, .token = index, .probe = frame.probe, .stamps = frame.stamps});
}

// A short value shares its record with the head: one cipher call, and the fewest bytes.
bool TlsTransport::Seal(Flow* f, const OutgoingFrame& frame, std::vector<uint8_t>* out) {
  Bytes head = frame.head, value = frame.value;
  if (!value.empty() && head.size() < kRecordBytes) {
    const Bytes begin = value.first(std::min(value.size(), kRecordBytes - head.size()));
    std::memcpy(first_record_.data(), head.data(), head.size());
    std::memcpy(first_record_.data() + head.size(), begin.data(), begin.size());
    head = Bytes(first_record_).first(head.size() + begin.size());
    value = value.subspan(begin.size());
  }
  return f->engine.Send(head, out).kind == TlsEngine::Kind::kDone &&
         f->engine.Send(value, out).kind == TlsEngine::Kind::kDone;
}

uint32_t TlsTransport::TakeBuffer(FlowId id) {
  if (free_.empty()) {
    std::fprintf(stderr, "kbench: bug: more than frames_max frames without their kSent\n");
    std::abort();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Sealed& sealed = sealed_[index];
  sealed.flow = id;
  sealed.in_use = true;
  sealed.control = false;
  return index;
}

void TlsTransport::FreeBuffer(uint32_t index) {
  sealed_[index].in_use = false;
  free_.push_back(index);
}

void TlsTransport::SendOwed(FlowId id) {
  Flow& f = flow(id);
  if (f.owed.empty() || f.control_in_flight) return;
  f.control_in_flight = true;
  const uint32_t index = TakeBuffer(id);
  Sealed& sealed = sealed_[index];
  sealed.control = true;
  sealed.stamps = {};
  sealed.bytes.assign(f.owed.begin(), f.owed.end());
  f.owed.clear();
  plain_->Send(id, {.head = sealed.bytes, .token = index, .stamps = &sealed.stamps});
}

std::span<const TransportEvent> TlsTransport::Poll(MonoTime deadline) {
  events_.clear();
  arena_used_ = 0;
  if (!kept_.empty()) TakeKept();
  // What came may be a part of a record, or TLS's own: then there is more to wait for.
  while (events_.empty()) {
    const std::span<const TransportEvent> came = plain_->Poll(deadline);
    MakeRoom(came);
    for (const TransportEvent& event : came) Take(event);
    if (events_.empty() && MonoNow() >= deadline) break;
  }
  return events_;
}

// Only between two batches of events: those given out point into the arena.
template <typename Events>
void TlsTransport::MakeRoom(const Events& events) {
  size_t room = 0;
  for (const TransportEvent& event : events) {
    // The bytes before it may have left a record all but complete.
    if (event.kind == Kind::kReceived) room += event.bytes.size() + kRecordBytes + 1;
  }
  if (room <= arena_size_) return;
  arena_size_ = 2 * room;
  arena_ = std::make_unique_for_overwrite<uint8_t[]>(arena_size_);
}

void TlsTransport::TakeKept() {
  std::vector<Kept> kept = std::exchange(kept_, {});
  std::vector<TransportEvent> events;
  for (Kept& one : kept) {
    one.event.bytes = one.bytes;
    events.push_back(one.event);
  }
  MakeRoom(events);
  for (const TransportEvent& event : events) Take(event);
}

void TlsTransport::Take(const TransportEvent& event) {
  // An event may have been on its way when its flow was closed here.
  if (!flow(event.flow).open) return;
  switch (event.kind) {
    case Kind::kSent:
      return TakeSent(event);
    case Kind::kReceived:
      return TakeReceived(event);
    case Kind::kClosed:
      return End(event.flow, event.error);
  }
}

void TlsTransport::TakeSent(const TransportEvent& event) {
  const Sealed& sealed = sealed_[event.token];
  FreeBuffer(event.token);
  if (sealed.control) {
    flow(event.flow).control_in_flight = false;
    SendOwed(event.flow);
    return;
  }
  events_.push_back({.kind = Kind::kSent, .flow = event.flow, .token = sealed.token});
}

void TlsTransport::TakeReceived(const TransportEvent& event) {
  Flow& f = flow(event.flow);
  uint8_t* const begin = arena_.get() + arena_used_;
  Bytes bytes = event.bytes;
  TlsEngine::Outcome outcome;
  do {
    outcome = f.engine.Receive(
        &bytes, MutableBytes(arena_.get() + arena_used_, arena_size_ - arena_used_), &f.owed);
    arena_used_ += outcome.bytes;
  } while (outcome.kind == TlsEngine::Kind::kDone);
  const auto decrypted = static_cast<size_t>(arena_.get() + arena_used_ - begin);
  if (decrypted > 0) {
    TransportEvent& received = events_.emplace_back(event);
    received.bytes = Bytes(begin, decrypted);
  }
  switch (outcome.kind) {
    case TlsEngine::Kind::kEnded:
      return End(event.flow, 0);
    case TlsEngine::Kind::kFailed:
      return End(event.flow, EPROTO);
    default:
      return SendOwed(event.flow);
  }
}

void TlsTransport::End(FlowId id, int error) {
  Close(id);
  events_.push_back({.kind = Kind::kClosed, .flow = id, .error = error});
}

void TlsTransport::Close(FlowId id) {
  Flow& f = flow(id);
  if (!f.open) return;
  f.open = false;
  plain_->Close(id);
  for (uint32_t i = 0; i < sealed_.size(); ++i) {
    if (sealed_[i].in_use && sealed_[i].flow == id) FreeBuffer(i);
  }
}

FactList TlsTransport::facts() const {
  FactList facts = plain_->facts();
  facts.insert(facts.end(), tls_facts_.begin(), tls_facts_.end());
  return facts;
}

}  // namespace kbench
