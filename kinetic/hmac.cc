#define OPENSSL_SUPPRESS_DEPRECATED  // docs/decisions/001-hmac-saved-pad-states.md
#include "kinetic/hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "kinetic/byte_order.h"

namespace kbench::kinetic {
namespace {

// RFC 2104: HMAC(key, m) = H((key ^ opad) || H((key ^ ipad) || m)), the key padded to a block.
constexpr uint8_t kInnerPad = 0x36;
constexpr uint8_t kOuterPad = 0x5c;
using Block = std::array<uint8_t, SHA_CBLOCK>;

static_assert(kHmacSize == SHA_DIGEST_LENGTH);

Block PaddedKey(absl::string_view key) {
  Block block = {};
  if (key.size() > block.size()) {
    SHA1(AsBytes(key).data(), key.size(), block.data());
  } else {
    for (size_t i = 0; i < key.size(); ++i) block[i] = static_cast<uint8_t>(key[i]);
  }
  return block;
}

SHA_CTX StateAfter(Block block, uint8_t pad) {
  for (uint8_t& byte : block) byte ^= pad;
  SHA_CTX state;
  SHA1_Init(&state);
  SHA1_Update(&state, block.data(), block.size());
  return state;
}

}  // namespace

struct HmacKey::States {
  SHA_CTX inner;
  SHA_CTX outer;
};

HmacKey::HmacKey(absl::string_view key) {
  const Block block = PaddedKey(key);
  states_ = std::make_unique<States>(
      States{.inner = StateAfter(block, kInnerPad), .outer = StateAfter(block, kOuterPad)});
}

HmacKey::~HmacKey() = default;
HmacKey::HmacKey(HmacKey&&) noexcept = default;
HmacKey& HmacKey::operator=(HmacKey&&) noexcept = default;

HmacDigest HmacKey::Sign(Bytes command_bytes) const {
  HmacDigest digest;
  SHA_CTX state = states_->inner;
  if (!command_bytes.empty()) {
    std::array<uint8_t, 4> length;
    StoreBigEndian32(static_cast<uint32_t>(command_bytes.size()), length.data());
    SHA1_Update(&state, length.data(), length.size());
    SHA1_Update(&state, command_bytes.data(), command_bytes.size());
  }
  SHA1_Final(digest.data(), &state);

  state = states_->outer;
  SHA1_Update(&state, digest.data(), digest.size());
  SHA1_Final(digest.data(), &state);
  return digest;
}

bool HmacKey::Verify(Bytes command_bytes, absl::string_view hmac) const {
  if (hmac.size() != kHmacSize) return false;
  const HmacDigest expected = Sign(command_bytes);
  return CRYPTO_memcmp(expected.data(), hmac.data(), kHmacSize) == 0;
}

}  // namespace kbench::kinetic
