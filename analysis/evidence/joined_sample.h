// One sampled request beside all that others say of it: the server's own record, the packets on
// the client's host, the packets on the server's host. What none of them said is null.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/evidence/evidence.h"

namespace kbench::analysis {

struct Joined {
  const result::OpSample* sample = nullptr;
  const result::RunResult* agent = nullptr;  // that took it
  const result::ServerTrace::Record* residence = nullptr;
  const result::WireRecord* client_wire = nullptr;
  const result::WireRecord* server_wire = nullptr;
};

// All samples of `op` ("all": of every op). The client's evidence is joined within the agent that
// took the sample, because connection ids of two agents may be equal; packets on the server's host
// are of the one server, whose connection ids are its own. Two records of one request are none.
std::vector<Joined> JoinSamples(const RunEvidence& run, const std::string& op);

// Only a minority of requests is probed; when any is, the others are not part of the population,
// because they may have been kept for being slow.
bool AnyProbed(const std::vector<Joined>& samples);

// The agent's observer stamps CLOCK_REALTIME; its samples are CLOCK_MONOTONIC.
int64_t ToAgentTime(const result::WireTrace& trace, int64_t realtime_ns);

// The parts of a request's life that packets show, on the client's clock; all are set.
bool HasAllStamps(const result::WireRecord& record);

}  // namespace kbench::analysis
