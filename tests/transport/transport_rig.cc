#include "tests/transport/transport_rig.h"

#include <gtest/gtest.h>

#include "base/status_macros.h"
#include "transport/uring_transport.h"

namespace kbench {

std::string NameOf(const Stack& stack) {
  return absl::StrCat(Name(stack.kind), stack.error_queue ? "_queue" : "",
                      stack.flush == FlushMode::kOp ? "_op" : "",
                      stack.poll == PollMode::kSpin ? "_spin" : "", stack.tls ? "_tls" : "");
}

std::ostream& operator<<(std::ostream& out, const Stack& stack) { return out << NameOf(stack); }

const TlsContext& PeerTls() {
  static const auto* const context = new TlsContext(*TlsContext::SelfSigned("localhost"));
  return *context;
}

absl::StatusOr<std::unique_ptr<Transport>> MakeStack(const Stack& stack, TransportOptions options) {
  if (stack.tls) options.tls = TlsOptions{};
  options.flush = stack.flush;
  options.poll = stack.poll;
  if (stack.kind == TransportKind::kUring && stack.error_queue) {
    return UringTransport::Make(options, /*stamp_command=*/false);
  }
  return MakeTransport(stack.kind, options);
}

absl::StatusOr<std::unique_ptr<TransportRig>> TransportRig::Make(const Stack& stack,
                                                                 const FakePeer::Script& script,
                                                                 const TransportOptions& options) {
  std::unique_ptr<TransportRig> rig(new TransportRig(stack.tls));
  ASSIGN_OR_RETURN(rig->transport_, MakeStack(stack, options));
  FakePeer::Script played = script;
  if (stack.tls) played.tls = &PeerTls();
  rig->peer_ = std::make_unique<FakePeer>(played);
  for (uint32_t i = 0; i < options.flows_max; ++i) {
    ASSIGN_OR_RETURN(const FlowId id, rig->transport_->Connect(rig->peer_->address(), Seconds(10)));
    EXPECT_EQ(Index(id), i);
    rig->logs_.emplace_back();
  }
  return rig;
}

uint32_t TransportRig::Send(uint32_t flow, size_t head_bytes, size_t value_bytes, bool probe) {
  const auto token = static_cast<uint32_t>(frames_.size());
  Sent& frame = frames_.emplace_back();
  for (size_t i = 0; i < head_bytes; ++i) {
    frame.head.push_back(static_cast<char>(FakePeer::StreamByte(token * 1'000'003u + i)));
  }
  for (size_t i = 0; i < value_bytes; ++i) {
    frame.value.push_back(static_cast<char>(FakePeer::StreamByte(token * 7'000'003u + i)));
  }
  absl::StrAppend(&logs_[flow].queued, frame.head, frame.value);
  transport_->Send(FlowId(flow), {.head = AsBytes(frame.head),
                                  .value = AsBytes(frame.value),
                                  .token = token,
                                  .probe = probe,
                                  .stamps = &frame.stamps});
  return token;
}

void TransportRig::FreeBytes(uint32_t token) {
  std::string().swap(frames_[token].head);
  std::string().swap(frames_[token].value);
}

void TransportRig::Take(std::span<const TransportEvent> events) {
  MonoTime polled;
  for (const TransportEvent& event : events) {
    FlowLog& log = logs_[Index(event.flow)];
    log.after_closed += log.closed > 0;
    switch (event.kind) {
      case TransportEvent::Kind::kSent:
        EXPECT_FALSE(frames_[event.token].done) << "a second kSent of token " << event.token;
        frames_[event.token].done = true;
        log.sent.push_back(event.token);
        break;
      case TransportEvent::Kind::kReceived:
        for (uint8_t byte : event.bytes) {
          log.wrong += byte != FakePeer::StreamByte(log.received++);
        }
        log.last_received = event;
        EXPECT_LE(event.polled, event.woke);
        // What came while TLS shook hands may have come in several looks, before this one.
        if (tls_) break;
        EXPECT_GE(event.polled, poll_begun_);
        EXPECT_TRUE(!polled.is_set() || event.polled == polled) << "of one look";
        polled = event.polled;
        break;
      case TransportEvent::Kind::kClosed:
        ++log.closed;
        log.error = event.error;
        break;
    }
  }
}

void TransportRig::PollUntil(const std::function<bool()>& done) {
  while (!done()) {
    poll_begun_ = MonoNow();
    const auto events = transport_->Poll(poll_begun_ + Seconds(60));
    ASSERT_FALSE(events.empty()) << "a minute without an event";
    Take(events);
  }
}

void TransportRig::RoundTrip(uint32_t flow, size_t request_bytes, uint64_t reply_bytes,
                             bool probe) {
  const uint32_t token = Send(flow, request_bytes, 0, probe);
  const uint64_t wanted = logs_[flow].received + reply_bytes;
  PollUntil([&] { return frames_[token].done && logs_[flow].received >= wanted; });
}

}  // namespace kbench
