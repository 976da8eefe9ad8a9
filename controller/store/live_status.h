// What a campaign that runs shows to other terminals, and how they ask it to stop. Two small files
// in its .partial directory, so that whoever can read the results can look, whoever can write them
// can cancel, and nobody needs a port:
//
//   status.json    replaced at every phase, and about once a second while a run measures
//   cancel         "stop" or "hard", made by `kbench cancel`
//
// Neither is part of the result: both go before the directory gets its final name.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "controller/fleet/interrupts.h"

namespace kbench {

struct LiveStatus {
  std::string campaign;
  std::string run_id;
  std::string controller;  // user@host pid 42
  int64_t updated_unix_ms = 0;
  uint64_t runs = 0;
  uint64_t run = 0;      // the one that is under way, from 1; 0: before the first
  std::string what;      // "transport=uring rep 0 bare"
  std::string phase;     // "load", "measure"
  double ops_per_s = 0;  // of the last interval, over all agents; 0: none yet
  int64_t left_ms = 0;   // of warm-up and measurement of the runs to come; set-up comes on top
  std::vector<std::string> absent;  // agents that were lost
};

std::string LiveStatusJson(const LiveStatus& status);
absl::StatusOr<LiveStatus> ParseLiveStatus(absl::string_view json);

// "user@host pid 42"
std::string ThisController();
// Who an agent is told to be at work for.
std::string OwnerOfRun(const std::string& run_id);

// A status that cannot be written (the disk is full) is not shown; nothing depends on it.
void WriteLiveStatus(const std::string& partial_dir, const LiveStatus& status);
// NotFound when the campaign has ended, or has not begun.
absl::StatusOr<LiveStatus> ReadLiveStatus(const std::string& partial_dir);

absl::Status AskToCancel(const std::string& partial_dir, bool hard);
void RemoveLiveFiles(const std::string& partial_dir);

// Looks for a cancellation a few times a second and hands it on.
class CancelWatch {
 public:
  CancelWatch(const std::string& partial_dir, Interrupts* interrupts);
  ~CancelWatch();
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

 private:
  void Watch();
  bool OverWithin(Nanos time);

  const std::string path_;
  Interrupts* const interrupts_;
  Mutex mutex_;
  CondVar changed_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kbench
