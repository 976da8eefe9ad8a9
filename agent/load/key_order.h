// Which key an operation is on. Keys are numbered from 0; which names they have, and so where they
// lie in the server's order, is KeyGenerator's.
//
//   sequential   one after another
//   uniform      all alike
//   zipf         rank r (from 1) in proportion to r^-theta
//   hotspot      some share of the keys gets some share of the operations
//   latest       writes go to one key after another; whatever else is asked for is, by zipf, one of
//                those that were written last. Before the first write these are the ones loaded
//                last
//
// Ranks become key numbers by a fixed permutation, so that what is popular was not loaded together.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/random.h"

namespace kbench {

enum class KeyOrder : uint8_t { kUniform, kSequential, kZipf, kLatest, kHotspot };
absl::StatusOr<KeyOrder> ParseKeyOrder(absl::string_view name);

// Ranks from 0, of a Zipf distribution over n, by rejection-inversion: exact for every n and
// theta > 0, without tables, with 1.1 draws on average or less. Source: Hörmann, Derflinger,
// "Rejection-inversion to generate variates from monotone discrete distributions", TOMACS 6(3),
// 1996.
class ZipfRanks {
 public:
  ZipfRanks(uint64_t n, double theta);
  uint64_t Draw(Random* random) const;

 private:
  double Integral(double x) const;
  double Inverse(double x) const;
  double Density(double x) const;

  double n_;
  double theta_;
  double first_;  // where the inversion begins and ends
  double last_;
  double accept_;  // so near to a rank every draw is accepted
};

// A bijection on [0, n) that puts neighbours far apart.
class Scramble {
 public:
  explicit Scramble(uint64_t n);
  uint64_t operator()(uint64_t rank) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(rank) * step_ % n_);
  }

 private:
  uint64_t n_;
  uint64_t step_;  // without a common divisor with n_
};

// The skewed orders: zipf, latest and hotspot.
class SkewedKeys {
 public:
  struct Options {
    KeyOrder order = KeyOrder::kZipf;
    uint64_t keys = 1;
    double zipf_theta = 0.99;
    double hot_keys = 0.2;
    double hot_requests = 0.8;
    uint64_t seed = 0;
  };

  explicit SkewedKeys(const Options& options);

  // Draws for one operation: to be called for each, so that keys do not depend on the mix. `next`
  // is the key that will be written next in sequence.
  uint64_t Draw(uint64_t next);

 private:
  Options options_;
  uint64_t hot_;  // keys that are hot
  ZipfRanks zipf_;
  Scramble scramble_;
  Random random_;
};

}  // namespace kbench
