// One worker's part in having an agent's keys on the server before a run: looks whether they are
// there, and writes them. Set-up: nothing of it is measured.
//
//   Look      reads the sample (agent/load/key_sample.h), by the agent's first worker, whole values
//   Write     all keys but the sample, shared among the load's flows, each flow's part in sequence
//   Conclude  the sample, by the first worker, when every worker is through with Write
//
// The load has connections of its own, with the kernel's options, and a window of its own
// (base/load_window.h). Belongs to the worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/load/flow_set.h"
#include "agent/load/key_sample.h"
#include "base/load_window.h"

namespace kbench {

// What loading took, of one worker; adds up over workers.
struct LoadUse {
  uint32_t flows = 0;
  uint32_t widest = 0;      // most requests in flight on one of them
  uint64_t sent_again = 0;  // puts that were answered SERVICE_BUSY
  Nanos backed_off;         // pauses because of it, all flows together

  void Add(const LoadUse& other);
};

// Until when a load may take, and whose patience that is; kNever: as long as it takes.
struct LoadBound {
  MonoTime end = kNever;
  Nanos most;
  std::string whose;  // "this agent's --max-duration"
};

class Loader {
 public:
  // `flows`: the options of the run's set. `worker` is this worker's number.
  Loader(const FlowSet::Options& flows, uint32_t worker);

  // Why the keys are to be written: "3 of 64 keys that were read ... "; empty: all of the sample
  // are there, and as they would be written.
  absl::StatusOr<std::string> Look();
  absl::Status Write(const LoadBound& bound);
  absl::Status Conclude(const LoadBound& bound);
  // Its connections.
  void Close() { set_.reset(); }

  const LoadUse& use() const { return use_; }

 private:
  // Flow number `own` of this worker's: its place among those of the agent.
  uint32_t Number(uint32_t own) const;
  // Puts of the keys that `streams` give, so many on each flow.
  absl::Status Put(std::vector<OpStream>* streams, const std::vector<uint64_t>& counts,
                   const LoadBound& bound);
  absl::Status Judge(const Recorder& recorder, uint64_t share, const LoadBound& bound) const;
  // What a caps' pace per flow of the run is for each of `flows`.
  Nanos PaceFor(uint32_t flows) const;

  const FlowSet::Options options_;
  const RunSpec& spec_;
  const uint32_t worker_;
  const LoadWindow window_;
  const KeySample sample_;
  std::unique_ptr<FlowSet> set_;
  LoadUse use_;
};

}  // namespace kbench
