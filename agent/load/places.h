// The places of a closed loop: so many requests may be unanswered at a time. Each free place knows
// since when it is free, because from then on its next request is intended.
//
//   answer --> GiveBack() --> | oldest ... youngest | --> Take() --> request
//
// A server that answers SERVICE_BUSY asks for time. Then no place is given out for a while, twice
// as long with every such answer on end, and none counts as free since before the while was over.
//
// An open loop's instants depend on nobody: it has no places, and every call is without effect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace kbench {

class Places {
 public:
  struct Options {
    uint32_t depth = 0;  // places, at most; 0: an open loop
    MonoTime start;      // all are free from then on
    Nanos pace;          // two become free at least so far apart, and are used at the next look
    // `depth` is a bound. One place at first; one more with each good answer that took less than
    // `quick`; one less with each other answer.
    bool widens = false;
    Nanos quick;
  };

  explicit Places(uint32_t depth_max) : free_since_(depth_max) {}

  // All before is forgotten.
  void Begin(const Options& options);

  // Whether one may be taken now that is free since before `end`. Not to be asked in a pause.
  bool Ready(MonoTime now, MonoTime end) const {
    if (count_ == 0) return false;
    const MonoTime since = free_since_[first_];
    return now >= options_.start && since < end && (options_.pace == Nanos() || since <= now);
  }
  // The one that is free for longest; since when.
  MonoTime Take() {
    const MonoTime since = free_since_[first_];
    first_ = (first_ + 1) % free_since_.size();
    --count_;
    return since;
  }
  void GiveBack(MonoTime when);
  // After an answer whose place was given back, of a loop that widens.
  void Widen(bool good, MonoTime started, MonoTime decoded);

  bool pausing() const { return pause_from_.is_set(); }
  // SERVICE_BUSY. True when a pause begins: answers within one say nothing new.
  bool BackOff(MonoTime now);
  // Any other answer: the next pause is a short one again.
  void NotBusy();
  bool PauseIsOver(MonoTime now) const { return now >= pause_until_; }
  // Ends the pause, if there is one; how long it was.
  Nanos EndPause(MonoTime now);

  // No free place counts as free since before `now`.
  void Renew(MonoTime now);

  // Most places that there have been since Begin().
  uint32_t widest() const { return widest_; }

 private:
  Options options_;
  std::vector<MonoTime> free_since_;  // a ring, oldest first
  size_t first_ = 0;
  size_t count_ = 0;
  MonoTime next_paced_;
  uint32_t places_ = 0;
  uint32_t widest_ = 0;
  MonoTime pause_from_;  // zero: no pause
  MonoTime pause_until_;
  Nanos next_pause_;
};

}  // namespace kbench
