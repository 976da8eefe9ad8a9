// The language in which a server is told what its service time shall be. The reference server
// draws from it; the controller checks it before anything is started.
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
// have units and are at most 10s.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench {

struct ServiceDistribution {
  enum class Shape { kFixed, kExponential, kUniform, kLognormal };
  Shape shape = Shape::kFixed;
  double first_ns = 0;  // the fixed time, the mean, the low end or the median
  double second = 0;    // the high end in ns, or sigma
};

// By op, "all" for the rest. An empty spec has no rules.
using ServiceSpec = std::map<std::string, ServiceDistribution>;

// InvalidArgument names the rule and what is wrong with it.
absl::StatusOr<ServiceSpec> ParseServiceSpec(absl::string_view text);

}  // namespace kbench
