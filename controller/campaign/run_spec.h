// From a cell's settings to what one agent is told: resolved, nothing left to choose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/campaign/campaign.h"
#include "proto/agent.pb.h"

namespace kbench {

// The key that new Kinetic drives and the simulator hold for identity 1. Public knowledge.
inline constexpr absl::string_view kFactoryKey = "asdfasdf";

// What does not follow from the settings alone.
struct RunSpecInputs {
  std::string run_id;
  analysis::Pass pass = analysis::Pass::kSampled;
  uint32_t agent_index = 0;
  uint32_t agent_count = 1;
  std::string server;    // HOST:PORT
  std::string hmac_key;  // secret
  std::string tls_ca;    // PEM
  std::vector<uint32_t> worker_cpus;
  uint64_t seed = 0;
  uint64_t key_seed = 0;
};

control::RunSpec MakeRunSpec(const Settings& settings, const RunSpecInputs& inputs);

// Makes of a run the one that warms up for it: as long as `most`, without probes, over the
// operations of another seed; a rate that would change keeps its first value.
void MakeWarmUp(uint64_t seed, Nanos most, control::RunSpec* spec);

// The key in `key_file` without its last newline; the factory key when `key_file` is empty.
absl::StatusOr<std::string> ReadHmacKey(const std::string& key_file);

// The PEM text in `ca_file`, of at least one certificate; empty when `ca_file` is.
absl::StatusOr<std::string> ReadAuthorities(const std::string& ca_file);

}  // namespace kbench
