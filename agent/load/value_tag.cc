#include "agent/load/value_tag.h"

#include <algorithm>
#include <array>

#include "base/random.h"

namespace kbench {

kinetic::Tag ValueTagger::Make(uint64_t word, Bytes label) {
  if (algorithm_ == kinetic::TagAlgorithm::kCrc32c) {
    return kinetic::Crc32cTag(values_->Crc32cOf(word, label));
  }
  maker_.Begin(algorithm_);
  maker_.Take(label);
  maker_.Take(values_->BodyOf(word));
  return maker_.Finish();
}

Nanos TagCost(kinetic::TagAlgorithm algorithm, const ValuePool& values) {
  constexpr int kTries = 3;
  constexpr uint64_t kTags = 8;
  ValueTagger tagger(algorithm, &values);
  Nanos least = Nanos(INT64_MAX);
  for (int i = 0; i < kTries; ++i) {
    const MonoTime start = MonoNow();
    for (uint64_t number = 0; number < kTags; ++number) {
      const uint64_t word = Mix64(number);
      std::array<uint8_t, kValueLabelSize> label = {};
      const bool labelled = ValuePool::labelled(values.SizeOf(word));
      tagger.Make(word, labelled ? Bytes(label) : Bytes());
    }
    least = std::min(least, MonoNow() - start);
  }
  return Nanos(least.count() / static_cast<int64_t>(kTags));
}

}  // namespace kbench
