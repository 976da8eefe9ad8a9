// Tags: what a client says of its value so that anybody can check it. A server keeps tags and never
// computes them for a PUT; a media scan compares those that are digests.
#pragma once

#include <cstdint>
#include <optional>

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

// Whether `tag` is the digest of `value` that the algorithm makes; the tag's length tells which
// member of a family was used. Nothing when it is no digest: empty, of another length, a checksum
// (clients disagree on the order of its bytes), or a private algorithm.
std::optional<bool> TagAgrees(int32_t algorithm, Text tag, Bytes value);

}  // namespace kbench::kinetic
