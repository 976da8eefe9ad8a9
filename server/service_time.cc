#include "server/service_time.h"

#include <cmath>
#include <numbers>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench::server {
namespace {

using kinetic::MessageType;
using Shape = ServiceDistribution::Shape;

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

}  // namespace

absl::StatusOr<ServiceModel> ParseServiceModel(absl::string_view text) {
  if (text == "sleep") return ServiceModel::kSleep;
  if (text == "busy") return ServiceModel::kBusy;
  return absl::InvalidArgumentError(
      absl::StrCat("service model \"", text, "\" is neither sleep nor busy"));
}

absl::StatusOr<ServiceTime> ServiceTime::Parse(absl::string_view spec, uint64_t seed) {
  ServiceTime service;
  service.random_ = Random(seed);
  ASSIGN_OR_RETURN(const ServiceSpec rules, ParseServiceSpec(spec));
  const auto all = rules.find("all");
  for (const OpName& op : kOpNames) {
    const auto own = rules.find(std::string(op.name));
    const auto rule = own != rules.end() ? own : all;
    if (rule != rules.end()) service.by_op_[static_cast<size_t>(op.type)] = rule->second;
  }
  service.enabled_ = !rules.empty();
  return service;
}

double ServiceTime::Draw(const ServiceDistribution& distribution) {
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
