// The service time that this server is told to have: an instrument with a known answer.
// Specs: base/service_spec.h. The time comes on top of what the server needs by itself.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/service_spec.h"
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
  static constexpr size_t kOps = 33;  // by request number, up to FLUSHALLDATA

  double Draw(const ServiceDistribution& distribution);

  bool enabled_ = false;
  std::array<ServiceDistribution, kOps> by_op_ = {};
  Random random_{0};
};

}  // namespace kbench::server
