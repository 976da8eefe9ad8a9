#include "kinetic/codec.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "kinetic/command_proto.h"
#include "proto/kinetic.pb.h"

namespace kbench::kinetic {
namespace {

// Room for the commands of all hot operations, so that a sequence number which needs one byte more
// than before does not allocate in the middle of a measurement.
constexpr size_t kLeastCapacity = 512;

constexpr size_t kKeptCommand = 64 * 1024;

void Serialize(const google::protobuf::MessageLite& proto, std::string* out) {
  const size_t begin = out->size();
  out->resize(begin + proto.ByteSizeLong());
  proto.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(out->data()) + begin);
}

// By pointer and size: assigning a range of uint8_t would make a temporary string.
void Assign(Text text, std::string* field) { field->assign(text.data(), text.size()); }

void Sign(const Signature& signature, wire::Message* proto) {
  switch (signature.kind) {
    case Signature::Kind::kHmac: {
      const HmacDigest hmac = signature.key->Sign(AsBytes(proto->command_bytes()));
      proto->set_auth_type(static_cast<int32_t>(AuthType::kHmac));
      proto->mutable_hmac_auth()->set_identity(signature.identity);
      Assign(AsText(hmac), proto->mutable_hmac_auth()->mutable_hmac());
      return;
    }
    case Signature::Kind::kPin:
      proto->set_auth_type(static_cast<int32_t>(AuthType::kPin));
      Assign(signature.pin, proto->mutable_pin_auth()->mutable_pin());
      return;
    case Signature::Kind::kPinAnswer:
      proto->set_auth_type(static_cast<int32_t>(AuthType::kPin));
      return;
    case Signature::Kind::kUnsolicitedStatus:
      proto->set_auth_type(static_cast<int32_t>(AuthType::kUnsolicitedStatus));
      return;
    case Signature::Kind::kNoCommand:
      proto->clear_command_bytes();
      [[fallthrough]];
    case Signature::Kind::kUnsigned:
      proto->set_auth_type(static_cast<int32_t>(AuthType::kHmac));
      return;
  }
}

bool Parse(Bytes bytes, google::protobuf::MessageLite* proto) {
  constexpr size_t kMost = std::numeric_limits<int>::max();
  return bytes.size() <= kMost &&
         proto->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

struct Encoder::Impl {
  Impl() { message.mutable_command_bytes()->reserve(kLeastCapacity); }

  wire::Message message;
  wire::Command command;
};

Encoder::Encoder() : impl_(std::make_unique<Impl>()) {}
Encoder::~Encoder() = default;

void Encoder::Append(const Command& command, const Signature& signature, uint32_t value_size,
                     std::string* out) {
  impl_->command.Clear();
  ToProto(command, &impl_->command);
  impl_->message.Clear();
  Serialize(impl_->command, impl_->message.mutable_command_bytes());
  Sign(signature, &impl_->message);

  const size_t begin = out->size();
  out->resize(begin + kFrameHeaderSize);
  Serialize(impl_->message, out);
  const size_t message_size = out->size() - begin - kFrameHeaderSize;
  EncodeFrameHeader({.message_size = static_cast<uint32_t>(message_size), .value_size = value_size},
                    reinterpret_cast<uint8_t*>(out->data()) + begin);
}

struct Decoder::Impl {
  Impl() { message_proto.mutable_command_bytes()->reserve(kLeastCapacity); }

  wire::Message message_proto;
  wire::Command command_proto;
  Message message;
  bool large = false;  // what was decoded last
};

Decoder::Decoder() : impl_(std::make_unique<Impl>()) {}
Decoder::~Decoder() = default;

absl::Status Decoder::Decode(Bytes bytes) {
  absl::Status status = DecodeEnvelope(bytes);
  if (status.ok()) status = DecodeCommand();
  return status;
}

absl::Status Decoder::DecodeEnvelope(Bytes bytes) {
  // What a message of this size left behind is not worth keeping: submessages of a few bytes each
  // take many times their size.
  if (impl_->large) impl_ = std::make_unique<Impl>();
  impl_->large = bytes.size() > kKeptCommand;
  const wire::Message& proto = impl_->message_proto;
  Message& message = impl_->message;
  if (!Parse(bytes, &impl_->message_proto)) {
    impl_->message_proto.Clear();
    message = Message();
    return absl::InvalidArgumentError(absl::StrCat("a PDU's message of ", bytes.size(),
                                                   " bytes is no Kinetic message (not protobuf)"));
  }
  message.auth_type.reset();
  message.identity.reset();
  message.hmac.reset();
  message.pin.reset();
  if (proto.has_auth_type()) message.auth_type = static_cast<AuthType>(proto.auth_type());
  if (proto.hmac_auth().has_identity()) message.identity = proto.hmac_auth().identity();
  if (proto.hmac_auth().has_hmac()) message.hmac = proto.hmac_auth().hmac();
  if (proto.pin_auth().has_pin()) message.pin = proto.pin_auth().pin();
  message.has_command = proto.has_command_bytes();
  message.command_bytes = proto.command_bytes();
  return absl::OkStatus();
}

absl::Status Decoder::DecodeCommand() {
  const bool parsed = Parse(AsBytes(impl_->message_proto.command_bytes()), &impl_->command_proto);
  if (!parsed) {
    // No half of a message.
    impl_->message_proto.Clear();
    impl_->command_proto.Clear();
    impl_->message = Message();
    return absl::InvalidArgumentError(
        "a Kinetic message's commandBytes are no Kinetic command (not protobuf)");
  }
  FromProto(impl_->command_proto, &impl_->message.command);
  return absl::OkStatus();
}

const Message& Decoder::message() const { return impl_->message; }

bool VerifyHmac(const Message& message, const HmacKey& key) {
  return message.auth_type == AuthType::kHmac && message.hmac &&
         key.Verify(AsBytes(message.command_bytes), *message.hmac);
}

}  // namespace kbench::kinetic
