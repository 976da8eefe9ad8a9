// From the packets of a program that nobody sees into to what a run says of its requests.
//
//   answer before   |<-- gap: what the program took -->|<------ on the wire ------>|
//   ...last byte in                          first byte out                 last byte in
//
// The gap is known where nothing else was unanswered on the connection when the request left. A
// run in which that holds for nearly every request is a closed loop of one request in flight per
// connection: response times then begin with the answer before, as those of our own closed loops
// do. Otherwise (it pipelines, or opens a connection for each request) response times are those on
// the wire, and what the program took is not known.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/load/op_record.h"
#include "agent/load/recorder.h"
#include "agent/observer/packet_observer.h"
#include "agent/run/run_outcome.h"
#include "base/clock.h"

namespace kbench {

inline constexpr double kClosedShareMin = 0.95;  // of requests with a gap
inline constexpr size_t kClientSamplesMax = 100'000;

struct ClientRequests {
  // The window: from `warmup` after the program's first request on, for `duration`, or until its
  // last answer when it ended before.
  RealTime first;  // byte of its first request; zero: it made none
  RealTime from;
  RealTime until;
  Nanos measured;
  bool ended_early = false;
  bool pipelined = false;   // gaps are not known
  uint64_t gaps_known = 0;  // of requests in the window
  uint64_t whole = 0;       // requests in all, the warm-up's included
  uint64_t foreign = 0;     // requests of others on this host, which are in nothing
  size_t connections = 0;

  std::vector<std::string> op_names;
  std::vector<OpStats> ops;
  std::vector<OpRecord> samples;  // all, or every n-th of more than kClientSamplesMax
  std::vector<Interval> intervals;

  // Of all that the program did, by op: what is held against figures that are of as much.
  struct Whole {
    uint64_t answers = 0;
    Nanos wire;  // of all of them together
    uint64_t gaps = 0;
    Nanos gap;  // of those that have one
  };
  std::map<std::string, Whole> whole_by_op;

  // Of each request of the program, in the order of answers: which op, and whether in the window.
  struct Answer {
    uint8_t type = 0;
    bool in_window = false;
  };
  std::vector<Answer> answers;
};

struct ClientWindow {
  Nanos warmup;
  Nanos duration;
  bool ended_by_itself = false;      // before it was told to
  std::set<uint16_t> foreign_ports;  // of connections that are known to be another process's
};

// "get" for a GET, "put" for a PUT, ...; other types by their wire name in lower case.
std::string OpNameOf(uint8_t type);

ClientRequests CountRequests(const observer::WireObservation& seen, const ClientWindow& window);

}  // namespace kbench
