// Drives one run on all agents at once:
//
//   Prepare -> | -> Load -> | -> ping -> Start(at) -> intervals -> results -> |
//              barrier      barrier                                    barrier
//
// Every barrier has a time-out that names who is missing: an agent that does not answer a ping then
// either is lost, one that does was too slow. The start is one instant of our clock,
// told to each agent as an instant of its own; an agent that got it too late says so and the run
// is armed again. Whatever ends the run early, agents that already measure are told to stop and
// what they measured is collected. An observer on the server's host looks on from before the first
// phase to after the last; no run fails because of it.
//
// Threads: Execute() runs on its caller's; the links' readers only fill the inbox.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "analysis/evidence/evidence.h"
#include "base/clock.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/interrupts.h"
#include "controller/fleet/phase_limits.h"
#include "controller/fleet/server_observation.h"
#include "controller/run/progress.h"
#include "proto/agent.pb.h"

namespace kbench {

struct RunRequest {
  std::string run_id;
  int cell = 0;
  int repetition = 0;
  analysis::Pass pass = analysis::Pass::kSampled;
  std::vector<AgentLink*> agents;       // that take part
  std::vector<control::RunSpec> specs;  // one per agent
  std::optional<ServerObserver> observer;
  // Of a run that may be over before its window is: asked with every interval of an agent. Once it
  // says yes the agents are told to stop, and what they have is the run. Null: the window decides.
  std::function<bool(size_t agent, const result::Interval& interval)> enough;
};

struct DispatchOutcome {
  analysis::RunEvidence evidence;
  std::vector<std::string> spec_sha256;  // per agent
  absl::Status status;                   // exit_codes.h; OK means a complete run
  bool ended_early = false;              // RunRequest::enough has said so
  std::vector<std::string> lost;         // agents that went away, froze, or were taken
  // Per agent, as in the request: how its keys came to be there; none: it has not said.
  std::vector<std::optional<control::Loaded>> loaded;
};

class Dispatcher {
 public:
  static constexpr int kPings = 21;
  static constexpr int kArmings = 4;  // the first and three more

  // All are borrowed and outlive the dispatcher.
  Dispatcher(PhaseLimits limits, const Interrupts* interrupts, Progress* progress);

  DispatchOutcome Execute(const RunRequest& request);

 private:
  const PhaseLimits limits_;
  const Interrupts* const interrupts_;
  Progress* const progress_;
};

}  // namespace kbench
