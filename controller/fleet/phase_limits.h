// How long each phase of a run, and each question to an agent, may take.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "controller/fleet/server_observation.h"

namespace kbench {

// Bounds of what an agent may take beyond what the spec itself asks for.
struct PhaseLimits {
  Nanos hello = Seconds(5);
  Nanos prepare = Seconds(5);               // beyond the connect time-out
  Nanos load = Seconds(30);                 // beyond the time for the bytes
  int64_t load_bytes_per_second = 2 << 20;  // slower than this is stuck
  int64_t load_keys_per_second = 100;
  Nanos clock = Seconds(20);    // as long as the lease
  Nanos measure = Seconds(40);  // beyond warm-up, window and op time-out: fetching records, results
  Nanos stop = Seconds(5);      // beyond the op time-out (at most 10 s of it)
  Nanos goodbye = Seconds(2);   // from the last chunk to the stream's end
  Nanos life = Seconds(5);      // for a ping of an agent of which a phase had no word
  ObserverLimits observer;
};

}  // namespace kbench
