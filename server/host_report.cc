#include "server/host_report.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_format.h"

namespace kbench::server {
namespace {

void AddAddress(const sockaddr* address, HostInterface* interface) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    interface->ipv4 = inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    interface->ipv6 = inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  } else if (address->sa_family == AF_PACKET) {
    const auto* link = reinterpret_cast<const sockaddr_ll*>(address);
    for (int i = 0; i < std::min<int>(link->sll_halen, 6); ++i) {
      absl::StrAppendFormat(&interface->mac, "%s%02x", i == 0 ? "" : ":", link->sll_addr[i]);
    }
  }
}

}  // namespace

std::vector<HostInterface> ReadInterfaces() {
  std::vector<HostInterface> interfaces;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return interfaces;
  for (const ifaddrs* item = list; item != nullptr; item = item->ifa_next) {
    auto at = std::find_if(interfaces.begin(), interfaces.end(),
                           [&](const HostInterface& i) { return i.name == item->ifa_name; });
    if (at == interfaces.end()) {
      at = interfaces.insert(at, HostInterface{.name = item->ifa_name});
    }
    if (item->ifa_addr != nullptr) AddAddress(item->ifa_addr, &*at);
  }
  freeifaddrs(list);
  return interfaces;
}

std::optional<CpuTicks> ReadCpuTicks() {
  std::ifstream file("/proc/stat");
  std::string label;
  uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
  if (!(file >> label >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal)) {
    return std::nullopt;
  }
  const uint64_t busy = user + nice + system + irq + softirq + steal;
  return CpuTicks{.busy = busy, .total = busy + idle + iowait};
}

std::optional<Memory> ReadMemory() {
  std::ifstream file("/proc/meminfo");
  Memory memory;
  std::string label, unit;
  uint64_t kib = 0;
  while (file >> label >> kib) {
    if (label == "MemTotal:") memory.total_bytes = kib * 1024;
    if (label == "MemAvailable:") memory.available_bytes = kib * 1024;
    std::getline(file, unit);
  }
  if (memory.total_bytes == 0) return std::nullopt;
  return memory;
}

std::optional<Nanos> ReadDiskBusy() {
  // Documentation/admin-guide/iostats.rst: field 10 behind the name is milliseconds doing I/O.
  std::ifstream file("/proc/diskstats");
  std::optional<Nanos> busiest;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string major, minor, name;
    in >> major >> minor >> name;
    uint64_t field = 0;
    for (int i = 0; i < 10; ++i) in >> field;
    if (!in) continue;
    const Nanos busy = Millis(static_cast<int64_t>(field));
    if (!busiest.has_value() || busy > *busiest) busiest = busy;
  }
  return busiest;
}

HostTemperatures ReadTemperatures() {
  HostTemperatures found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/hwmon", ignored)) {
    std::ifstream name_file(entry.path() / "name"), input(entry.path() / "temp1_input");
    std::string name;
    float thousandths = 0;
    if (!(name_file >> name) || !(input >> thousandths)) continue;
    if (name == "coretemp" || name == "k10temp" || name == "cpu_thermal" || name == "acpitz") {
      found.cpu = thousandths / 1000;
    } else if (name == "drivetemp" || name == "nvme") {
      found.disk = thousandths / 1000;
    }
  }
  return found;
}

std::string ReadHostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown host";
}

}  // namespace kbench::server
