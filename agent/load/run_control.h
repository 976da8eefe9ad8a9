// When a run ends, and why it ended early: the one thing that its workers, its runner and whoever
// may stop it share.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace kbench {

class RunControl {
 public:
  // kServerRefused: it is there, and ended a connection saying why.
  enum class Why { kNotStopped, kAsked, kServerLost, kServerRefused };

  // A stage will end at `end`, unless the run has been stopped.
  void PlanEnd(MonoTime end) {
    MutexLock lock(&mutex_);
    if (why_ == Why::kNotStopped) end_ns_.store(end.ns());
  }

  // Ends the stage now, from any thread. The first reason stays; but a server that says no to one
  // connection is not lost, and why others ended without a word is what it says.
  void Stop(Why why, std::string reason) {
    MutexLock lock(&mutex_);
    const bool says_more = why_ == Why::kServerLost && why == Why::kServerRefused;
    if (why_ != Why::kNotStopped && !says_more) return;
    why_ = why;
    reason_ = std::move(reason);
    end_ns_.store(std::min(end_ns_.load(), MonoNow().ns()));
    stopped_.store(true);
  }

  Why why() const {
    MutexLock lock(&mutex_);
    return why_;
  }
  std::string reason() const {
    MutexLock lock(&mutex_);
    return reason_;
  }
  const std::atomic<int64_t>& end_ns() const { return end_ns_; }
  const std::atomic<bool>& stopped() const { return stopped_; }

 private:
  mutable Mutex mutex_;
  Why why_ ABSL_GUARDED_BY(mutex_) = Why::kNotStopped;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> end_ns_ = INT64_MAX;
  std::atomic<bool> stopped_ = false;
};

}  // namespace kbench
