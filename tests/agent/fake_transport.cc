#include "tests/agent/fake_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "kinetic/frame.h"

namespace kbench {
namespace {

constexpr Nanos kLook = Micros(1);

}  // namespace

FakeTransport::FakeTransport(uint32_t get_value_bytes, Judge judge)
    : get_value_bytes_(get_value_bytes),
      judge_(std::move(judge)),
      key_(kinetic::kFactoryKey),
      wrong_key_("another key") {}

absl::StatusOr<FlowId> FakeTransport::Connect(const SocketAddress&, Nanos) {
  const FlowId flow{flows_++};
  coming_.insert({SimClock::Now(), {.flow = flow, .bytes = Greeting(1000 + Index(flow))}});
  return flow;
}

absl::Status FakeTransport::Reopen(FlowId flow, const SocketAddress&, Nanos) {
  coming_.insert({SimClock::Now(), {.flow = flow, .bytes = Greeting(2000 + Index(flow))}});
  return absl::OkStatus();
}

std::string FakeTransport::Greeting(int64_t connection_id) {
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = connection_id;
  command.header.cluster_version = 0;
  command.status = {.code = kinetic::StatusCode::kSuccess};
  std::string pdu;
  encoder_.Append(command, kinetic::Signature::Unsolicited(), 0, &pdu);
  return pdu;
}

void FakeTransport::SayAt(FlowId flow, MonoTime at, kinetic::StatusCode status,
                          const std::string& text) {
  kinetic::Command command;
  command.status.emplace();
  command.status->code = status;
  command.status->message = text;
  std::string pdu;
  encoder_.Append(command, kinetic::Signature::Unsolicited(), 0, &pdu);
  coming_.insert({at, {.flow = flow, .bytes = pdu}});
}

void FakeTransport::CloseAt(FlowId flow, MonoTime at) {
  coming_.insert({at, {.kind = TransportEvent::Kind::kClosed, .flow = flow}});
}

void FakeTransport::StallAt(MonoTime at, Nanos length) { stall_ = {at, length}; }

std::string FakeTransport::Answer(const Request& request, const Fate& fate) {
  // authType HMACAUTH and nothing else: what the simulator says to an unknown identity.
  if (fate.without_command) return std::string("F\0\0\0\x02\0\0\0\0\x20\x01", 11);
  kinetic::Command command;
  command.has_header = true;
  if (!fate.without_ack) command.header.ack_sequence = request.sequence;
  command.header.cluster_version = fate.cluster_version;
  command.header.message_type = fate.type.value_or(kinetic::ResponseOf(request.type));
  if (fate.type == kinetic::MessageType::kInvalid) command.header.message_type.reset();
  command.status.emplace();
  if (!fate.without_status) command.status->code = fate.status;
  if (!fate.text.empty()) command.status->message = fate.text;
  const bool value =
      request.type == kinetic::MessageType::kGet && fate.status == kinetic::StatusCode::kSuccess;
  const uint32_t size = fate.value_size.value_or(value ? get_value_bytes_ : 0);
  const kinetic::Signature signature =
      fate.unsolicited ? kinetic::Signature::Unsolicited()
                       : kinetic::Signature::Hmac(kinetic::kFactoryIdentity,
                                                  fate.wrong_key ? &wrong_key_ : &key_);
  std::string pdu;
  encoder_.Append(command, signature, size, &pdu);
  pdu.append(size, 'v');
  return pdu;
}

void FakeTransport::ProbesAnswered(FlowId flow) {
  EXPECT_GT(probed_[flow].size(), 0u) << "nothing was probed";
  probed_[flow].clear();
  ++probes_answered_;
}

void FakeTransport::Send(FlowId flow, const OutgoingFrame& frame) {
  EXPECT_TRUE(unsent_.insert(frame.head.data()).second)
      << "the buffers of frame " << frame.token << " were used again before it was sent";
  if (frame.probe) probed_[flow].insert(frame.stamps);
  frame.stamps->submitted = SimClock::Now();
  frame.stamps->send_returned = SimClock::Now();
  std::optional<MonoTime> sent_at;
  // A head may hold several PDUs, and end in a part of the last one's value.
  for (Bytes in = frame.head; !in.empty();) {
    const auto header = kinetic::DecodeFrameHeader(in.data(), {});
    if (!header.ok()) std::abort();
    const Bytes message = in.subspan(kinetic::kFrameHeaderSize, header->message_size);
    if (!decoder_.Decode(message).ok()) std::abort();
    sent_at = Take(flow, decoder_.message().command);
    in = in.subspan(kinetic::kFrameHeaderSize + message.size());
    if (header->value_size > 0) break;
  }
  const Coming sent = {.kind = TransportEvent::Kind::kSent,
                       .flow = flow,
                       .token = frame.token,
                       .head = frame.head.data()};
  if (sent_at.has_value()) {
    coming_.insert({*sent_at, sent});
  } else {
    sent_.push_back(sent);
  }
}

std::optional<MonoTime> FakeTransport::Take(FlowId flow, const kinetic::Command& command) {
  Request request = {.number = requests_.size(),
                     .flow = flow,
                     .type = *command.header.message_type,
                     .sequence = *command.header.sequence,
                     .batch_id = command.header.batch_id,
                     .at = SimClock::Now()};
  if (command.key_value.has_value()) request.key = std::string(*command.key_value->key);
  requests_.push_back(request);
  const Fate fate = judge_(request);
  if (request.batch_id.has_value() && request.type == kinetic::MessageType::kPut) return {};
  most_unanswered_ = std::max(most_unanswered_, ++unanswered_);
  if (fate.answered) {
    coming_.insert({SimClock::Now() + fate.delay,
                    {.flow = flow, .bytes = Answer(request, fate), .answer = true}});
  }
  if (!fate.sent_late) return std::nullopt;
  return SimClock::Now() + fate.delay;
}

std::span<const TransportEvent> FakeTransport::Poll(MonoTime deadline) {
  events_.clear();
  bytes_.clear();
  if (stall_.has_value() && SimClock::Now() >= stall_->first) {
    SimClock::Advance(stall_->second);
    stall_.reset();
  }
  const MonoTime polled = SimClock::Now();
  // A look takes time, too: a client that spins gets on.
  deadline = std::max(deadline, SimClock::Now() + kLook);
  const MonoTime next = coming_.empty() ? deadline : coming_.begin()->first;
  if (sent_.empty()) SimClock::Set(std::max(SimClock::Now(), std::min(deadline, next)));
  bytes_.reserve(coming_.size());
  for (const Coming& sent : sent_) {
    events_.push_back({.kind = sent.kind, .flow = sent.flow, .token = sent.token});
    unsent_.erase(sent.head);
  }
  sent_.clear();
  while (!coming_.empty() && coming_.begin()->first <= SimClock::Now()) {
    Coming coming = std::move(coming_.begin()->second);
    coming_.erase(coming_.begin());
    if (coming.answer) --unanswered_;
    if (coming.kind == TransportEvent::Kind::kSent) unsent_.erase(coming.head);
    const bool join = coalesce_ && !events_.empty() && coming.kind == events_.back().kind &&
                      coming.kind == TransportEvent::Kind::kReceived &&
                      events_.back().flow == coming.flow;
    if (join) {
      bytes_.back() += coming.bytes;
    } else {
      bytes_.push_back(coming.bytes);
      events_.push_back({.kind = coming.kind, .flow = coming.flow, .token = coming.token});
    }
    events_.back().bytes = AsBytes(bytes_.back());
    events_.back().polled = polled;
    events_.back().woke = events_.back().received = SimClock::Now();
  }
  return events_;
}

}  // namespace kbench
