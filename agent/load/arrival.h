// When requests are due in an open loop. The instants are made from the rates and a seed alone:
// they do not depend on when, or whether, anything was answered.
//
//   constant   evenly
//   poisson    a stream of its own for every flow
//   bursts     `burst` requests of the whole run at one instant, bursts evenly
//   ramp       the rate goes evenly from one value to another over the window
//   steps      the rate has one value after another
//
// Bursts, ramps and steps are one sequence for the whole run: request number g of all agents and
// flows together is due when the integral of the rate reaches g. Flow f of F on agent a of A takes
// the numbers f A + a, then every F A-th: so agents and flows interleave as if they were one, and
// an instant is a function of its number alone. Before the window the first rate holds, behind it
// the last.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/random.h"

namespace kbench {

enum class ArrivalKind : uint8_t { kConstant, kPoisson, kBursts, kRamp, kSteps };
absl::StatusOr<ArrivalKind> ParseArrivalKind(absl::string_view name);
absl::string_view Name(ArrivalKind kind);

// A part of the window in which the rate goes evenly from one value to another.
struct RateStretch {
  double from = 1;  // 1/s
  double to = 1;
  Nanos length;
};

struct OpenLoop {
  ArrivalKind arrival = ArrivalKind::kConstant;
  double rate = 1;  // requests per second of this agent, all flows together; the mean of a window
  uint32_t burst = 1;  // of kBursts: requests at one instant, of all agents together
  std::vector<RateStretch> stretches =
      {};  // of kRamp and kSteps: this agent's rates over the window

  double peak() const;  // the highest rate
};

class Arrival {
 public:
  struct Options {
    ArrivalKind kind = ArrivalKind::kConstant;
    double rate = 1;    // of this stream, 1/s; of kBursts: of the whole run
    double phase = 0;   // constant: the first instant, in periods after `start`; in [0, 1)
    uint64_t seed = 0;  // poisson
    MonoTime start = {};
    // Of kBursts, kRamp and kSteps: which numbers of the run's sequence are this stream's.
    uint64_t first = 0;
    uint64_t stride = 1;
    uint32_t burst = 1;
    std::vector<RateStretch> stretches = {};  // of the whole run, from `start` on
  };

  // Which of the run's streams one is.
  struct Place {
    uint32_t flow = 0;
    uint32_t flows = 1;  // of each agent
    uint32_t agent = 0;
    uint32_t agents = 1;
  };
  static Options StreamOf(const OpenLoop& open, const Place& place, uint64_t seed, MonoTime start,
                          Nanos warmup);

  explicit Arrival(const Options& options);

  // The instant that is due next.
  MonoTime next() const { return next_; }
  void Advance();

 private:
  MonoTime At(double ns) const { return options_.start + Nanos(static_cast<int64_t>(ns)); }
  MonoTime InSequence();

  Options options_;
  double period_ns_;
  Random random_;
  uint64_t count_ = 0;     // of this stream; of a sequence: the number in it
  double elapsed_ns_ = 0;  // poisson; exact to 1 ns for 104 days
  size_t stretch_ = 0;     // that `count_` lies in
  double before_ = 0;      // requests due before it
  double before_ns_ = 0;   // its begin
  MonoTime next_;
};

}  // namespace kbench
