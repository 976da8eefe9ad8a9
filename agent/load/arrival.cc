#include "agent/load/arrival.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

// In the order of ArrivalKind.
constexpr absl::string_view kNames[] = {"constant", "poisson", "bursts", "ramp", "steps"};

bool IsSequence(ArrivalKind kind) {
  return kind != ArrivalKind::kConstant && kind != ArrivalKind::kPoisson;
}

// Requests that are due in a stretch.
double CountIn(const RateStretch& stretch) {
  return (stretch.from + stretch.to) / 2 * stretch.length.seconds();
}

// When, within a stretch, `count` requests have been due: from t + slope/2 t^2 = count, solved in
// the form that loses no digits where the slope is small, or zero.
double SecondsUntil(const RateStretch& stretch, double count) {
  const double slope = (stretch.to - stretch.from) / stretch.length.seconds();
  const double root = std::sqrt(std::max(0.0, stretch.from * stretch.from + 2 * slope * count));
  return 2 * count / (stretch.from + root);
}

}  // namespace

absl::StatusOr<ArrivalKind> ParseArrivalKind(absl::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<ArrivalKind>(i);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no arrival process; there are constant, poisson, bursts, ramp and steps"));
}

absl::string_view Name(ArrivalKind kind) { return kNames[static_cast<size_t>(kind)]; }

double OpenLoop::peak() const {
  double most = rate;
  for (const RateStretch& stretch : stretches) most = std::max({most, stretch.from, stretch.to});
  return most;
}

Arrival::Options Arrival::StreamOf(const OpenLoop& open, const Place& place, uint64_t seed,
                                   MonoTime start, Nanos warmup) {
  Options options{.kind = open.arrival, .seed = seed, .start = start};
  if (!IsSequence(open.arrival)) {
    options.rate = open.rate / place.flows;
    options.phase = (place.flow + static_cast<double>(place.agent) / place.agents) / place.flows;
    return options;
  }
  options.rate = open.rate * place.agents;
  options.burst = open.burst;
  options.first = uint64_t{place.flow} * place.agents + place.agent;
  options.stride = uint64_t{place.flows} * place.agents;
  if (open.stretches.empty()) return options;
  const double first = open.stretches.front().from;
  if (warmup > Nanos()) options.stretches.push_back({first, first, warmup});
  for (const RateStretch& stretch : open.stretches) options.stretches.push_back(stretch);
  for (RateStretch& stretch : options.stretches) {
    stretch.from *= place.agents;
    stretch.to *= place.agents;
  }
  return options;
}

Arrival::Arrival(const Options& options)
    : options_(options), period_ns_(1e9 / options.rate), random_(options.seed) {
  if (IsSequence(options_.kind)) {
    count_ = options_.first;
    next_ = InSequence();
    return;
  }
  if (options_.kind == ArrivalKind::kPoisson) elapsed_ns_ = random_.Exponential(period_ns_);
  next_ = At(options_.kind == ArrivalKind::kPoisson ? elapsed_ns_ : options_.phase * period_ns_);
}

void Arrival::Advance() {
  if (IsSequence(options_.kind)) {
    count_ += options_.stride;
    next_ = InSequence();
    return;
  }
  ++count_;
  if (options_.kind == ArrivalKind::kPoisson) {
    next_ = At(elapsed_ns_ += random_.Exponential(period_ns_));
  } else {
    // From the count, not from the last instant: rounding does not add up to drift.
    next_ = At((static_cast<double>(count_) + options_.phase) * period_ns_);
  }
}

MonoTime Arrival::InSequence() {
  if (options_.kind == ArrivalKind::kBursts) {
    return At(static_cast<double>(count_ - count_ % options_.burst) * period_ns_);
  }
  const auto number = static_cast<double>(count_);
  while (stretch_ < options_.stretches.size()) {
    const RateStretch& stretch = options_.stretches[stretch_];
    const double inside = CountIn(stretch);
    if (number < before_ + inside) {
      return At(before_ns_ + SecondsUntil(stretch, number - before_) * 1e9);
    }
    before_ += inside;
    before_ns_ += static_cast<double>(stretch.length.count());
    ++stretch_;
  }
  return At(before_ns_ + (number - before_) / options_.stretches.back().to * 1e9);
}

}  // namespace kbench
