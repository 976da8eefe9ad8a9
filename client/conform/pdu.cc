#include "client/conform/pdu.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/varint.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"

namespace kbench::conform {

using kinetic::AuthType;
using kinetic::Command;

namespace {

constexpr absl::string_view kWrongKey = "this is not the key of anybody";
constexpr int64_t kNobody = 4'000'000'007;
// Far from both kinds of limit that servers have, of a message and of a value.
constexpr uint32_t kTooLong = 0x7fffff00;

// Fields of the protobuf Message; what the schema calls them stands in kinetic/types.h.
enum Field { kAuthType = 4, kHmacAuth = 5, kPinAuth = 6, kCommandBytes = 7, kOfNoSchema = 1000 };

void AppendNumber(int field, uint64_t number, std::string* out) {
  AppendVarint(out, static_cast<uint64_t>(field) << 3);
  AppendVarint(out, number);
}

void AppendBytes(int field, absl::string_view bytes, std::string* out) {
  AppendVarint(out, static_cast<uint64_t>(field) << 3 | 2);
  AppendVarint(out, bytes.size());
  absl::StrAppend(out, bytes);
}

void FillHeader(const Step& step, Asker* asker, Command* command) {
  using Value = HeaderChanges::Value;
  using Sequence = HeaderChanges::Sequence;
  kinetic::Header& header = command->header;
  const HeaderChanges& changes = step.header;
  if (changes.connection_id != Value::kAbsent) {
    header.connection_id = asker->connection_id + (changes.connection_id == Value::kWrong);
  }
  if (changes.cluster_version != Value::kAbsent) {
    header.cluster_version = asker->cluster_version + (changes.cluster_version == Value::kWrong);
  }
  switch (changes.sequence) {
    case Sequence::kNext:
      header.sequence = asker->last_sequence + 1;
      break;
    case Sequence::kFarAhead:
      header.sequence = asker->last_sequence + (uint64_t{1} << 40);
      break;
    case Sequence::kSame:
      header.sequence = asker->last_sequence;
      break;
    case Sequence::kSmaller:
      header.sequence = asker->last_sequence - 1;
      break;
    case Sequence::kAbsent:
      break;
  }
  asker->last_sequence = std::max(asker->last_sequence, header.sequence.value_or(0));
}

std::string CommandBytes(const Step& step, const Command& command) {
  if (step.form == Form::kNoCommand) return "";
  if (step.form == Form::kGarbageCommand) return "\x0f\xff\xff this is no protobuf";
  std::string pdu;
  kinetic::Encoder().Append(command, kinetic::Signature::Unsolicited(), 0, &pdu);
  kinetic::Decoder decoder;
  (void)decoder.DecodeEnvelope(AsBytes(pdu).subspan(kinetic::kFrameHeaderSize));
  std::string bytes(decoder.message().command_bytes);
  if (step.form == Form::kUnknownFields) AppendBytes(kOfNoSchema, "of another time", &bytes);
  return bytes;
}

std::string HmacAuth(int64_t identity, absl::string_view key, absl::string_view command_bytes) {
  std::string auth;
  AppendNumber(1, static_cast<uint64_t>(identity), &auth);
  const kinetic::HmacDigest hmac = kinetic::HmacKey(key).Sign(AsBytes(command_bytes));
  AppendBytes(2, AsText(hmac), &auth);
  return auth;
}

std::string MessageBytes(const Step& step, const Asker& asker, absl::string_view command_bytes) {
  std::string message;
  const auto type = [&](AuthType one) {
    AppendNumber(kAuthType, static_cast<uint64_t>(one), &message);
  };
  const auto hmac = [&](int64_t identity, absl::string_view key) {
    AppendBytes(kHmacAuth, HmacAuth(identity, key, command_bytes), &message);
  };
  switch (step.auth) {
    case Auth::kOwn:
      type(AuthType::kHmac), hmac(asker.identity, asker.key);
      break;
    case Auth::kWrongKey:
      type(AuthType::kHmac), hmac(asker.identity, kWrongKey);
      break;
    case Auth::kUnknownIdentity:
      type(AuthType::kHmac), hmac(kNobody, asker.key);
      break;
    case Auth::kOther:
      type(AuthType::kHmac), hmac(step.identity, step.key);
      break;
    case Auth::kNoIdentity:
      type(AuthType::kHmac);
      break;
    case Auth::kNone:
      hmac(asker.identity, asker.key);
      break;
    case Auth::kUnsolicited:
      type(AuthType::kUnsolicitedStatus);
      break;
    case Auth::kPin: {
      type(AuthType::kPin);
      std::string pin;
      AppendBytes(1, step.pin, &pin);
      AppendBytes(kPinAuth, pin, &message);
      break;
    }
  }
  if (step.form != Form::kNoCommand) AppendBytes(kCommandBytes, command_bytes, &message);
  if (step.form == Form::kUnknownFields) AppendBytes(kOfNoSchema, "of another time", &message);
  return message;
}

std::string Frame(const Step& step, absl::string_view message) {
  kinetic::FrameHeader header = {.message_size = static_cast<uint32_t>(message.size()),
                                 .value_size = static_cast<uint32_t>(step.value.size())};
  if (step.form == Form::kMessageTooLong) header.message_size = kTooLong;
  if (step.form == Form::kNegativeLength) header.message_size = UINT32_MAX;
  if (step.form == Form::kValueTooLong) header.value_size = kTooLong;
  uint8_t bytes[kinetic::kFrameHeaderSize];
  kinetic::EncodeFrameHeader(header, bytes);
  if (step.form == Form::kWrongMagic) bytes[0] = 'G';
  return std::string(AsText(bytes));
}

}  // namespace

Pdu Build(const Step& step, Asker* asker) {
  Command command = step.command;
  if (command.has_header) FillHeader(step, asker, &command);
  const std::string command_bytes = CommandBytes(step, command);
  std::string message = MessageBytes(step, *asker, command_bytes);
  if (step.form == Form::kEmptyMessage) message.clear();
  if (step.form == Form::kGarbageMessage) message = "\x0f\xff\xff this is no protobuf";
  Pdu pdu = {.bytes = absl::StrCat(Frame(step, message), message, step.value)};
  const bool readable = step.form == Form::kWell || step.form == Form::kUnknownFields ||
                        step.form == Form::kValueTooLong;
  if (!readable || !command.has_header) return pdu;
  pdu.sequence = command.header.sequence;
  const auto type = command.header.message_type;
  if (type.has_value() && IsRequest(*type)) pdu.response_type = kinetic::ResponseOf(*type);
  return pdu;
}

}  // namespace kbench::conform
