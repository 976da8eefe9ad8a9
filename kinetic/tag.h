// Tags: what a client says of its value so that anybody can check it, with the algorithm that made
// it (keyValue.tag and keyValue.algorithm). A server keeps them and never makes one for a PUT;
// media scans, readers and peers compare them with the value.
//
//   crc32c   4 bytes, big endian   kinetic-java's order, client and simulator
//   sha1    20 bytes
//   sha2    32 bytes               SHA-256, as in kinetic-java; other lengths are other SHA-2s
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "kinetic/types.h"

namespace kbench::kinetic {

// keyValue.algorithm.
enum class TagAlgorithm : int32_t {
  kSha1 = 1,
  kSha2 = 2,
  kSha3 = 3,
  kCrc32c = 4,  // in protocol 3.0.6 and before: CRC32
  kCrc64 = 5,
  kCrc32 = 6,
};

// "sha1", "sha2", "sha3", "crc32c", "crc64", "crc32"; empty for a number that is none of them.
absl::string_view TagName(TagAlgorithm algorithm);
absl::StatusOr<TagAlgorithm> ParseTagAlgorithm(absl::string_view name);

// Of the tags that are made here; 0: this algorithm's are not.
constexpr size_t TagSize(TagAlgorithm algorithm) {
  return algorithm == TagAlgorithm::kCrc32c ? 4
         : algorithm == TagAlgorithm::kSha1 ? 20
         : algorithm == TagAlgorithm::kSha2 ? 32
                                            : 0;
}
inline constexpr size_t kLargestTag = 32;

struct Tag {
  TagAlgorithm algorithm = TagAlgorithm::kCrc32c;
  std::array<uint8_t, kLargestTag> bytes = {};
  Text text() const { return AsText(Bytes(bytes.data(), TagSize(algorithm))); }
};
Tag Crc32cTag(uint32_t crc);
// Precondition: TagSize(algorithm) > 0.
Tag MakeTag(TagAlgorithm algorithm, Bytes value);

// Whether `tag` is what the algorithm makes of `value`; the tag's length tells which member of a
// family was used. Nothing when that is not known here: it is empty or of another length, CRC32
// (clients disagree on its bytes), CRC64 (there are several), SHA-3 of less usual lengths, or a
// private algorithm.
std::optional<bool> TagAgrees(int32_t algorithm, Text tag, Bytes value);

// Makes the tag of a value that comes in pieces. Allocates nothing after its construction.
class TagMaker {
 public:
  TagMaker();
  ~TagMaker();
  TagMaker(TagMaker&&) noexcept;
  TagMaker& operator=(TagMaker&&) noexcept;

  // Precondition: TagSize(algorithm) > 0.
  void Begin(TagAlgorithm algorithm);
  void Take(Bytes piece);
  Tag Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Compares a value, as it comes, with the tag that was said to be its own. Knows the tags that are
// made here.
class TagCheck {
 public:
  // `said`: of the answer that carries the value. Nothing of it is referred to.
  void Begin(const std::optional<KeyValue>& said);
  void Take(Bytes piece) {
    if (knows()) maker_.Take(piece);
  }
  // False without a tag, or with one that is not made here: there is nothing to compare.
  bool knows() const { return said_.has_value(); }
  // Of all that was taken: what is wrong with the tag, a sentence without an end; empty when it
  // agrees or is not known. To be asked once after a Begin().
  absl::string_view Fault();

 private:
  std::optional<Tag> said_;
  TagMaker maker_;
};

}  // namespace kbench::kinetic
