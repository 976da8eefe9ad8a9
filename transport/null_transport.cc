#include "transport/null_transport.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "kinetic/frame.h"

namespace kbench {
namespace {

using kinetic::MessageType;
using kinetic::StatusCode;

constexpr size_t kReplyBytes = 512;  // more than any answer's head

bool CarriesValue(MessageType type) {
  return type == MessageType::kGet || type == MessageType::kGetNext ||
         type == MessageType::kGetPrevious;
}

// PUT and DELETE inside a batch are answered by the END_BATCH_RESPONSE alone.
bool IsAnswered(const kinetic::Header& header) {
  const MessageType type = header.message_type.value_or(MessageType::kInvalid);
  return !header.batch_id.has_value() ||
         (type != MessageType::kPut && type != MessageType::kDelete);
}

}  // namespace

NullTransport::NullTransport(const TransportOptions& options)
    : options_(options),
      key_(options.null_hmac_key.empty() ? kinetic::kFactoryKey
                                         : absl::string_view(options.null_hmac_key)),
      value_(options.null_value_bytes, 0x5a) {
  flows_.reserve(options.flows_max);
  queued_.reserve(options.frames_max);
  pending_.reserve(options.frames_max + options.flows_max);
  events_.reserve(3 * size_t{options.frames_max} + options.flows_max);
  replies_.reserve(kReplyBytes * (size_t{options.frames_max} + options.flows_max));
}

absl::StatusOr<FlowId> NullTransport::Connect(const SocketAddress&, Nanos) {
  if (flows_.size() == options_.flows_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot open another null flow: flows_max is ", options_.flows_max));
  }
  const FlowId id = FlowId(flows_.size());
  flows_.push_back({.connection_id = 1'000'000 + static_cast<int64_t>(Index(id))});
  ++ungreeted_;
  return id;
}

absl::Status NullTransport::Reopen(FlowId id, const SocketAddress&, Nanos) {
  Flow& flow = flows_[Index(id)];
  if (!flow.greeted) --ungreeted_;
  flow.connection_id += options_.flows_max;
  flow.open = true;
  flow.greeted = false;
  ++ungreeted_;
  return absl::OkStatus();
}

void NullTransport::Send(FlowId flow, const OutgoingFrame& frame) {
  if (!flows_[Index(flow)].open) return;
  if (queued_.size() == options_.frames_max) {
    std::fprintf(stderr, "kbench: bug: more than frames_max = %u frames without their kSent\n",
                 options_.frames_max);
    std::abort();
  }
  queued_.push_back({.flow = flow, .frame = frame});
}

std::span<const TransportEvent> NullTransport::Poll(MonoTime deadline) {
  events_.clear();
  pending_.clear();
  replies_.clear();
  for (uint32_t i = 0; ungreeted_ > 0 && i < flows_.size(); ++i) {
    if (!flows_[i].greeted) Greet(FlowId(i));
  }
  const MonoTime now = MonoNow();
  for (const Queued& queued : queued_) {
    if (!flows_[Index(queued.flow)].open) continue;
    queued.frame.stamps->submitted = now;
    queued.frame.stamps->send_returned = now;
    events_.push_back(
        {.kind = TransportEvent::Kind::kSent, .flow = queued.flow, .token = queued.frame.token});
    Answer(queued);
  }
  queued_.clear();
  for (const Pending& pending : pending_) {
    events_[pending.event].bytes =
        AsBytes(absl::string_view(replies_).substr(pending.begin, pending.size));
  }
  const MonoTime received = MonoNow();
  for (TransportEvent& event : events_) {
    event.polled = now;
    event.woke = event.received = received;
  }
  // There is nothing to wait for but time: nobody else sends.
  if (events_.empty() && options_.poll == PollMode::kBlock && received < deadline) {
    const timespec until = ToTimespec(Nanos(deadline.ns()));
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
  while (events_.empty() && MonoNow() < deadline) continue;
  return events_;
}

void NullTransport::Greet(FlowId id) {
  Flow& flow = flows_[Index(id)];
  flow.greeted = true;
  --ungreeted_;
  if (!flow.open) return;
  kinetic::Command greeting;
  greeting.has_header = true;
  greeting.header.cluster_version = 0;
  greeting.header.connection_id = flow.connection_id;
  kinetic::GetLog& log = greeting.get_log.emplace();
  log.types = {kinetic::GetLog::Type::kConfiguration, kinetic::GetLog::Type::kLimits};
  kinetic::GetLog::Configuration& configuration = log.configuration.emplace();
  configuration.vendor = "kbench";
  configuration.model = "null transport";
  kinetic::GetLog::Limits& limits = log.limits.emplace();
  limits.max_key_size = 4096;
  limits.max_value_size = kinetic::kSpecMaxValueSize;
  limits.max_message_size = kinetic::kSpecMaxMessageSize;
  greeting.status = kinetic::CommandStatus{.code = StatusCode::kSuccess};
  const size_t begin = replies_.size();
  encoder_.Append(greeting, kinetic::Signature::Unsolicited(), 0, &replies_);
  Deliver(id, begin, 0);
}

bool NullTransport::Read(Bytes head) {
  if (head.size() < kinetic::kFrameHeaderSize) return false;
  const auto frame = kinetic::DecodeFrameHeader(head.data(), {});
  const Bytes rest = head.subspan(kinetic::kFrameHeaderSize);
  // The first bytes of the value may lie behind the message.
  return frame.ok() && frame->message_size <= rest.size() &&
         decoder_.Decode(rest.first(frame->message_size)).ok();
}

void NullTransport::Answer(const Queued& queued) {
  if (!Read(queued.frame.head)) {
    flows_[Index(queued.flow)].open = false;
    events_.push_back(
        {.kind = TransportEvent::Kind::kClosed, .flow = queued.flow, .error = EBADMSG});
    return;
  }
  const kinetic::Message& message = decoder_.message();
  const kinetic::Header& header = message.command.header;
  if (!IsAnswered(header)) return;
  const MessageType type = header.message_type.value_or(MessageType::kInvalid);
  const bool device_log =
      message.command.get_log.has_value() && message.command.get_log->device_name.has_value();
  reply_.has_header = true;
  reply_.header.connection_id = flows_[Index(queued.flow)].connection_id;
  reply_.header.ack_sequence = header.sequence;
  reply_.header.message_type = kinetic::ResponseOf(type);
  reply_.status =
      kinetic::CommandStatus{.code = device_log ? StatusCode::kNotFound : StatusCode::kSuccess};
  reply_.key_value.reset();
  if (CarriesValue(type) && message.command.key_value.has_value()) {
    reply_.key_value.emplace().key = message.command.key_value->key;
  }
  const size_t value_size = CarriesValue(type) ? value_.size() : 0;
  const size_t begin = replies_.size();
  encoder_.Append(
      reply_, kinetic::Signature::Hmac(message.identity.value_or(kinetic::kFactoryIdentity), &key_),
      static_cast<uint32_t>(value_size), &replies_);
  Deliver(queued.flow, begin, value_size);
}

void NullTransport::Deliver(FlowId flow, size_t begin, size_t value_size) {
  pending_.push_back({.event = events_.size(), .begin = begin, .size = replies_.size() - begin});
  events_.push_back({.kind = TransportEvent::Kind::kReceived, .flow = flow});
  if (value_size == 0) return;
  events_.push_back(
      {.kind = TransportEvent::Kind::kReceived, .flow = flow, .bytes = Bytes(value_)});
}

FactList NullTransport::facts() const {
  return {{"transport", "null"}, {"null_value_bytes", absl::StrCat(value_.size())}};
}

}  // namespace kbench
