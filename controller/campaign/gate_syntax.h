// The words of a gate:
//
//   gate    = value compare bound            "p99(get) < 2ms"
//   value   = "p" NUMBER [ "(" op ")" ]      response time; "service_p" NUMBER: service time
//           | ("mean" | "max") [ "(" op ")" ]
//           | ("errors" | "unsent") [ "(" op ")" ]      bound in %
//           | "achieved/offered"                        bound like 0.99 or 99%
//           | "rate" [ "(" op ")" ]                     bound like 5k/s
//   compare = "<" | "<=" | ">" | ">="
//
// Without an operation, of all together. docs/measurement.md ("Gates") says what each means.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analysis/evidence/gate.h"

namespace kbench {

// InvalidArgument says what is wrong with it and, where there is one, the nearest right word.
absl::StatusOr<analysis::Gate> ParseGate(absl::string_view text);

}  // namespace kbench
