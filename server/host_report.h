// What this host says about itself, for GETLOG: interfaces, processor time and memory, as the
// kernel counts them. What cannot be read is absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace kbench::server {

struct HostInterface {
  std::string name, mac, ipv4, ipv6;  // addresses as text, empty when there is none
};
std::vector<HostInterface> ReadInterfaces();

// Sums over all processors since the host started, in the kernel's ticks.
struct CpuTicks {
  uint64_t busy = 0;
  uint64_t total = 0;
};
std::optional<CpuTicks> ReadCpuTicks();

struct Memory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;
};
std::optional<Memory> ReadMemory();

// Time that the host's busiest disk has been busy since the host started.
std::optional<Nanos> ReadDiskBusy();

// Degrees Celsius; absent where this host has no such sensor.
struct HostTemperatures {
  std::optional<float> cpu;
  std::optional<float> disk;
};
HostTemperatures ReadTemperatures();

std::string ReadHostName();

}  // namespace kbench::server
