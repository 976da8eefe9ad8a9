// External clients, as messages.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/load/external_client.h"
#include "agent/program/client_outcome.h"
#include "proto/agent.pb.h"
#include "proto/result.pb.h"

namespace kbench {

absl::StatusOr<FigureFormat> ParseFigureFormat(absl::string_view name);
// All but the format.
ExternalClient ClientFromProto(const control::ExternalClient& from);
result::ExternalClient ToProto(const ClientOutcome& from);

}  // namespace kbench
