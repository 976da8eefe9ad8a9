// Another host's CLOCK_MONOTONIC, and the way to it from ours.
//
//   controller  t0 ------ ping ------>             offset = agent - (t0 + t1) / 2
//               t1 <----- stamp ------  agent      error <= (t1 - t0) / 2, whatever the path's
//                                                  asymmetry
//
// The sample with the smallest round trip is kept: its bound is the tightest (Cristian, 1989).
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace kbench {

struct AgentHostClock {};
using AgentTime = Instant<AgentHostClock>;

class AgentClockMap {
 public:
  // One ping: sent and answered on our clock, stamped on the agent's in between.
  void AddPing(MonoTime sent, AgentTime stamped, MonoTime answered) {
    const Nanos round_trip = answered - sent;
    if (pings_++ > 0 && round_trip >= round_trip_min_) return;
    round_trip_min_ = round_trip;
    const MonoTime middle = sent + round_trip / 2;
    offset_ns_ = stamped.ns() - middle.ns();
  }

  int pings() const { return pings_; }
  Nanos round_trip_min() const { return round_trip_min_; }
  Nanos error_bound() const { return (round_trip_min_ + Nanos(1)) / 2; }
  int64_t offset_ns() const { return offset_ns_; }

  AgentTime ToAgent(MonoTime t) const { return AgentTime(t.ns() + offset_ns_); }
  MonoTime ToController(AgentTime t) const { return MonoTime(t.ns() - offset_ns_); }

 private:
  int pings_ = 0;
  Nanos round_trip_min_;
  int64_t offset_ns_ = 0;
};

}  // namespace kbench
