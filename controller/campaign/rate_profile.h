// The rate of an open loop as a campaign writes it: one rate, or how it changes over the window.
//
//   5k/s                                   the same all the time
//   1k/s to 10k/s                          a ramp
//   1k/s then 2k/s then 4k/s               steps of equal length
//   1k/s for 2s then 4k/s for 1s           steps; together as long as run.duration
//   1k/s for 20% then 4k/s for 80%         steps, as shares of run.duration
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace kbench {

struct RatePart {
  double from = 0;  // 1/s
  double to = 0;
  Nanos length;      // 0: not given
  double share = 0;  // of the window; 0: not given
};

class RateProfile {
 public:
  RateProfile() = default;
  static absl::StatusOr<RateProfile> Parse(absl::string_view text);

  bool given() const { return !parts_.empty(); }
  bool is_ramp() const { return parts_.size() == 1 && parts_[0].from != parts_[0].to; }
  bool is_steps() const { return parts_.size() > 1; }
  // Of a rate that does not change.
  double rate() const { return parts_.empty() ? 0 : parts_[0].from; }

  // What is wrong with it over a window of this length; empty: nothing.
  std::string FaultOver(Nanos window) const;
  // Every part with its length; together they are the window.
  std::vector<RatePart> Over(Nanos window) const;
  double MeanOver(Nanos window) const;

  std::string ToString() const;

 private:
  std::vector<RatePart> parts_;
};

}  // namespace kbench
