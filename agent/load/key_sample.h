// Which of an agent's keys are looked at to tell whether all of them are there: evenly spread over
// the keys' numbers, the first and the last among them, always the same.
//
// A load writes them last, when all others have been answered. So a load that was cut short leaves
// none of them as it would have written them, and whoever finds all of them knows that a load of
// this data set came to its end.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kbench {

class KeySample {
 public:
  static constexpr uint64_t kMost = 64;
  static constexpr uint64_t kLeast = 8;                  // of large values
  static constexpr uint64_t kBytes = uint64_t{8} << 20;  // of values that a look reads, about

  KeySample(uint64_t keys, uint32_t largest_value)
      : keys_(keys),
        size_(std::min(keys,
                       std::clamp(kBytes / std::max<uint64_t>(largest_value, 1), kLeast, kMost))) {}

  uint64_t size() const { return size_; }
  // Number of the i-th key; ascending.
  uint64_t Key(uint64_t i) const {
    if (size_ < 2) return 0;
    return static_cast<uint64_t>(static_cast<unsigned __int128>(keys_ - 1) * i / (size_ - 1));
  }
  // How many of the sample's keys have numbers below `key`: also the index of the first that has
  // not.
  uint64_t Below(uint64_t key) const {
    uint64_t low = 0, high = size_;
    while (low < high) {
      const uint64_t middle = (low + high) / 2;
      if (Key(middle) < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  uint64_t keys_;
  uint64_t size_;
};

}  // namespace kbench
