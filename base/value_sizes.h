// How long values are: one length, or a distribution of lengths over keys. A key has one length, a
// function of its 64-bit word, so that whoever knows the key knows how long its value must be.
//
//   4KiB                                              all alike
//   1KiB=0.9,64KiB=0.1                                by weight
//   uniform least 1KiB most 64KiB
//   lognormal median 4KiB sigma 1.2 most 1MiB         cut off at `most` (and `least`, if given)
//   pareto least 1KiB alpha 1.1 most 1MiB             bounded
//
// The last three are 1024 equally likely lengths: the distribution's quantiles at (i + 0.5) / 1024.
// Mean and extremes are those of these lengths, exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench {

class ValueSizes {
 public:
  static constexpr size_t kQuantiles = 1024;
  static constexpr size_t kMostWeights = 64;
  static constexpr int64_t kLargest = 1 << 20;

  static ValueSizes Fixed(uint32_t bytes);
  static absl::StatusOr<ValueSizes> Parse(absl::string_view text);

  // Of the value of the key with this word.
  uint32_t Of(uint64_t word) const { return sizes_[IndexOf(word)]; }
  // Into sizes().
  size_t IndexOf(uint64_t word) const;

  const std::vector<uint32_t>& sizes() const { return sizes_; }  // ascending, each once
  bool fixed() const { return sizes_.size() == 1; }
  uint32_t smallest() const { return sizes_.front(); }
  uint32_t largest() const { return sizes_.back(); }
  double mean() const;  // over keys

  // Parse() takes it.
  const std::string& ToString() const { return text_; }

 private:
  struct Weight {
    uint32_t size = 0;
    double weight = 0;
  };
  ValueSizes(std::string text, std::vector<Weight> weights);
  static absl::StatusOr<ValueSizes> ByWeight(absl::string_view text);
  static absl::StatusOr<ValueSizes> ByQuantiles(absl::string_view text);

  std::string text_;
  std::vector<uint32_t> sizes_;
  std::vector<double> upto_;  // cumulative shares, beside sizes_; the last one is 1
};

}  // namespace kbench
