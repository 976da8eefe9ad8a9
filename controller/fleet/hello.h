// The first question to every agent: versions, facts of its host, and whether it is busy.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "controller/fleet/agent_link.h"
#include "proto/agent.pb.h"

namespace kbench {

inline constexpr size_t kHellosAtOnce = 64;

// Asks all in parallel; answers are in the order of `agents`. When one fails: the first failure, by
// that order, after all have answered or run into `timeout`.
absl::StatusOr<std::vector<control::HelloReply>> HelloAll(const std::vector<AgentLink*>& agents,
                                                          Nanos timeout);

}  // namespace kbench
