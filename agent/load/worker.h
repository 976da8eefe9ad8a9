// One pinned thread with its transport and its share of the flows. Workers share nothing but the
// run's control; what each has recorded is merged when the run is over.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "agent/load/flow_set.h"
#include "agent/load/loader.h"
#include "agent/load/pump.h"
#include "agent/load/recorder.h"
#include "agent/load/resource_use.h"
#include "agent/load/run_control.h"
#include "agent/load/run_spec.h"
#include "agent/load/session.h"
#include "agent/load/tcp_use.h"
#include "base/address.h"
#include "base/mutex.h"
#include "kinetic/hmac.h"
#include "transport/transport.h"

namespace kbench {

// What a worker brings home from the measured stage.
struct WorkerYield {
  std::unique_ptr<Recorder> recorder;
  ThreadUse use;               // of the measured window
  TransportCounters counters;  // of the measured window
  TcpUse tcp;                  // of warm-up and window
  MonoTime first_started;      // of warm-up and window; zero: nothing was sent
  MonoTime first_intended;     // when that request was due
  FactList transport_facts;
  bool pinned = false;
  uint64_t late_answers = 0;
  uint64_t protocol_errors = 0;
  std::string protocol_error_text;  // of the first
  uint64_t backoffs = 0;            // pauses after SERVICE_BUSY, and their sum over all flows
  Nanos backed_off;
  uint64_t losses = 0;      // of flows in the run, warm-up included
  uint64_t reconnects = 0;  // flows that were lost and came back; time without them, all flows
  Nanos disconnected;
  Nanos reopening;  // of that, when the worker did nothing else
  uint64_t unsolicited = 0;
  std::string unsolicited_text;
};

class Worker {
 public:
  struct Options {
    const RunSpec* spec = nullptr;
    uint32_t index = 0;
    SocketAddress server;
    const ValuePool* values = nullptr;
    RunControl* control = nullptr;
  };
  struct Window {
    MonoTime start;
    MonoTime measure_from;
    ClockPair clocks;
  };

  // All pointers outlive the worker.
  explicit Worker(const Options& options);
  // Waits for what was asked for last; the run must have been stopped or be over.
  ~Worker();

  // Each is done on the worker's own thread; one at a time. Prepare connects and proves key and
  // path by one NOOP on every flow; before that, the first worker looks at the keys, if the run is
  // to find them there.
  std::future<absl::Status> Prepare();
  // Load writes this worker's share of the keys, over connections of its own, while those of the
  // run are closed; Conclude, of the first worker, what is written last. Reopen ends the load and
  // prepares the run's connections anew: they are as young as those of a run that loads nothing.
  std::future<absl::Status> Load(const LoadBound& bound);
  std::future<absl::Status> Conclude(const LoadBound& bound);
  std::future<absl::Status> Reopen();
  std::future<absl::StatusOr<WorkerYield>> Measure(const Window& window);

  const SharedProgress& progress() const { return progress_; }
  // Between two of those above:
  const LoadUse& load_use() const { return loader_.use(); }
  // Of the first worker: why the keys are to be written; empty: they are there.
  const std::string& missing() const { return missing_; }

 private:
  template <typename Result>
  std::future<Result> Post(std::function<Result()> work);
  void Live();
  // Waits for it. Null: the worker leaves.
  std::function<void()> NextWork();

  FlowSet::Options OfFlows() const;
  absl::Status Look();
  absl::Status OpenFlows(absl::Status (FlowSet::*open)(const FlowSet::Shape&));
  // What the sessions of a window send, and when it is due; by session. No arrivals: closed loops.
  struct Streams {
    std::vector<std::unique_ptr<OpStream>> ops;
    std::vector<std::unique_ptr<Arrival>> arrivals;
  };
  Streams MakeStreams(const Window& window) const;
  void BeginSessions(const Window& window, const Streams& streams, Recorder* recorder);
  absl::StatusOr<WorkerYield> RunWindow(const Window& window);
  // What the sessions have found and the transport knows, when the window is over.
  void Collect(WorkerYield* yield) const;

  Options options_;
  const RunSpec& spec_;
  kinetic::HmacKey key_;
  std::vector<uint32_t> flow_numbers_;  // in the agent's numbering
  SharedProgress progress_;
  bool pinned_ = false;
  Loader loader_;
  std::string missing_ = "it was not looked";
  std::unique_ptr<FlowSet> flows_;  // of the run

  Mutex mutex_;
  CondVar changed_;
  std::function<void()> work_ ABSL_GUARDED_BY(mutex_);
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kbench
