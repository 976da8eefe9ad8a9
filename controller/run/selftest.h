// `kbench selftest`: proves the attribution on the hosts at hand. Delays of known size go where
// they belong, one kind at a time, and every part must answer as it should:
//
//   server busy, server asleep    the reference server's service time      -> server
//   client encode, client decode  CPU burned in the agent                  -> client_encode,
//   _decode relay, shaped link            a relay in front of the server that      -> network
//                                 holds bytes, or has a rate
//
// over every transport, once by kernel stamps and once by packets. Each experiment is a campaign of
// its own (controller/campaign/campaign.h), judged by analysis/split/dose_response.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "analysis/split/dose_response.h"
#include "controller/fleet/interrupts.h"
#include "controller/run/campaign_runner.h"
#include "controller/run/progress.h"

namespace kbench {

struct SelftestOptions {
  CampaignRunOptions run;  // `local_agents` above 0: agents and servers are started here
  std::vector<std::string> agents;
  std::string server;    // HOST:PORT; for the experiments that leave the server alone
  std::string observer;  // HOST:PORT of an agent on the server's host
  // Reference servers that somebody started with a service time: address, "get=25us". With
  // --local they are started.
  std::vector<std::pair<std::string, std::string>> dosed_servers;
  std::vector<std::string> transports = {"socket", "uring"};
  bool quick = false;  // three repetitions instead of six
};

struct SelftestOutcome {
  absl::Status status;  // not OK: an experiment could not be run
  std::vector<analysis::DoseResponse> responses;
  std::vector<std::string> not_done;  // experiments that these hosts do not allow, and why
  std::string fleet;                  // what was tested: FleetKey()
  std::string ended_utc;

  bool passed() const;
};

SelftestOutcome RunSelftest(const SelftestOptions& options, Interrupts* interrupts,
                            Progress* progress);

}  // namespace kbench
