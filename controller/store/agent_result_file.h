// What one agent measured in one run, as a file: of `kbench agents collect`, of collect.yml, or
// cells/.../agents/NAME.pb in a result directory. For `kbench show FILE`, when no controller is
// left that could put it beside the others'.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "proto/result.pb.h"

namespace kbench {

// InvalidArgument, naming the file, when its bytes are no agent's result.
absl::StatusOr<result::RunResult> ReadAgentResult(const std::string& path);

// Who, what, how long, and a row for each op; then every caveat.
std::string AgentResultText(const result::RunResult& result);

// As the summary.json of a run that had this agent alone.
std::string AgentResultJson(const result::RunResult& result);

}  // namespace kbench
