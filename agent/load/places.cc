#include "agent/load/places.h"

#include <algorithm>
#include <utility>

namespace kbench {
namespace {

// The end of a pause is seen at the pump's next tick.
constexpr Nanos kFirstPause = Millis(1);
constexpr Nanos kLongestPause = Millis(128);

}  // namespace

void Places::Begin(const Options& options) {
  options_ = options;
  count_ = 0;
  pause_from_ = pause_until_ = MonoTime();
  next_pause_ = kFirstPause;
  next_paced_ = options.start;
  places_ = widest_ = options.widens ? std::min(options.depth, 1u) : options.depth;
  for (uint32_t i = 0; i < places_; ++i) GiveBack(options.start);
}

void Places::GiveBack(MonoTime when) {
  if (count_ == options_.depth) return;
  if (options_.pace > Nanos()) {
    when = std::max(when, next_paced_);
    next_paced_ = when + options_.pace;
  }
  free_since_[(first_ + count_) % free_since_.size()] = when;
  ++count_;
}

void Places::Widen(bool good, MonoTime started, MonoTime decoded) {
  if (!options_.widens) return;
  const bool quick = decoded - started < options_.quick;
  if (good && quick && places_ < options_.depth) {
    ++places_;
    widest_ = std::max(widest_, places_);
    GiveBack(decoded);
  } else if (!(good && quick) && places_ > 1) {
    --places_;
    --count_;  // the youngest: that of the place which this answer freed
  }
}

bool Places::BackOff(MonoTime now) {
  if (options_.depth == 0 || pausing()) return false;
  pause_from_ = now;
  pause_until_ = now + next_pause_;
  next_pause_ = std::min(next_pause_ * 2, kLongestPause);
  return true;
}

void Places::NotBusy() {
  if (!pausing()) next_pause_ = kFirstPause;
}

Nanos Places::EndPause(MonoTime now) {
  return pausing() ? now - std::exchange(pause_from_, MonoTime()) : Nanos();
}

void Places::Renew(MonoTime now) {
  for (size_t i = 0; i < count_; ++i) free_since_[(first_ + i) % free_since_.size()] = now;
}

}  // namespace kbench
