// Which of the uncertain cuts of a request's time may be made, and by what evidence. Nothing is
// guessed: a boundary that cannot be trusted is not cut, and the parts on its two sides stay one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/evidence/evidence.h"
#include "analysis/evidence/joined_sample.h"

namespace kbench::analysis {

// The better evidence where there is a choice: packets instead of the client's own kernel stamps,
// packets on the server's host instead of the server's own record.
struct Rungs {
  bool client_packets = false;
  bool server_packets = false;

  Rungs And(Rungs other) const {
    return {client_packets && other.client_packets, server_packets && other.server_packets};
  }
  bool operator==(const Rungs&) const = default;
};

struct Boundaries {
  bool send = true;     // between client_send and network: first byte out, or kernel_sent
  bool receive = true;  // between network and client_receive: last byte in, or kernel_received
  bool server = true;   // the residence: between network and server
  Rungs rungs = {};
  // A client program of another make: of its own time only the gap between an answer and its next
  // request is known (`gap`), or not even that (it pipelines).
  bool opaque = false;
  bool gap = true;

  Boundaries And(Boundaries other) const {
    return {send && other.send,     receive && other.receive, server && other.server,
            rungs.And(other.rungs), opaque || other.opaque,   gap && other.gap};
  }
  bool operator==(const Boundaries&) const = default;
};

inline constexpr double kUntrustedShareMax = 0.02;  // of probed requests, per boundary
inline constexpr double kMatchRateMin = 0.995;      // of residences, and of packets
inline constexpr int64_t kClockStepMaxNs = 1000;    // client's or server's

// The evidence that this run has for `op`, with a caveat where an observer was there but cannot be
// used. "all": what every op has.
Rungs BestRungs(const RunEvidence& run, const std::string& op,
                std::vector<result::Caveat>* caveats);

// The cuts that this run's evidence of `op` supports, taken from `rungs`, which are no better than
// BestRungs(); with a caveat for each that it does not. "all": those that every op supports.
Boundaries TrustedBoundaries(const RunEvidence& run, const std::string& op, Rungs rungs,
                             std::vector<result::Caveat>* caveats);

// What happened at `request`'s edges on the clocks of their hosts, by the evidence of `b`. Only for
// requests that Unusable() has nothing against.
int64_t OutOf(const Joined& request, Boundaries b);  // agent's clock
int64_t InOf(const Joined& request, Boundaries b);   // agent's clock
int64_t ResidenceOf(const Joined& request, Boundaries b);

// Why a sample cannot be cut at `b`, or null when it can.
const char* Unusable(const Joined& request, Boundaries b, bool probed_only);

}  // namespace kbench::analysis
