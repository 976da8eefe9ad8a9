#include "client/conform/dialect.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/conform/answer_text.h"

namespace kbench::conform {

absl::string_view Name(Dialect dialect) {
  switch (dialect) {
    case Dialect::kKbench:
      return "kbench";
    case Dialect::kSpec:
      return "spec";
    case Dialect::kSimulator:
      return "simulator";
    case Dialect::kKineticd:
      return "kineticd";
  }
  return "";
}

std::optional<Dialect> ParseDialect(absl::string_view name) {
  for (const Dialect dialect : kDialects) {
    if (Name(dialect) == name) return dialect;
  }
  return std::nullopt;
}

std::optional<Dialect> Recognise(const kinetic::GetLog::Configuration& configuration,
                                 std::string* seen) {
  const std::string vendor(configuration.vendor.value_or("")),
      model(configuration.model.value_or(""));
  *seen = absl::StrCat("vendor '", Printable(vendor), "', model '", Printable(model), "'");
  if (vendor == "kbench") {
    for (const Dialect dialect : kDialects) {
      if (absl::EndsWith(model, absl::StrCat("dialect ", Name(dialect)))) return dialect;
    }
    return Dialect::kKbench;
  }
  if (vendor == "Seagate") {
    return absl::StrContains(model, "Simulator") ? Dialect::kSimulator : Dialect::kKineticd;
  }
  return std::nullopt;
}

}  // namespace kbench::conform
