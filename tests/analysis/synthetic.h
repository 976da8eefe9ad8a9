// Evidence with answers known beforehand. A test plants the length of every part of every request;
// the makers lay the stamps out on the client's clock, put the residence into the server's trace,
// and fill counts and histograms so that they agree. What a test then takes away (a stamp, a
// record) is the only thing that is wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "analysis/evidence/evidence.h"

namespace kbench::analysis {

// Lengths in ns, in the order of time; every length differs, so that no two can be exchanged
// unnoticed.
struct Request {
  int64_t wait = 1'000;
  int64_t encode = 1'300;
  int64_t submit = 700;
  int64_t send = 3'000;
  int64_t network = 40'000;
  int64_t server = 500'000;
  int64_t receive = 15'000;
  int64_t decode = 6'000;

  uint32_t flags = 0;  // result::OpSample::Flags
  bool answered = true;
  bool probed = true;
  bool send_stamp = true;
  bool receive_stamp = true;
  bool in_trace = true;
  uint32_t residence_flags = 1;  // the kernel's stamp, not shared

  int64_t response() const {
    return wait + encode + submit + send + network + server + receive + decode;
  }
};

struct AgentSpec {
  std::string name = "agent-0";
  std::string op = "get";
  std::string transport = "epoll";
  std::vector<Request> requests;        // all of them are samples
  std::vector<int64_t> unsampled = {};  // response times of requests that are in no sample
  int64_t measured_ns = 1'000'000'000;
};

// Sequences count from 1 on connection 7, the same in every agent.
result::RunResult MakeAgent(const AgentSpec& spec);

RunEvidence MakeRun(std::vector<result::RunResult> agents);

// `n` equal requests in one agent.
RunEvidence UniformRun(int n, const Request& request = {});

// Observers on both hosts, who saw every sample of `run`, on clocks that have nothing in common
// with the client's but their rate. The first byte out is where Request::send ends, the last byte
// in where Request::receive begins.
struct PacketsSeen {
  int64_t client_offset = 1'700'000'000'000'000'000;  // of the agent host's realtime clock
  int64_t server_offset = -987'654'321'000;
  double server_rate = 1;  // of the server's clock against true time
  int64_t request_transfer = 1'100;
  int64_t response_transfer = 2'300;
  int64_t emission = 1'700;
  int64_t service = 20'000;  // at most the residence
  int64_t before = 0;        // how long after submission the request before it had left; 0: none
};
void ObservePackets(const PacketsSeen& seen, RunEvidence* run);

using AgentMaker = std::function<result::RunResult(const CellInfo& cell, int repetition)>;

// One cell per transport, one agent per run; complete, and repetitions of a block adjacent. Every
// run is its cell's headline and its parts at once, as if stamps cost nothing (Pass::kBare); tests
// of passes say which is which.
CampaignEvidence MakeCampaign(const std::vector<std::string>& transports, int repetitions,
                              const AgentMaker& make);

// Encoded, as agents send them.
std::string EncodedHistogram(const std::vector<int64_t>& values_ns);

bool HasCode(const std::vector<result::Caveat>& caveats, const std::string& code);

}  // namespace kbench::analysis
