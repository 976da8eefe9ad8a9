// {name} in words of a command, replaced by what it stands for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench {

// What the arguments of an external client may hold (docs/formats.md, "Client programs").
inline constexpr const char* kClientPlaceholders[] = {
    "host",       "port",     "address",      "identity", "key_file", "op",
    "value_size", "key_size", "keys",         "flows",    "depth",    "seed",
    "agent",      "agents",   "milliseconds", "seconds",  "directory"};

using Words = std::vector<std::pair<std::string, std::string>>;  // name -> value

// Each {name} replaced; "{{" and "}}" are braces. InvalidArgument names a placeholder that there is
// not, and those that there are.
absl::StatusOr<std::vector<std::string>> FillIn(const std::vector<std::string>& arguments,
                                                const Words& words);

}  // namespace kbench
