// A device's log, for a person and for a program.
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>

#include "kinetic/types.h"

namespace kbench::client {

// A fact a line: its name, its value.
void ShowLog(const kinetic::GetLog& log, std::ostream* out);
// An object that holds what the server told; what it did not tell is left out. A limit that is
// unlimited is null.
nlohmann::ordered_json LogJson(const kinetic::GetLog& log);

}  // namespace kbench::client
