// The dialects of Kinetic that conformance is told of: how known servers answer where they differ.
// docs/protocol.md has the table of what each does, and why.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "kinetic/types.h"

namespace kbench::conform {

enum class Dialect { kKbench, kSpec, kSimulator, kKineticd };
inline constexpr std::array<Dialect, 4> kDialects = {Dialect::kKbench, Dialect::kSpec,
                                                     Dialect::kSimulator, Dialect::kKineticd};

absl::string_view Name(Dialect dialect);
// Of a name that is one of the above.
std::optional<Dialect> ParseDialect(absl::string_view name);

// The dialect of a server by what its greeting says of its maker; nothing when that is none of
// those known. `seen` is what it said.
std::optional<Dialect> Recognise(const kinetic::GetLog::Configuration& configuration,
                                 std::string* seen);

}  // namespace kbench::conform
