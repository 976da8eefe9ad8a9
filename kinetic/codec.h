// Messages to bytes and back. Protobuf lives behind these classes and nowhere else; each keeps its
// protobuf objects between calls, so that in the steady state neither allocates.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench::kinetic {

// How a message vouches for its command.
struct Signature {
  enum class Kind {
    kHmac,               // authType HMACAUTH, signed with `key` as `identity`
    kPin,                // authType PINAUTH with `pin`
    kPinAnswer,          // authType PINAUTH without a PIN: how a PIN operation is answered
    kUnsolicitedStatus,  // authType UNSOLICITEDSTATUS, unsigned
    kUnsigned,           // authType HMACAUTH without a signature
    kNoCommand,          // authType HMACAUTH and nothing else, not even a command
  };
  Kind kind = Kind::kHmac;
  int64_t identity = kFactoryIdentity;
  const HmacKey* key = nullptr;  // for kHmac, not null
  absl::string_view pin;         // for kPin

  static Signature Hmac(int64_t identity, const HmacKey* key) {
    return {.kind = Kind::kHmac, .identity = identity, .key = key};
  }
  static Signature Unsolicited() { return {.kind = Kind::kUnsolicitedStatus}; }
};

class Encoder {
 public:
  Encoder();
  ~Encoder();

  // Writes frame header and message of one PDU at the end of *out; the caller sends `value_size`
  // bytes of value after it. Fields absent in `command` are absent on the wire.
  void Append(const Command& command, const Signature& signature, uint32_t value_size,
              std::string* out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Decoder {
 public:
  Decoder();
  ~Decoder();

  // Decodes a PDU's message bytes. InvalidArgument when they are no Kinetic message; unknown
  // fields and unknown enumeration numbers are not errors. The result, and every view in it, is
  // valid until the next call; `message` itself is not referred to.
  absl::Status Decode(Bytes message);
  // The same in two steps, for those who want to know who asks before they unpack what is asked:
  // between the two, message().command is that of an earlier message and not to be looked at.
  absl::Status DecodeEnvelope(Bytes message);
  absl::Status DecodeCommand();
  const Message& message() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True when `message` is signed with HMACAUTH and `key` confirms the command bytes.
bool VerifyHmac(const Message& message, const HmacKey& key);

}  // namespace kbench::kinetic
