// What else a host does while a run measures: readings of the kernel's counters, and what they add
// up to over a window. Parsers are pure; each Read function is a file and its parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/host/link_watch.h"
#include "base/clock.h"

namespace kbench {

struct HostUse {
  Nanos window;
  Nanos busy;  // of all CPUs, this process included; user, system and interrupts
  Nanos own;   // of this process
  Nanos steal;
  Nanos softirq;
  Nanos pressure;           // some task could run and did not; zero where the kernel keeps no PSI
  double most_foreign = 0;  // most CPUs that others used between two looks
  uint32_t samples = 0;     // looks
  uint32_t cpus = 0;        // of the host
  std::vector<LinkUse> links;
  std::string idle_state;  // for people
};

// Of all CPUs together since boot, from /proc/stat. A tick is 10 ms.
struct CpuTimes {
  Nanos busy;
  Nanos steal;
  Nanos softirq;
  uint32_t cpus = 0;
};
std::optional<CpuTimes> ParseCpuTimes(absl::string_view proc_stat, int64_t ticks_per_second);
std::optional<CpuTimes> ReadCpuTimes();

// "some ... total=" of /proc/pressure/cpu.
std::optional<Nanos> ParsePressure(absl::string_view text);
std::optional<Nanos> ReadPressure();

// The deepest idle state that is allowed on the CPUs, and how long it takes to come out of it:
// "C6, 133 us to leave (cpu0 cpu1); governor performance". What there is not, it says. `root`:
// /sys/devices/system/cpu.
std::string DescribeIdleState(const std::string& root, const std::vector<uint32_t>& cpus);

}  // namespace kbench
