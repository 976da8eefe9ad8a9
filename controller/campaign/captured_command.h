// A program that is run to its end for what it prints.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace kbench {

// argv[0] is looked up in PATH; its stdin is empty. What it wrote to stdout when it ended with 0;
// else NotFound (there is no such program), DeadlineExceeded (killed after `timeout`) or Internal,
// with the end of what it wrote to stderr.
absl::StatusOr<std::string> CaptureCommand(const std::vector<std::string>& argv, Nanos timeout);

}  // namespace kbench
