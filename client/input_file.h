// Files that a person names on a command line: a whole input, and a secret (an HMAC key, a PIN).
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace kbench::client {

// All that is in the file; "-" is stdin, which is read to its end. InvalidArgument, with the
// reason: it cannot be read. An empty file is an empty string.
absl::StatusOr<std::string> ReadInput(const std::string& path);

// An input without its last newline, which an editor put there. Without a path the secret is empty.
absl::StatusOr<std::string> ReadSecret(const std::string& path);

}  // namespace kbench::client
