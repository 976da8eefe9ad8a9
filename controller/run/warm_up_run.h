// A warm-up of open length (docs/decisions/040): a run like the one that follows, over other
// operations, that ends when the watch says so. Nothing of it is kept but how it went.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/key_ledger.h"
#include "controller/campaign/plan.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/dispatcher.h"
#include "proto/result.pb.h"

namespace kbench {

// The id of the warm-up of a run.
inline std::string WarmUpId(const std::string& run_id) { return run_id + "-warm"; }

// `request` is that of the run that follows. Adds to `said` how the warm-up ended, as a caveat, and
// what the ledger has to say. An agent that was lost in it under `run.lost_agent: continue` is no
// failure: it is lost in the run that follows, too, which is where it is kept.
absl::Status WarmUp(const PlannedRun& run, const Settings& settings, RunRequest request,
                    Dispatcher* dispatcher, const Interrupts* interrupts, KeyLedger* keys,
                    std::vector<result::Caveat>* said);

}  // namespace kbench
