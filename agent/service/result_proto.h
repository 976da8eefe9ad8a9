// What was measured, as messages.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "agent/host/host_facts.h"
#include "agent/load/run_spec.h"
#include "agent/run/run_outcome.h"
#include "proto/result.pb.h"

namespace kbench {

// What a result says beside what was measured.
struct ResultNames {
  std::string agent;  // HOST:PORT it listens on
  std::string spec_sha256;
};
result::RunResult ToProto(const RunSpec& spec, const RunOutcome& outcome, const ResultNames& names);
result::HostFacts ToProto(const HostFacts& facts);
result::HostTuning ToProto(const HostTuning& tuning);
result::Interval ToProto(const Interval& interval);

// A server's text may be any bytes; a proto3 string may not.
std::string PrintableText(absl::string_view text);

}  // namespace kbench
