#include "agent/arrival.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace kbench {

absl::StatusOr<ArrivalKind> ParseArrivalKind(absl::string_view name) {
  if (name == "constant") return ArrivalKind::kConstant;
  if (name == "poisson") return ArrivalKind::kPoisson;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no arrival process; there are constant and poisson"));
}

absl::string_view Name(ArrivalKind kind) {
  return kind == ArrivalKind::kConstant ? "constant" : "poisson";
}

Arrival::Arrival(const Options& options)
    : options_(options), period_ns_(1e9 / options.rate), random_(options.seed) {
  if (options_.kind == ArrivalKind::kPoisson) elapsed_ns_ = random_.Exponential(period_ns_);
  next_ = At(options_.kind == ArrivalKind::kPoisson ? elapsed_ns_ : options_.phase * period_ns_);
}

void Arrival::Advance() {
  ++count_;
  if (options_.kind == ArrivalKind::kPoisson) {
    next_ = At(elapsed_ns_ += random_.Exponential(period_ns_));
  } else {
    // From the count, not from the last instant: rounding does not add up to drift.
    next_ = At((static_cast<double>(count_) + options_.phase) * period_ns_);
  }
}

}  // namespace kbench
