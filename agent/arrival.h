// When requests are due in an open loop. The instants are made from the rate and a seed alone: they
// do not depend on when, or whether, anything was answered.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/random.h"

namespace kbench {

enum class ArrivalKind : uint8_t { kConstant, kPoisson };
absl::StatusOr<ArrivalKind> ParseArrivalKind(absl::string_view name);
absl::string_view Name(ArrivalKind kind);

class Arrival {
 public:
  struct Options {
    ArrivalKind kind = ArrivalKind::kConstant;
    double rate = 1;    // of this stream, 1/s
    double phase = 0;   // constant: the first instant, in periods after `start`; in [0, 1)
    uint64_t seed = 0;  // poisson
    MonoTime start = {};
  };

  explicit Arrival(const Options& options);

  // The instant that is due next.
  MonoTime next() const { return next_; }
  void Advance();

 private:
  MonoTime At(double ns) const { return options_.start + Nanos(static_cast<int64_t>(ns)); }

  Options options_;
  double period_ns_;
  Random random_;
  uint64_t count_ = 0;
  double elapsed_ns_ = 0;  // poisson; exact to 1 ns for 104 days
  MonoTime next_;
};

}  // namespace kbench
