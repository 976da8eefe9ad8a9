// The service time that this server is told to have: an instrument with a known answer.
//
//   spec := rule { "," rule }
//   rule := [ op "=" ] time                  without an op: all
//   op   := "all" | "get" | "put" | "delete" | "getnext" | "getprevious" | "getkeyrange"
//         | "getversion" | "noop" | "flushalldata" | "getlog"
//   time := DURATION                         always exactly this
//         | "exp:" MEAN                      exponential
//         | "uniform:" LOW ".." HIGH         uniform
//         | "lognormal:" MEDIAN ":" SIGMA    exp(N(ln MEDIAN, SIGMA)), SIGMA from 0 to 2
//
// A rule for one op goes before a rule for all, wherever it stands: "all=1ms,get=500us". Durations
// have units and are at most 10s. The time comes on top of what the server needs by itself.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/random.h"
#include "kinetic/types.h"

namespace kbench::server {

// How a service time passes. kSleep: the answer is held until it is due, and other requests are
// served meanwhile, as by a device with unlimited parallelism. kBusy: the server's only thread
// burns that long, one request after another.
enum class ServiceModel { kSleep, kBusy };

absl::StatusOr<ServiceModel> ParseServiceModel(absl::string_view text);

class ServiceTime {
 public:
  ServiceTime() = default;  // no service time at all

  // Two objects with the same spec and seed give the same sequence of samples.
  static absl::StatusOr<ServiceTime> Parse(absl::string_view spec, uint64_t seed);

  bool enabled() const { return enabled_; }
  // Zero for an op without a rule.
  Nanos Sample(kinetic::MessageType request);

 private:
  enum class Shape { kFixed, kExponential, kUniform, kLognormal };
  struct Distribution {
    Shape shape = Shape::kFixed;
    double first_ns = 0;  // the fixed time, the mean, the low end or the median
    double second = 0;    // the high end in ns, or sigma
  };
  static constexpr size_t kOps = 33;  // by request number, up to FLUSHALLDATA

  static absl::StatusOr<Distribution> ParseTime(absl::string_view text);
  double Draw(const Distribution& distribution);

  bool enabled_ = false;
  std::array<Distribution, kOps> by_op_ = {};
  Random random_{0};
};

}  // namespace kbench::server
