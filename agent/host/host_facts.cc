#include "agent/host/host_facts.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kbench {
namespace {

std::string ReadLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return std::string(absl::StripAsciiWhitespace(line));
}

// The text behind "name :" in a /proc file.
std::string ReadField(const std::string& path, absl::string_view name) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(field.first) == name) {
      return std::string(absl::StripAsciiWhitespace(field.second));
    }
  }
  return "";
}

uint64_t ReadMemoryBytes() {
  std::string text = ReadField("/proc/meminfo", "MemTotal");
  uint64_t kib = 0;
  return absl::SimpleAtoi(absl::StripSuffix(text, " kB"), &kib) ? kib * 1024 : 0;
}

std::vector<uint32_t> UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<uint32_t> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// io_uring_setup with no entries fails in any case: with EINVAL or EFAULT where io_uring may be
// used, with EPERM or ENOSYS where it may not.
bool IoUringAllowed() {
  return syscall(SYS_io_uring_setup, 0, nullptr) < 0 && errno != EPERM && errno != ENOSYS;
}

std::string ReadMitigations() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/sys/devices/system/cpu/vulnerabilities", ignored)) {
    const std::string state = ReadLine(entry.path());
    if (state.empty() || state == "Not affected") continue;
    found.push_back(absl::StrCat(entry.path().filename().string(), ": ", state));
  }
  std::sort(found.begin(), found.end());
  std::string all;
  for (const std::string& one : found) absl::StrAppend(&all, all.empty() ? "" : "; ", one);
  return all;
}

std::map<std::string, std::string> ReadSysctls() {
  std::map<std::string, std::string> values;
  for (const char* name :
       {"net/core/rmem_max", "net/core/wmem_max", "net/core/somaxconn", "net/core/busy_poll",
        "net/core/busy_read", "net/core/default_qdisc", "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem",
        "net/ipv4/tcp_congestion_control", "net/ipv4/tcp_slow_start_after_idle",
        "net/ipv4/tcp_autocorking", "net/ipv4/ip_local_port_range", "kernel/io_uring_disabled",
        "kernel/timer_migration", "vm/swappiness"}) {
    const std::string value = ReadLine(absl::StrCat("/proc/sys/", name));
    std::string dotted = name;
    std::replace(dotted.begin(), dotted.end(), '/', '.');
    if (!value.empty()) values[dotted] = value;
  }
  return values;
}

uint64_t OpenFilesLimit() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace

HostFacts ReadHostFacts() {
  utsname names = {};
  uname(&names);
  const std::string cpu = "/sys/devices/system/cpu/";
  return {
      .hostname = names.nodename,
      .kernel = absl::StrCat(names.sysname, " ", names.release, " ", names.machine),
      .cpu_model = ReadField("/proc/cpuinfo", "model name"),
      .cpus = UsableCpus(),
      .memory_bytes = ReadMemoryBytes(),
      .clocksource = ReadLine("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
      .governor = ReadLine(cpu + "cpu0/cpufreq/scaling_governor"),
      .idle_driver = ReadLine(cpu + "cpuidle/current_driver"),
      .congestion_control = ReadLine("/proc/sys/net/ipv4/tcp_congestion_control"),
      .open_files_limit = OpenFilesLimit(),
      .io_uring_allowed = IoUringAllowed(),
      .mitigations = ReadMitigations(),
      .sysctls = ReadSysctls(),
      .tuning = ReadHostTuning()};
}

uint64_t RaiseOpenFilesLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return OpenFilesLimit();
}

}  // namespace kbench
