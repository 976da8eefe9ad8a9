#include "agent/load/reply_reader.h"

#include <algorithm>
#include <array>

#include "base/status_macros.h"

namespace kbench {
namespace {

// A message that comes in two pieces is gathered in a buffer that grows to the largest so far. A
// pretended one of this size lets it grow before the measured window; answers to our operations
// are smaller by far.
constexpr uint32_t kExpectedMessage = 8192;

}  // namespace

ReplyReader::ReplyReader(const kinetic::HmacKey* key, bool check_values)
    : key_(key), check_values_(check_values) {
  Reset();
}

void ReplyReader::Reset() {
  frames_ = kinetic::FrameReader({}, kinetic::FrameReader::ValuePolicy::kCount);
  decoded_ = false;
  std::array<uint8_t, kinetic::kFrameHeaderSize + kExpectedMessage> pretended = {};
  kinetic::EncodeFrameHeader({.message_size = kExpectedMessage}, pretended.data());
  for (Bytes half :
       {Bytes(pretended).first(kExpectedMessage), Bytes(pretended).subspan(kExpectedMessage)}) {
    frames_.Consume(&half).IgnoreError();
  }
}

absl::StatusOr<const Reply*> ReplyReader::Next(Bytes* in) {
  if (in->empty()) return nullptr;
  ASSIGN_OR_RETURN(const bool complete, check_values_ ? ConsumeAndCheck(in) : frames_.Consume(in));
  if (!complete) return nullptr;
  if (!decoded_) RETURN_IF_ERROR(decoder_.Decode(frames_.message()));
  decoded_ = false;
  Take(decoder_.message());
  return &reply_;
}

// The message says by which algorithm its value is to be checked, so it is read before that.
absl::StatusOr<bool> ReplyReader::ConsumeAndCheck(Bytes* in) {
  if (frames_.at_boundary()) value_check_.Begin();
  ASSIGN_OR_RETURN(const bool complete, frames_.Consume(in));
  if (!decoded_ && (complete || frames_.awaits_value())) {
    RETURN_IF_ERROR(decoder_.Decode(frames_.message()));
    decoded_ = true;
    tag_check_.Begin(decoder_.message().command.key_value);
  }
  value_check_.Take(frames_.value_piece());
  tag_check_.Take(frames_.value_piece());
  return complete;
}

void ReplyReader::Take(const kinetic::Message& message) {
  using kinetic::AuthType;
  const kinetic::Command& command = message.command;
  reply_.unsolicited = message.auth_type == AuthType::kUnsolicitedStatus;
  reply_.authentic = !reply_.unsolicited && kinetic::VerifyHmac(message, *key_);
  reply_.ack_sequence = command.header.ack_sequence;
  reply_.head = kinetic::HeadOf(message, frames_.value_size());
  reply_.status = reply_.head.status;
  reply_.text = command.status.has_value() ? command.status->message.value_or(absl::string_view())
                                           : absl::string_view();
  reply_.connection_id = command.header.connection_id.value_or(0);
  reply_.cluster_version = command.header.cluster_version;
  reply_.limits = command.get_log.has_value() && command.get_log->limits.has_value()
                      ? &*command.get_log->limits
                      : nullptr;
  reply_.key = command.key_value.has_value() ? command.key_value->key.value_or(absl::string_view())
                                             : absl::string_view();
  reply_.value_size = frames_.value_size();
  reply_.size = frames_.size();
}

}  // namespace kbench
