// Between the control protocol's messages and the agent's plain structs: the only place that knows
// both, and the place where a spec is checked, field by field.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host_facts.h"
#include "agent/run_outcome.h"
#include "agent/run_spec.h"
#include "proto/agent.pb.h"
#include "proto/result.pb.h"

namespace kbench {

// InvalidArgument names the field, what it says and what it may say. The HMAC key is in no text.
absl::StatusOr<RunSpec> FromProto(const control::RunSpec& spec);

// What a result says beside what was measured.
struct ResultNames {
  std::string agent;  // HOST:PORT it listens on
  std::string spec_sha256;
};
result::RunResult ToProto(const RunSpec& spec, const RunOutcome& outcome, const ResultNames& names);
result::HostFacts ToProto(const HostFacts& facts);
result::Interval ToProto(const Interval& interval);
// By the kinds of failure that runner.h gives to status codes.
control::Failed ToProto(const absl::Status& failure);

}  // namespace kbench
