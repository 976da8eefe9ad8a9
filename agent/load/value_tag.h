// The tags of puts. A value's label holds the number of its write, so that no two writes of a key
// have the same tag, and none can be made before its request is:
//   crc32c        the label's checksum joined to the one that was made of the body before the run:
//                 some tens of nanoseconds, whatever the size
//   sha1, sha2    of all bytes, each time: label first, so that nothing of the body can be
//   prepared.
//                 What that takes is part of encoding the request
#pragma once

#include <cstdint>
#include <optional>

#include "agent/load/workload.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "kinetic/tag.h"

namespace kbench {

// Of one flow: allocates nothing after its construction.
class ValueTagger {
 public:
  // Precondition: TagSize(algorithm) > 0. `values` outlives the tagger.
  ValueTagger(kinetic::TagAlgorithm algorithm, const ValuePool* values)
      : algorithm_(algorithm), values_(values) {}

  // Of the value with this word and this label (empty: its size is that of one without).
  kinetic::Tag Make(uint64_t word, Bytes label);

 private:
  kinetic::TagAlgorithm algorithm_;
  const ValuePool* values_;
  kinetic::TagMaker maker_;
};

// False: what it takes grows with the value, and falls into every request.
constexpr bool IsPrepared(kinetic::TagAlgorithm algorithm) {
  return algorithm == kinetic::TagAlgorithm::kCrc32c;
}

// What one tag takes on this host now, on average over keys: the least of a few tries.
Nanos TagCost(kinetic::TagAlgorithm algorithm, const ValuePool& values);

}  // namespace kbench
