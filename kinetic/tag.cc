#include "kinetic/tag.h"

#include <openssl/evp.h>

#include <array>

namespace kbench::kinetic {
namespace {

const EVP_MD* DigestOf(TagAlgorithm algorithm, size_t size) {
  switch (algorithm) {
    case TagAlgorithm::kSha1:
      return size == 20 ? EVP_sha1() : nullptr;
    case TagAlgorithm::kSha2:
      return size == 28   ? EVP_sha224()
             : size == 32 ? EVP_sha256()
             : size == 48 ? EVP_sha384()
             : size == 64 ? EVP_sha512()
                          : nullptr;
    case TagAlgorithm::kSha3:
      return size == 28   ? EVP_sha3_224()
             : size == 32 ? EVP_sha3_256()
             : size == 48 ? EVP_sha3_384()
             : size == 64 ? EVP_sha3_512()
                          : nullptr;
    case TagAlgorithm::kCrc32c:
    case TagAlgorithm::kCrc64:
    case TagAlgorithm::kCrc32:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

std::optional<bool> TagAgrees(int32_t algorithm, Text tag, Bytes value) {
  const EVP_MD* digest = DigestOf(static_cast<TagAlgorithm>(algorithm), tag.size());
  if (digest == nullptr) return std::nullopt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> made;
  unsigned int size = 0;
  if (EVP_Digest(value.data(), value.size(), made.data(), &size, digest, nullptr) != 1) {
    return std::nullopt;
  }
  return tag == AsText(Bytes(made.data(), size));
}

}  // namespace kbench::kinetic
