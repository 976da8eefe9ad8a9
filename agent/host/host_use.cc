#include "agent/host/host_use.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fd.h"

namespace kbench {
namespace {

std::string ReadAll(const char* path) {
  std::string text;
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  char piece[16384];
  while (fd.valid()) {
    const ssize_t size = ::read(fd.get(), piece, sizeof(piece));
    if (size <= 0) break;
    text.append(piece, static_cast<size_t>(size));
  }
  return text;
}

std::string ReadLine(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return std::string(absl::StripAsciiWhitespace(line));
}

// "C6, 133 us to leave" of one CPU; empty: it has no idle states.
std::string DeepestState(const std::string& directory) {
  std::error_code ignored;
  int64_t longest = -1;
  std::string deepest;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    const std::string state = entry.path().string() + "/";
    int64_t latency = 0;
    if (!absl::SimpleAtoi(ReadLine(state + "latency"), &latency) ||
        ReadLine(state + "disable") == "1" || latency <= longest) {
      continue;
    }
    longest = latency;
    deepest = absl::StrCat(ReadLine(state + "name"), ", ", latency, " us to leave");
  }
  return deepest;
}

}  // namespace

std::optional<CpuTimes> ParseCpuTimes(absl::string_view proc_stat, int64_t ticks_per_second) {
  enum { kUser, kNice, kSystem, kIdle, kWait, kIrq, kSoftirq, kSteal, kFields };
  std::optional<CpuTimes> times;
  uint32_t cpus = 0;
  for (absl::string_view line : absl::StrSplit(proc_stat, '\n')) {
    if (!absl::ConsumePrefix(&line, "cpu")) continue;
    if (!line.empty() && line[0] != ' ') {
      ++cpus;
      continue;
    }
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (fields.size() < kFields || ticks_per_second <= 0) return std::nullopt;
    int64_t ticks[kFields];
    for (int i = 0; i < kFields; ++i) {
      if (!absl::SimpleAtoi(fields[i], &ticks[i])) return std::nullopt;
    }
    const auto nanos = [&](int64_t n) { return Nanos(n * (1'000'000'000 / ticks_per_second)); };
    times = {
        .busy = nanos(ticks[kUser] + ticks[kNice] + ticks[kSystem] + ticks[kIrq] + ticks[kSoftirq]),
        .steal = nanos(ticks[kSteal]),
        .softirq = nanos(ticks[kSoftirq])};
  }
  if (times.has_value()) times->cpus = cpus;
  return times;
}

std::optional<CpuTimes> ReadCpuTimes() {
  return ParseCpuTimes(ReadAll("/proc/stat"), sysconf(_SC_CLK_TCK));
}

std::optional<Nanos> ParsePressure(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, "some ")) continue;
    for (absl::string_view field : absl::StrSplit(line, ' ')) {
      int64_t micros = 0;
      if (absl::ConsumePrefix(&field, "total=") && absl::SimpleAtoi(field, &micros)) {
        return Micros(micros);
      }
    }
  }
  return std::nullopt;
}

std::optional<Nanos> ReadPressure() { return ParsePressure(ReadAll("/proc/pressure/cpu")); }

std::string DescribeIdleState(const std::string& root, const std::vector<uint32_t>& cpus) {
  std::map<std::string, std::vector<std::string>> by_state;
  for (const uint32_t cpu : cpus) {
    const std::string state = DeepestState(absl::StrCat(root, "/cpu", cpu, "/cpuidle"));
    by_state[state].push_back(absl::StrCat("cpu", cpu));
  }
  std::vector<std::string> parts;
  for (const auto& [state, members] : by_state) {
    parts.push_back(absl::StrCat(state.empty() ? "no cpuidle driver" : state, " (",
                                 absl::StrJoin(members, " "), ")"));
  }
  const std::string first = cpus.empty() ? "cpu0" : absl::StrCat("cpu", cpus.front());
  const std::string governor = ReadLine(root + "/" + first + "/cpufreq/scaling_governor");
  parts.push_back(governor.empty() ? "no frequency governor" : "governor " + governor);
  return absl::StrJoin(parts, "; ");
}

}  // namespace kbench
