#include "server/service_time.h"

#include <cmath>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench::server {
namespace {

using kinetic::MessageType;

constexpr Nanos kLongest = Seconds(10);
constexpr double kLargestSigma = 2;

struct OpName {
  absl::string_view name;
  MessageType type;
};
constexpr OpName kOpNames[] = {
    {"get", MessageType::kGet},
    {"put", MessageType::kPut},
    {"delete", MessageType::kDelete},
    {"getnext", MessageType::kGetNext},
    {"getprevious", MessageType::kGetPrevious},
    {"getkeyrange", MessageType::kGetKeyRange},
    {"getversion", MessageType::kGetVersion},
    {"noop", MessageType::kNoop},
    {"flushalldata", MessageType::kFlushAllData},
    {"getlog", MessageType::kGetLog},
};

std::optional<MessageType> OpByName(absl::string_view name) {
  for (const OpName& op : kOpNames) {
    if (op.name == name) return op.type;
  }
  return std::nullopt;
}

std::string KnownOps() {
  std::string names = "all";
  for (const OpName& op : kOpNames) absl::StrAppend(&names, ", ", op.name);
  return names;
}

absl::StatusOr<double> ParseNs(absl::string_view text) {
  ASSIGN_OR_RETURN(const Nanos d, ParseDuration(text));
  if (d < Nanos(0) || d > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not between 0 and ", FormatDuration(kLongest)));
  }
  return static_cast<double>(d.count());
}

}  // namespace

absl::StatusOr<ServiceModel> ParseServiceModel(absl::string_view text) {
  if (text == "sleep") return ServiceModel::kSleep;
  if (text == "busy") return ServiceModel::kBusy;
  return absl::InvalidArgumentError(
      absl::StrCat("service model \"", text, "\" is neither sleep nor busy"));
}

absl::StatusOr<ServiceTime::Distribution> ServiceTime::ParseTime(absl::string_view text) {
  Distribution distribution;
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

absl::StatusOr<ServiceTime> ServiceTime::Parse(absl::string_view spec, uint64_t seed) {
  ServiceTime service;
  service.random_ = Random(seed);
  if (spec.empty()) return service;
  std::optional<Distribution> all;
  std::array<std::optional<Distribution>, kOps> own;
  for (absl::string_view rule : absl::StrSplit(spec, ',')) {
    const std::string where = absl::StrCat("service time rule \"", rule, "\"");
    rule = absl::StripAsciiWhitespace(rule);
    absl::string_view op = "all";
    absl::string_view time = rule;
    if (const size_t equals = rule.find('='); equals != absl::string_view::npos) {
      op = rule.substr(0, equals);
      time = rule.substr(equals + 1);
    }
    const std::optional<MessageType> type = OpByName(op);
    if (!type.has_value() && op != "all") {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": there is no op \"", op, "\"; known are ", KnownOps()));
    }
    std::optional<Distribution>& slot = type.has_value() ? own[static_cast<size_t>(*type)] : all;
    if (slot.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": \"", op, "\" has a rule already"));
    }
    absl::StatusOr<Distribution> distribution = ParseTime(time);
    if (!distribution.ok()) return Annotate(distribution.status(), where);
    slot = *distribution;
  }
  for (const OpName& op : kOpNames) {
    const size_t index = static_cast<size_t>(op.type);
    service.by_op_[index] = own[index].value_or(all.value_or(Distribution()));
  }
  service.enabled_ = true;
  return service;
}

double ServiceTime::Draw(const Distribution& distribution) {
  switch (distribution.shape) {
    case Shape::kFixed:
      break;
    case Shape::kExponential:
      return random_.Exponential(distribution.first_ns);
    case Shape::kUniform:
      return distribution.first_ns +
             (distribution.second - distribution.first_ns) * random_.Uniform();
    case Shape::kLognormal: {
      // Box and Muller's transform, one of the pair.
      const double radius = std::sqrt(-2 * std::log1p(-random_.Uniform()));
      const double normal = radius * std::cos(2 * std::numbers::pi * random_.Uniform());
      return distribution.first_ns * std::exp(distribution.second * normal);
    }
  }
  return distribution.first_ns;
}

Nanos ServiceTime::Sample(MessageType request) {
  const auto index = static_cast<size_t>(request);
  if (!enabled_ || index >= kOps) return Nanos(0);
  return Nanos(std::llround(Draw(by_op_[index])));
}

}  // namespace kbench::server
