// What an external client is told: the values of the {placeholders} in its arguments, and its
// environment.
#pragma once

#include <string>
#include <vector>

#include "agent/load/run_spec.h"
#include "base/address.h"
#include "base/placeholders.h"

namespace kbench {

// Of every name in kClientPlaceholders. `reach` is where the program is to connect to, a relay's
// address or the server's own; `directory` its own for this run. The HMAC key is in none of the
// values: {key_file} names a file with it.
Words WordsFor(const RunSpec& spec, const HostPort& reach, const std::string& directory);

// The name of the file in `directory` that holds the HMAC key, and is what {key_file} says.
std::string KeyFileIn(const std::string& directory);

// "NAME=VALUE", all that the program has of it.
std::vector<std::string> EnvironmentOf(const std::string& directory);

}  // namespace kbench
