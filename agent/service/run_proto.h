// From the control protocol's messages to the agent's plain structs: the place where a spec is
// checked, field by field. The way back is agent/service/result_proto.h.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/load/run_spec.h"
#include "proto/agent.pb.h"

namespace kbench {

// InvalidArgument names the field, what it says and what it may say. The HMAC key is in no text.
absl::StatusOr<RunSpec> FromProto(const control::RunSpec& spec);

// By the kinds of failure that runner.h gives to status codes.
control::Failed ToProto(const absl::Status& failure);

}  // namespace kbench
