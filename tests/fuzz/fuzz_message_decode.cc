// Whatever the bytes, decoding ends with an error or with a command that is a fixpoint: written
// and read again it is the same command, byte for byte, and its HMAC confirms it.
//
//   input := a PDU's message bytes
#include <cstdlib>
#include <string>

#include "kinetic/codec.h"

namespace kbench::kinetic {
namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

Signature SignatureLike(const Message& message, const HmacKey& key) {
  if (message.auth_type == AuthType::kPin) {
    return {.kind = Signature::Kind::kPin, .pin = message.pin.value_or("")};
  }
  if (message.auth_type == AuthType::kUnsolicitedStatus) return Signature::Unsolicited();
  return Signature::Hmac(message.identity.value_or(kFactoryIdentity), &key);
}

int RunInput(const uint8_t* data, size_t size) {
  static const auto* const key = new HmacKey(kFactoryKey);
  static auto* const encoder = new Encoder;
  static auto* const theirs = new Decoder;
  static auto* const ours = new Decoder;
  static auto* const first = new std::string;
  static auto* const second = new std::string;

  const absl::Status status = theirs->Decode({data, size});
  VerifyHmac(theirs->message(), *key);
  if (!status.ok()) {
    Check(theirs->message() == Message{});
    return 0;
  }
  const Signature signature = SignatureLike(theirs->message(), *key);
  first->clear();
  encoder->Append(theirs->message().command, signature, 0, first);

  const Bytes message = AsBytes(*first).subspan(kFrameHeaderSize);
  Check(ours->Decode(message).ok());
  Check(ours->message().has_command);
  Check(VerifyHmac(ours->message(), *key) == (signature.kind == Signature::Kind::kHmac));
  // Bytes, not operator==, which finds a NaN different from itself.
  second->clear();
  encoder->Append(ours->message().command, signature, 0, second);
  Check(*first == *second);
  return 0;
}

}  // namespace
}  // namespace kbench::kinetic

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return kbench::kinetic::RunInput(data, size);
}
