#include "controller/run/dispatcher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/run/run_attempt.h"
#include "controller/store/live_status.h"

namespace kbench {
namespace {

// A skew above this, beyond what the clocks may err, is worth a warning.
constexpr Nanos kSkewMax = Millis(1);

void AddCaveat(absl::string_view code, std::string text, analysis::RunEvidence* evidence) {
  result::Caveat& caveat = evidence->caveats.emplace_back();
  caveat.set_code(std::string(code));
  caveat.set_text(std::move(text));
}

void JudgeSkew(analysis::RunEvidence* evidence) {
  const Nanos skew(evidence->first_send_skew_ns);
  const Nanos bound(evidence->clock_error_bound_ns);
  if (skew <= kSkewMax + bound * 2) return;
  AddCaveat("start_skew",
            absl::StrCat("the agents' first requests were ",
                         HumanDuration(static_cast<double>(skew.count())),
                         " apart (their clocks are known to ",
                         HumanDuration(static_cast<double>(bound.count())),
                         "); their windows do not fully overlap"),
            evidence);
}

}  // namespace

Dispatcher::Dispatcher(PhaseLimits limits, const Interrupts* interrupts, Progress* progress)
    : limits_(limits), interrupts_(interrupts), progress_(progress) {}

DispatchOutcome Dispatcher::Execute(const RunRequest& request) {
  DispatchOutcome outcome;
  RunRequest armed = request;
  std::optional<ServerObservation> observation;
  if (request.observer) {
    progress_->Phase("observe");
    observation.emplace(*request.observer, limits_.observer,
                        RunAttempt::TimeFor(request.specs[0], limits_) * kArmings, interrupts_);
    observation->Begin(OwnerOfRun(request.run_id));
  }
  int armings = 0;
  while (true) {
    outcome = DispatchOutcome();
    RunAttempt attempt(limits_, interrupts_, progress_, armed,
                       observation ? &*observation : nullptr, armings);
    outcome.status = attempt.Run();
    ++armings;
    if (outcome.status.ok() || !attempt.missed_start() || armings == kArmings ||
        interrupts_->stop()) {
      attempt.MoveInto(&outcome);
      outcome.ended_early = attempt.ended_early();
      break;
    }
    // Who had to write its keys does so again: its result is to say that they were written.
    for (size_t i = 0; i < armed.specs.size(); ++i) {
      if (attempt.wrote(i)) armed.specs[i].set_reuse_keys(false);
    }
  }
  analysis::RunEvidence& evidence = outcome.evidence;
  if (observation) {
    progress_->Phase("collect");
    if (outcome.status.ok()) {
      observation->Collect(evidence.agents);
    } else {
      observation->Abandon("the run ended before it was complete");
    }
    evidence.server_wire = observation->TakeTrace();
  }
  evidence.cell = request.cell;
  evidence.repetition = request.repetition;
  evidence.pass = request.pass;
  evidence.run_id = request.run_id;
  if (!outcome.status.ok()) {
    evidence.status =
        evidence.agents.empty() ? analysis::RunStatus::kFailed : analysis::RunStatus::kAborted;
    evidence.status_text = std::string(outcome.status.message());
  }
  if (armings > 1) {
    AddCaveat("rearmed",
              absl::StrCat("an agent missed the start; the run was armed ", armings, " times"),
              &evidence);
  }
  JudgeSkew(&evidence);
  return outcome;
}

}  // namespace kbench
