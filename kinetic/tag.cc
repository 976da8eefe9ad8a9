#define OPENSSL_SUPPRESS_DEPRECATED  // docs/decisions/001-hmac-saved-pad-states.md
#include "kinetic/tag.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kinetic/byte_order.h"
#include "kinetic/crc32c.h"

namespace kbench::kinetic {
namespace {

struct Named {
  absl::string_view name;
  TagAlgorithm algorithm;
};
constexpr Named kNames[] = {
    {"crc32c", TagAlgorithm::kCrc32c}, {"sha1", TagAlgorithm::kSha1},
    {"sha2", TagAlgorithm::kSha2},     {"sha3", TagAlgorithm::kSha3},
    {"crc64", TagAlgorithm::kCrc64},   {"crc32", TagAlgorithm::kCrc32},
};

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

absl::string_view TagName(TagAlgorithm algorithm) {
  for (const Named& named : kNames) {
    if (named.algorithm == algorithm) return named.name;
  }
  return "";
}

absl::StatusOr<TagAlgorithm> ParseTagAlgorithm(absl::string_view name) {
  for (const Named& named : kNames) {
    if (named.name == name) return named.algorithm;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no algorithm of tags; there are ",
                   absl::StrJoin(kNames, ", ", [](std::string* out, const Named& named) {
                     absl::StrAppend(out, named.name);
                   })));
}

Tag Crc32cTag(uint32_t crc) {
  Tag tag = {.algorithm = TagAlgorithm::kCrc32c};
  StoreBigEndian32(crc, tag.bytes.data());
  return tag;
}

Tag MakeTag(TagAlgorithm algorithm, Bytes value) {
  TagMaker maker;
  maker.Begin(algorithm);
  maker.Take(value);
  return maker.Finish();
}

std::optional<bool> TagAgrees(int32_t algorithm, Text tag, Bytes value) {
  const auto known = static_cast<TagAlgorithm>(algorithm);
  if (known == TagAlgorithm::kCrc32c && tag.size() == TagSize(known)) {
    return tag == MakeTag(known, value).text();
  }
  const EVP_MD* digest = DigestOf(known, tag.size());
  if (digest == nullptr) return std::nullopt;
  std::array<unsigned char, EVP_MAX_MD_SIZE> made;
  unsigned int size = 0;
  if (EVP_Digest(value.data(), value.size(), made.data(), &size, digest, nullptr) != 1) {
    return std::nullopt;
  }
  return tag == AsText(Bytes(made.data(), size));
}

struct TagMaker::State {
  TagAlgorithm algorithm = TagAlgorithm::kCrc32c;
  uint32_t crc = 0;
  SHA_CTX sha1;
  SHA256_CTX sha256;
};

TagMaker::TagMaker() : state_(std::make_unique<State>()) {}
TagMaker::~TagMaker() = default;
TagMaker::TagMaker(TagMaker&&) noexcept = default;
TagMaker& TagMaker::operator=(TagMaker&&) noexcept = default;

void TagMaker::Begin(TagAlgorithm algorithm) {
  state_->algorithm = algorithm;
  state_->crc = 0;
  if (algorithm == TagAlgorithm::kSha1) SHA1_Init(&state_->sha1);
  if (algorithm == TagAlgorithm::kSha2) SHA256_Init(&state_->sha256);
}

void TagMaker::Take(Bytes piece) {
  switch (state_->algorithm) {
    case TagAlgorithm::kSha1:
      SHA1_Update(&state_->sha1, piece.data(), piece.size());
      return;
    case TagAlgorithm::kSha2:
      SHA256_Update(&state_->sha256, piece.data(), piece.size());
      return;
    default:
      state_->crc = Crc32c(state_->crc, piece);
  }
}

Tag TagMaker::Finish() {
  static_assert(SHA_DIGEST_LENGTH == TagSize(TagAlgorithm::kSha1));
  static_assert(SHA256_DIGEST_LENGTH == TagSize(TagAlgorithm::kSha2));
  Tag tag = {.algorithm = state_->algorithm};
  if (tag.algorithm == TagAlgorithm::kSha1) {
    SHA1_Final(tag.bytes.data(), &state_->sha1);
  } else if (tag.algorithm == TagAlgorithm::kSha2) {
    SHA256_Final(tag.bytes.data(), &state_->sha256);
  } else {
    return Crc32cTag(state_->crc);
  }
  return tag;
}

void TagCheck::Begin(const std::optional<KeyValue>& said) {
  said_.reset();
  if (!said.has_value() || !said->tag.has_value() || !said->algorithm.has_value()) return;
  const auto algorithm = static_cast<TagAlgorithm>(*said->algorithm);
  if (TagSize(algorithm) == 0 || said->tag->size() != TagSize(algorithm)) return;
  said_ = Tag{.algorithm = algorithm};
  std::copy(said->tag->begin(), said->tag->end(), said_->bytes.begin());
  maker_.Begin(algorithm);
}

absl::string_view TagCheck::Fault() {
  if (!knows() || maker_.Finish().text() == said_->text()) return "";
  switch (said_->algorithm) {
    case TagAlgorithm::kSha1:
      return "its tag is not the SHA-1 of its bytes";
    case TagAlgorithm::kSha2:
      return "its tag is not the SHA-256 of its bytes";
    default:
      return "its tag is not the CRC32C of its bytes";
  }
}

}  // namespace kbench::kinetic
