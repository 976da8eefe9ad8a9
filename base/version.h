// What this build is. Every result names it, and agent and controller compare it.
#pragma once

#include "absl/strings/string_view.h"

namespace kbench {

// Control protocol between controller and agent. Another major is refused, naming both.
inline constexpr uint32_t kControlProtocolMajor = 1;
inline constexpr uint32_t kControlProtocolMinor = 3;

absl::string_view ReleaseVersion();  // "0.1.0"
absl::string_view BuildId();         // git commit, compiler and build type
absl::string_view BuildDate();       // of that commit, ISO 8601

}  // namespace kbench
