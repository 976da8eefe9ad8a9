// A campaign that stopped half-way (its controller died, somebody interrupted it, an agent was
// lost), taken up again: `kbench run --resume RESULT`. The old directory is only read. The new one
// begins with the runs that were complete, and the rest of the same plan is run.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "base/fd.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/inventory.h"
#include "controller/store/result_reader.h"

namespace kbench {

struct Resumption {
  StoredCampaign stored;
  Campaign campaign;               // as it was, --set included
  int local_agents = 0;            // 0: the campaign names its agents
  std::map<int, size_t> complete;  // ordinal in the plan -> index into stored.evidence.runs
  Fd lock;                         // of a .partial directory: two cannot take up the same
};

// InvalidArgument when there is nothing left to do, when its controller still runs, or when the
// campaign would not give the same plan any more. `inventory` may be null.
absl::StatusOr<Resumption> OpenForResume(const std::string& directory, const Inventory* inventory);

}  // namespace kbench
