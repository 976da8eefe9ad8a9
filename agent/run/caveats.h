// Looks at a finished run for reasons not to believe it. Each is a sentence with its evidence.
#pragma once

#include <vector>

#include "agent/load/run_spec.h"
#include "agent/run/run_outcome.h"

namespace kbench {

// Codes: aborted, clock_step, client_saturated, cores_oversubscribed, cpu_contended,
// generator_late, histogram_overflow, injected, late_answers, littles_law, long_drain,
// noisy_neighbour, nothing_verified, paced, probe_perturbed, protocol_errors, reconnected,
// requests_failed, requests_lost, samples_dropped, server_busy, stamps_undrained, tags_in_window,
// transport_option_refused, tuning_undone, tuning_unreadable, unsolicited_status, values_untagged,
// values_verified, window_overflow, wrong_values.
std::vector<Caveat> JudgeRun(const RunSpec& spec, const RunOutcome& outcome);

}  // namespace kbench
