// SHA-256, for naming what was run: specs and binaries.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kbench {

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(absl::string_view data);

}  // namespace kbench
