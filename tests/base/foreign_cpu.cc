#include "tests/base/foreign_cpu.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace kbench {
namespace {

struct Process {
  pid_t parent = 0;
  double ticks = 0;  // its own and those of children that it has waited for
};

// proc(5): after the name in parentheses, fields 3 (state), 4 (parent) ... 14 to 17 (times).
bool ReadProcess(const std::filesystem::path& directory, Process* process) {
  std::ifstream in(directory / "stat");
  std::string text;
  std::getline(in, text);
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return false;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  double user = 0, system = 0, children_user = 0, children_system = 0;
  fields >> skipped >> process->parent;
  for (int field = 5; field <= 13; ++field) fields >> skipped;
  fields >> user >> system >> children_user >> children_system;
  process->ticks = user + system + children_user + children_system;
  return !fields.fail();
}

double OwnTicks() {
  std::map<pid_t, Process> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    Process process;
    if (std::isdigit(static_cast<unsigned char>(name[0])) != 0 &&
        ReadProcess(entry.path(), &process)) {
      all[std::stoi(name)] = process;
    }
  }
  double ticks = 0;
  for (const auto& [pid, process] : all) {
    pid_t ancestor = pid;
    while (ancestor != getpid() && all.contains(ancestor)) ancestor = all.at(ancestor).parent;
    if (ancestor == getpid()) ticks += process.ticks;
  }
  return ticks;
}

// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
double AllTicks() {
  std::ifstream in("/proc/stat");
  std::string label;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  in >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal;
  return user + nice + system + steal;
}

}  // namespace

ForeignCpu::Reading ForeignCpu::Read() {
  const auto per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {.at = std::chrono::steady_clock::now(),
          .all_s = AllTicks() / per_second,
          .own_s = OwnTicks() / per_second};
}

void ForeignCpu::Restart() { begin_ = Read(); }

double ForeignCpu::Cpus() const {
  const Reading now = Read();
  const double passed = std::chrono::duration<double>(now.at - begin_.at).count();
  if (passed <= 0) return 0;
  return std::max(0.0, (now.all_s - begin_.all_s - (now.own_s - begin_.own_s)) / passed);
}

}  // namespace kbench
