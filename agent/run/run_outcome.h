// What one agent measured in one run. The plain twin of result::RunResult.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/host/host_facts.h"
#include "agent/host/host_use.h"
#include "agent/load/recorder.h"
#include "agent/load/resource_use.h"
#include "agent/load/tcp_use.h"
#include "agent/observer/packet_observer.h"
#include "agent/path/delay_relay.h"
#include "agent/program/client_outcome.h"
#include "agent/run/server_trace.h"
#include "base/clock.h"
#include "transport/transport.h"

namespace kbench {

// Why a result may not mean what it says: a stable code, and a sentence with the evidence.
struct Caveat {
  std::string code;
  std::string text;
};

struct Interval {
  Nanos start_offset;  // since the start of the measured window
  Nanos length;
  ProgressCounts progress;  // within the interval alone
};

// Of the measured window, all workers together.
struct RunUse {
  ThreadUse threads;
  double busiest_worker = 0;  // CPU time of the busiest worker / length of the window
  TransportCounters transport;
};

// What the packet observer on this host saw.
struct WireOutcome {
  bool available = false;
  std::string reason = "not asked for";  // why not, when not
  observer::WireObservation seen;        // records of sampled requests only
};

// How the keys came to be there before the run.
struct LoadOutcome {
  uint64_t keys = 0;
  uint64_t written = 0;  // of them; all or none
  Nanos took;            // with opening the run's connections again
  uint32_t looked = 0;  // keys that were read, to tell whether they are there; 0: it was not looked
  std::string missing;  // what that found, when it did not find them
  uint32_t flows = 0;   // of those that were written: connections ...
  uint32_t widest = 0;  // ... and most requests in flight on one of them
  uint64_t sent_again = 0;  // puts, after SERVICE_BUSY
  Nanos backed_off;         // pauses because of it, all connections together
};

struct RunOutcome {
  std::optional<LoadOutcome> load;  // none: the run needs no keys
  bool aborted = false;
  std::string abort_reason;
  MonoTime planned_start;
  MonoTime measure_started;
  Nanos measured;
  Nanos drain;  // from the window's end until nothing was unanswered
  Nanos first_send_offset;
  std::vector<std::string> op_names;
  std::vector<OpStats> ops;
  std::vector<OpRecord> samples;
  uint64_t samples_dropped = 0;
  ClockPair clocks;  // at the start: turns the samples' kernel stamps into agent time
  Nanos clock_step;
  ServerTrace server_trace;
  HostFacts host;
  FactList transport_facts;
  uint32_t workers = 0;
  uint32_t workers_unpinned = 0;  // asked for a CPU and did not get it
  RunUse use;
  std::vector<Interval> intervals;
  uint64_t late_answers = 0;
  uint64_t protocol_errors = 0;
  std::string protocol_error_text;  // of the first
  uint64_t backoffs = 0;            // pauses after SERVICE_BUSY, and their sum over all flows
  Nanos backed_off;
  uint64_t losses = 0;      // of flows, warm-up included
  uint64_t reconnects = 0;  // flows that were lost and came back; time without them, all flows
  Nanos disconnected;
  Nanos reopening;  // of that, when a worker did nothing else, all workers
  WireOutcome wire;
  HostUse host_use;         // of the window
  TcpUse tcp;               // over warm-up and window
  Nanos tag_cost;           // of one tag that cannot be prepared, measured before the run
  DelayRelay::Added relay;  // over warm-up, window and drain; of a run with one
  uint64_t unsolicited = 0;
  std::string unsolicited_text;
  std::optional<ClientOutcome> client;  // of a run whose load an external client made
  std::vector<Caveat> caveats;

  Counts totals() const {
    Counts sum;
    for (const OpStats& op : ops) sum.Add(op.counts);
    return sum;
  }
};

}  // namespace kbench
