// A campaign from its plan to its result directory. Whatever ends it early, what had finished is
// kept and says so.
//
//   describe -> open the record -> meet the fleet -> baselines -> for each run of the plan:
//     look for lost agents -> place workers -> [warm up] -> dispatch -> store
//   -> judge -> finish the record
#pragma once

#include <string>

#include "absl/status/status.h"
#include "analysis/evidence/evidence.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/key_ledger.h"
#include "controller/fleet/agent_credentials.h"
#include "controller/fleet/exit_codes.h"
#include "controller/fleet/interrupts.h"
#include "controller/fleet/path_probe.h"
#include "controller/run/dispatcher.h"
#include "controller/run/progress.h"
#include "controller/store/resume.h"

namespace kbench {

struct CampaignRunOptions {
  std::string results_dir = "results";
  std::string label;
  const Resumption* resumption = nullptr;  // of this campaign; null: it begins anew
  int local_agents = 0;                    // 0: the campaign names its agents
  std::string bin_dir;                     // of kbench-agent and kbench-server; for local_agents
  std::vector<std::string> allow_clients;  // NAME=/PATH, of local_agents
  AgentCredentials credentials;
  PhaseLimits limits;
  PathProbeOptions probe;  // of the baselines
  // Of several campaigns over one data set, one after another, like those of a search; null: this
  // campaign knows nothing of others. It is read and written.
  KeyLedger* keys_there = nullptr;

  // Fills in what was not given: the usual certificates and, for local_agents, this program's own
  // directory.
  absl::Status Complete();
};

struct CampaignOutcome {
  // OK, or Aborted for wrong values: every run is complete.
  absl::Status status;
  // With an OK status: kDone, kGatesFailed, or kInconclusive when no gate failed but one may have.
  ExitCode code = ExitCode::kDone;
  std::string directory;  // of the result; empty when nothing was measured or it was not writable
  analysis::CampaignEvidence evidence;
};

CampaignOutcome RunCampaign(const Campaign& campaign, const CampaignRunOptions& options,
                            Interrupts* interrupts, Progress* progress);

}  // namespace kbench
