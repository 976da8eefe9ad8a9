// One run, from the first connection to the result: connect and prove, load, then warm up, measure
// and drain. The caller's thread is the runner's; the work is the workers'.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/host/host_monitor.h"
#include "agent/load/run_control.h"
#include "agent/load/run_spec.h"
#include "agent/load/worker.h"
#include "agent/observer/packet_observer.h"
#include "agent/path/delay_relay.h"
#include "agent/run/run_outcome.h"

namespace kbench {

// A status' code says what kind of failure it was:
//
//   Unavailable        the server cannot be reached, is silent or speaks no Kinetic
//   PermissionDenied   it answered, and said no
//   Aborted            it was there and went away
//   DeadlineExceeded   a phase took too long
//   OutOfRange         the start was missed
//   InvalidArgument    the spec asks for what cannot be
//   Cancelled          Stop() was called
//   Internal           anything else
class Runner {
 public:
  explicit Runner(RunSpec spec);
  // Stops what is going on.
  ~Runner();

  absl::Status Prepare();
  // Has the keys there. Writing them takes `most` at most (zero: as long as it takes).
  absl::StatusOr<LoadOutcome> Load(Nanos most = Nanos());
  // Starts at `at` and blocks until the run is drained. Gives `on_interval` about every second
  // what was done since the last; the intervals add up to the result's counts. A run that is
  // stopped, or loses its server, gives what it has, marked aborted.
  absl::StatusOr<RunOutcome> Run(MonoTime at,
                                 const std::function<void(const Interval&)>& on_interval);

  // From any thread: ends the load now.
  void Stop(absl::string_view reason);

  const RunSpec& spec() const { return spec_; }

 private:
  // Of a run whose load an external client makes (runner_client.cc).
  absl::Status PrepareClient();
  absl::StatusOr<RunOutcome> RunClient(MonoTime at);
  HostPort Reach() const;  // where it is to connect to

  // Each worker does `phase`, which is to be over by `end`. The first failure that says something.
  using Phase = std::function<std::future<absl::Status>(Worker*)>;
  absl::Status OfAll(const Phase& phase, MonoTime end);
  absl::Status WriteKeys(const LoadBound& bound);
  LoadBound BoundOf(Nanos most) const;
  // Once the flows are there and nothing but the run is to come.
  void StartObserver();
  void FinishObserver(RunOutcome* outcome);
  void TakeRelay(RunOutcome* outcome) const;
  HostMonitor::Options MonitorOptions(MonoTime from, MonoTime until) const;
  ProgressCounts SumProgress() const;
  void Merge(std::vector<WorkerYield> yields, RunOutcome* outcome) const;

  const RunSpec spec_;
  RunControl control_;
  std::unique_ptr<ValuePool> values_;
  Nanos tag_cost_;  // RunOutcome::tag_cost
  SocketAddress server_;
  std::unique_ptr<DelayRelay> relay_;                   // null: the flows go straight to the server
  std::unique_ptr<observer::PacketObserver> observer_;  // null: none, and why is in ...
  std::string no_observer_ = "not asked for";
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<LoadOutcome> loaded_;
};

}  // namespace kbench
