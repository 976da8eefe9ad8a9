// Under `run.lost_agent: continue`: a campaign goes on without agents that were lost, and takes
// them back when they are there again.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "controller/fleet/fleet.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/progress.h"
#include "proto/result.pb.h"

namespace kbench {

class LostAgents {
 public:
  // All outlive the object.
  LostAgents(Fleet* fleet, const Interrupts* interrupts, Progress* progress)
      : fleet_(fleet), interrupts_(interrupts), progress_(progress) {}

  // Agents were lost in a run, and the campaign goes on.
  void Lost(const absl::Status& how);

  // Before each run: asks who is there. When nobody is left, for a while: a service manager starts
  // an agent again within seconds. `our_run` is the id of the campaign's last run. DataLoss when
  // nobody comes back.
  absl::Status LookForThem(const std::string& our_run);

  // OK: none was lost. Else the first loss of the campaign, DataLoss.
  const absl::Status& first_loss() const { return first_loss_; }

 private:
  Fleet* const fleet_;
  const Interrupts* const interrupts_;
  Progress* const progress_;
  bool some_ = false;
  absl::Status first_loss_;
  std::set<std::string> said_;  // why one is not taken back
};

}  // namespace kbench
