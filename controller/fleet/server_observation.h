// The packet observer on the server's host, beside one run:
//
//   Begin         before the agents connect: it sees every connection from its first byte
//   SetWindow     when the start is known, in that host's own clock; again when the run is armed
//                 again
//   Collect       after all results came: the records of the requests that the agents sampled
//
// It never fails the run. When a step fails or is late, the trace says why and the steps that
// follow do nothing, so that a frozen observer costs one deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "controller/fleet/agent_clock.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/interrupts.h"
#include "proto/result.pb.h"

namespace kbench {

// Who observes a run's server.
struct ServerObserver {
  AgentLink* link = nullptr;
  uint16_t port = 0;       // of the server on that host
  std::string unreadable;  // why its packets cannot be understood; empty: they can
};

struct ObserverLimits {
  Nanos begin = Seconds(5);
  Nanos clock = Seconds(5);
  Nanos window = Seconds(2);
  Nanos collect = Seconds(20);
};

class ServerObservation {
 public:
  // `run_time` bounds the run between Begin and Collect, all its armings. All are borrowed and
  // outlive it.
  ServerObservation(const ServerObserver& observer, const ObserverLimits& limits, Nanos run_time,
                    const Interrupts* interrupts);
  ~ServerObservation();

  void Begin(const std::string& owner);
  // May run beside anything that does not touch this object.
  void MeasureClock(int pings);
  void SetWindow(MonoTime from, MonoTime until);
  void Collect(const std::vector<result::RunResult>& results);
  // The run has no use for it any more.
  void Abandon(absl::string_view why);

  // Says why, when there is nothing.
  result::WireTrace TakeTrace() { return std::move(trace_); }

 private:
  void Step(absl::string_view what, Nanos timeout, const std::function<absl::Status()>& step);
  absl::Status Receive(result::WireTrace* trace);

  const ServerObserver& observer_;
  const ObserverLimits& limits_;
  const Interrupts* const interrupts_;
  std::unique_ptr<ObserveDialogue> dialogue_;  // none: it has ended, or never was
  AgentClockMap clock_;
  result::WireTrace trace_;
};

}  // namespace kbench
