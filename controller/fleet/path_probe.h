// Measures network paths without a workload: round trips of small messages, and, between agents,
// how much fits through. One path at a time, so that paths do not disturb each other.
//
//   agent -- NOOPs -------------> Kinetic server
//   agent -- echoes, then bulk -> echo port of another agent, open for as long as the probe lasts
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "controller/fleet/agent_link.h"
#include "controller/fleet/interrupts.h"
#include "proto/result.pb.h"

namespace kbench {

struct KineticServer {
  std::string address;  // HOST:PORT
  int64_t identity = 1;
  std::string hmac_key;
  bool tls = false;
  std::string tls_ca;  // PEM

  bool operator==(const KineticServer&) const = default;
};

struct PathProbeOptions {
  uint32_t echoes_max = 2000;
  Nanos echo_time = Seconds(1);  // fewer echoes on a path where they would take longer
  Nanos bulk = Millis(500);      // in each direction; 0: not at all
  Nanos patience = Seconds(3);   // beyond what the above takes
};

struct MeasuredPath {
  result::NetworkBaseline baseline;  // `reason` says what is missing, also when nothing is there
  absl::Status status;               // exit_codes.h; not OK: nothing, or not all, was measured
};

class PathProber {
 public:
  // All are borrowed.
  PathProber(const PathProbeOptions& options, const Interrupts* interrupts)
      : options_(options), interrupts_(interrupts) {}

  MeasuredPath ToServer(AgentLink* from, const KineticServer& server) const;
  MeasuredPath ToAgent(AgentLink* from, AgentLink* to) const;

 private:
  absl::Status Measure(AgentLink* from, control::ProbeRequest request,
                       result::NetworkBaseline* baseline) const;
  absl::Status MeasureBulk(AgentLink* from, const control::ProbeRequest& request,
                           result::NetworkBaseline* baseline) const;
  absl::Status Ask(AgentLink* from, const control::ProbeRequest& request,
                   result::NetworkBaseline* baseline) const;

  const PathProbeOptions options_;
  const Interrupts* const interrupts_;
};

}  // namespace kbench
