// What the server would refuse, or close the connection for, is not asked of it: a run spec against
// the limits that the server's handshake names.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/load/run_spec.h"
#include "kinetic/types.h"

namespace kbench {

// FailedPrecondition names the limit, what is asked, and the field to lower.
absl::Status CheckServerLimits(const RunSpec& spec, const kinetic::GetLog::Limits& limits);

// What to do about a server's refusal (INVALID_REQUEST) in words about tags or their algorithm: to
// stand behind them; empty when they are about something else.
std::string TagRemedy(const RunSpec& spec, absl::string_view words);

}  // namespace kbench
