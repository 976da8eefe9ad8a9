// One arming of one run: the barriers, and what each agent has delivered so far. The dispatcher
// makes another one when an agent missed the start.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/fleet/agent_clock.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/run_inbox.h"
#include "controller/fleet/server_observation.h"
#include "controller/run/dispatcher.h"

namespace kbench {

class RunAttempt {
 public:
  // `observation`, of the run's server, may be null. `arming` counts from 0: later ones leave the
  // agents more time until the start.
  RunAttempt(const PhaseLimits& limits, const Interrupts* interrupts, Progress* progress,
             const RunRequest& request, ServerObservation* observation, int arming);

  // Bounds everything that Run() does.
  static Nanos TimeFor(const control::RunSpec& spec, const PhaseLimits& limits);

  // All phases. OK: every agent delivered its result. Otherwise the first thing that went wrong;
  // results that could be saved are in the outcome.
  absl::Status Run();

  bool missed_start() const { return missed_start_; }
  bool ended_early() const { return enough_; }
  // Whether the agent has said that it wrote its keys.
  bool wrote(size_t agent) const {
    const std::optional<control::Loaded>& loaded = agents_[agent].loaded;
    return loaded && loaded->reused() < loaded->keys();
  }
  // Moves what was collected into `outcome`.
  void MoveInto(DispatchOutcome* outcome);

 private:
  struct AgentState {
    AgentLink* link = nullptr;
    std::unique_ptr<RunCall> stream;
    std::string spec;
    std::string spec_sha256;
    AgentClockMap clock;
    bool prepared = false;
    std::optional<control::Loaded> loaded;
    bool done = false;    // the result is complete
    bool ended = false;   // the stream has ended
    bool failed = false;  // by its own word
    bool lost = false;    // without a word, or not in time
    std::string result_bytes;
    result::RunResult result;
  };
  using Reached = bool (*)(const AgentState&);

  absl::Status Phases();
  absl::Status Prepare();
  absl::Status Load();
  absl::Status MeasureClocks();
  absl::Status Start();
  // Tells the agents to stop, and collects what they have.
  void Salvage();
  void SayGoodbye();
  // Sends to all agents that still listen.
  void SendAll(const control::RunCommand& command);

  // Takes events until every agent has reached the phase's end, for `timeout` at most; a failure of
  // any agent and an interrupt end the wait.
  absl::Status Await(absl::string_view phase, Nanos timeout, Reached reached);
  // After an agent has lost the server before the start: for as long as a goodbye takes, until one
  // has heard why, or none that has not reached the phase's end can say more.
  void HearOthers(Reached reached);
  // Names those that have not reached it. DataLoss when one of them does not answer a ping either,
  // whatever it was that fell silent first; DeadlineExceeded when all are alive.
  absl::Status OutOfTime(absl::string_view phase, Nanos timeout, Reached reached);
  absl::Status Apply(AgentEvent event);
  absl::Status ApplyEnd(AgentState* agent, const absl::Status& end);
  absl::Status ApplyResult(AgentState* agent, const control::ResultChunk& chunk);
  // Notes what an agent says of the server's end, and gives it back.
  absl::Status Gone(control::Failed::Kind kind, absl::Status why);

  const PhaseLimits& limits_;
  const Interrupts* const interrupts_;
  Progress* const progress_;
  const RunRequest& request_;
  ServerObservation* const observation_;
  const int arming_;
  RunInbox inbox_;
  std::vector<AgentState> agents_;  // after inbox_: streams end before the inbox does
  bool started_ = false;
  bool stopping_ = false;
  bool missed_start_ = false;
  bool enough_ = false;       // RunRequest::enough has said so
  bool server_lost_ = false;  // what went wrong first is that an agent lost the server
  std::string phase_;         // that it is in, or in which something went wrong
  absl::Status refusal_;      // the server's, as the first agent tells it that has met one
};

}  // namespace kbench
