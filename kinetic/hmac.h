// The HMAC that signs a Kinetic command, with the key's padded states kept between calls.
//
//   hmac = HMAC-SHA1(key, BE32(length of command bytes) || command bytes)        20 bytes
//
// The length prefix is part of the protocol and missing from its documentation. An empty command
// signs nothing: the message is the empty string, without a prefix. (Same rule in kinetic-java,
// libkinetic, kinetic-c and kinetic-py.)
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace kbench::kinetic {

inline constexpr size_t kHmacSize = 20;
using HmacDigest = std::array<uint8_t, kHmacSize>;

// One key, ready to sign. Computing allocates nothing. Not for use by two threads at once.
class HmacKey {
 public:
  explicit HmacKey(absl::string_view key);
  ~HmacKey();
  HmacKey(HmacKey&&) noexcept;
  HmacKey& operator=(HmacKey&&) noexcept;

  HmacDigest Sign(Bytes command_bytes) const;
  // Constant-time comparison; false for any digest that is not 20 bytes.
  bool Verify(Bytes command_bytes, absl::string_view hmac) const;

 private:
  struct States;
  std::unique_ptr<States> states_;
};

}  // namespace kbench::kinetic
