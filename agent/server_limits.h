// What the server would refuse, or close the connection for, is not asked of it: a run spec against
// the limits that the server's handshake names.
#pragma once

#include "absl/status/status.h"
#include "agent/run_spec.h"
#include "kinetic/types.h"

namespace kbench {

// FailedPrecondition names the limit, what is asked, and the field to lower.
absl::Status CheckServerLimits(const RunSpec& spec, const kinetic::GetLog::Limits& limits);

}  // namespace kbench
