// Hexadecimal digits as the vectors write bytes.
#pragma once

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace kbench::kinetic {

inline std::string FromHex(absl::string_view digits) { return absl::HexStringToBytes(digits); }
inline std::string ToHex(absl::string_view bytes) { return absl::BytesToHexString(bytes); }

}  // namespace kbench::kinetic
