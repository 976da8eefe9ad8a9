// What does not mean what it says in a run whose load an external client made.
#pragma once

#include <string>
#include <vector>

#include "agent/load/run_spec.h"
#include "agent/run/run_outcome.h"

namespace kbench {

// Codes: docs/measurement.md.
std::vector<Caveat> JudgeClient(const RunSpec& spec, const RunOutcome& outcome);

// Why the packets are not to be believed: too many are missing, or requests without answers;
// empty: they are.
std::string PacketsFault(const observer::WireObservation& seen);

}  // namespace kbench
