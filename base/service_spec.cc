#include "base/service_spec.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

using Shape = ServiceDistribution::Shape;

constexpr Nanos kLongest = Seconds(10);
constexpr double kLargestSigma = 2;
constexpr absl::string_view kOps[] = {"all",     "get",          "put",         "delete",
                                      "getnext", "getprevious",  "getkeyrange", "getversion",
                                      "noop",    "flushalldata", "getlog"};

absl::StatusOr<double> ParseNs(absl::string_view text) {
  ASSIGN_OR_RETURN(const Nanos d, ParseDuration(text));
  if (d < Nanos(0) || d > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not between 0 and ", FormatDuration(kLongest)));
  }
  return static_cast<double>(d.count());
}

absl::StatusOr<ServiceDistribution> ParseTime(absl::string_view text) {
  ServiceDistribution distribution;
  if (absl::ConsumePrefix(&text, "exp:")) {
    distribution.shape = Shape::kExponential;
    ASSIGN_OR_RETURN(distribution.first_ns, ParseNs(text));
    return distribution;
  }
  if (absl::ConsumePrefix(&text, "uniform:")) {
    const size_t dots = text.find("..");
    if (dots == absl::string_view::npos) {
      return absl::InvalidArgumentError("uniform needs LOW..HIGH, as in uniform:100us..300us");
    }
    distribution.shape = Shape::kUniform;
    ASSIGN_OR_RETURN(distribution.first_ns, ParseNs(text.substr(0, dots)));
    ASSIGN_OR_RETURN(distribution.second, ParseNs(text.substr(dots + 2)));
    if (distribution.second < distribution.first_ns) {
      return absl::InvalidArgumentError("uniform's low end is above its high end");
    }
    return distribution;
  }
  if (absl::ConsumePrefix(&text, "lognormal:")) {
    const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
    if (parts.size() != 2) {
      return absl::InvalidArgumentError("lognormal needs MEDIAN:SIGMA, as in lognormal:200us:0.5");
    }
    distribution.shape = Shape::kLognormal;
    ASSIGN_OR_RETURN(distribution.first_ns, ParseNs(parts[0]));
    // Written so that NaN, which compares as neither, is refused too.
    if (!absl::SimpleAtod(parts[1], &distribution.second) ||
        !(distribution.second >= 0 && distribution.second <= kLargestSigma)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "lognormal's sigma \"", parts[1], "\" is no number between 0 and ", kLargestSigma));
    }
    return distribution;
  }
  ASSIGN_OR_RETURN(distribution.first_ns, ParseNs(text));
  return distribution;
}

}  // namespace

absl::StatusOr<ServiceSpec> ParseServiceSpec(absl::string_view text) {
  ServiceSpec spec;
  if (text.empty()) return spec;
  for (absl::string_view rule : absl::StrSplit(text, ',')) {
    const std::string where = absl::StrCat("service time rule \"", rule, "\"");
    rule = absl::StripAsciiWhitespace(rule);
    absl::string_view op = "all";
    absl::string_view time = rule;
    if (const size_t equals = rule.find('='); equals != absl::string_view::npos) {
      op = rule.substr(0, equals);
      time = rule.substr(equals + 1);
    }
    if (std::find(std::begin(kOps), std::end(kOps), op) == std::end(kOps)) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": there is no op \"", op,
                                                     "\"; known are ", absl::StrJoin(kOps, ", ")));
    }
    if (spec.contains(std::string(op))) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": \"", op, "\" has a rule already"));
    }
    absl::StatusOr<ServiceDistribution> distribution = ParseTime(time);
    if (!distribution.ok()) return Annotate(distribution.status(), where);
    spec.emplace(op, *distribution);
  }
  return spec;
}

}  // namespace kbench
