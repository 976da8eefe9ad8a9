// What this machine is and how it is set: the part of a result that explains it a year later. Read
// from the kernel, best effort: what cannot be read is empty, never guessed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/host/host_tuning.h"

namespace kbench {

struct HostFacts {
  std::string hostname;
  std::string kernel;
  std::string cpu_model;
  std::vector<uint32_t> cpus;  // numbers of those that this process may use
  uint64_t memory_bytes = 0;
  std::string clocksource;
  std::string governor;
  std::string idle_driver;
  std::string congestion_control;
  uint64_t open_files_limit = 0;
  bool io_uring_allowed = false;
  std::string mitigations;  // "meltdown: PTI; spectre_v2: ..." without those not affected
  std::map<std::string, std::string> sysctls;
  HostTuning tuning;
};

HostFacts ReadHostFacts();

// Raises RLIMIT_NOFILE to its hard limit and gives what holds now.
uint64_t RaiseOpenFilesLimit();

}  // namespace kbench
