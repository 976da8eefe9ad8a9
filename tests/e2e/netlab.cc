#include "tests/e2e/netlab.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kbench::e2e {
namespace {

constexpr const char* kNamespaces = "/run/netns";
constexpr const char* kDelayInterface = "held";
constexpr const char* kDelayTable = "100";  // of routes, for what comes from the relay's links
constexpr Host kAllHosts[] = {Host::kClient, Host::kRelay, Host::kServer};

std::vector<std::string> Tool(std::vector<std::string> argv) {
  // Whoever runs tests need not have the directories of system tools in the path.
  argv.insert(argv.begin(), {"/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"});
  return argv;
}

std::string Do(const std::vector<std::string>& argv, const std::function<void()>& in = nullptr) {
  const Finished finished = Run(Tool(argv), seconds(60), in);
  EXPECT_EQ(finished.code, 0) << absl::StrJoin(argv, " ") << ": " << finished.out << finished.err;
  return finished.out;
}

// "kb<pid>" and one letter for the host.
std::optional<pid_t> OwnerOf(const std::string& name) {
  int pid = 0;
  if (name.size() < 4 || !name.starts_with("kb") || std::strchr("crs", name.back()) == nullptr ||
      !absl::SimpleAtoi(name.substr(2, name.size() - 3), &pid) || pid <= 0) {
    return std::nullopt;
  }
  return pid;
}

void RemoveNamespace(const std::string& name) { Do({"ip", "netns", "delete", name}); }

// Runs between fork and exec: system calls only.
[[noreturn]] void CannotEnter(const char* what) {
  const ssize_t ignored = write(STDERR_FILENO, what, std::strlen(what));
  _exit(ignored < 0 ? 125 : 126);
}

void EnterForExec(int namespace_fd) {
  if (setns(namespace_fd, CLONE_NEWNET) != 0) CannotEnter("netlab: setns failed\n");
  // /sys/class/net shows the network of whoever mounted it.
  if (unshare(CLONE_NEWNS) != 0) CannotEnter("netlab: no mount namespace\n");
  if (mount("none", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) {
    CannotEnter("netlab: cannot make mounts private\n");
  }
  umount2("/sys", MNT_DETACH);
  if (mount("netlab", "/sys", "sysfs", 0, nullptr) != 0) CannotEnter("netlab: no sysfs\n");
}

void SetFeature(int fd, const std::string& interface, uint32_t command, bool on) {
  ethtool_value value = {.cmd = command, .data = on ? 1U : 0U};
  ifreq request = {};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  EXPECT_EQ(ioctl(fd, SIOCETHTOOL, &request), 0)
      << "offload command " << command << " on " << interface << ": " << std::strerror(errno);
}

std::vector<std::string> InterfacesOf(Host host) {
  if (host == Host::kRelay) return {"west", "east"};
  return {"direct", "routed"};
}

void WriteSetting(const std::string& path, const std::string& value) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(write(fd.get(), value.data(), value.size()), static_cast<ssize_t>(value.size()))
      << path << " = " << value << ": " << std::strerror(errno);
}

}  // namespace

std::vector<std::string> StaleLabs() {
  std::vector<std::string> stale;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kNamespaces, none)) {
    const std::string name = entry.path().filename();
    const std::optional<pid_t> owner = OwnerOf(name);
    if (owner.has_value() && kill(*owner, 0) != 0 && errno == ESRCH) stale.push_back(name);
  }
  return stale;
}

std::string NetLab::Missing() {
  if (geteuid() != 0) return "needs root: network namespaces are made";
  for (const char* tool : {"ip", "tc", "nft"}) {
    if (Run(Tool({"/bin/sh", "-c", absl::StrCat("command -v ", tool)})).code != 0) {
      return absl::StrCat("needs `", tool, "` (see cmake/debian-packages.txt; `make packages`)");
    }
  }
  const Finished probe = Run(Tool({"unshare", "--net", "--mount", "true"}));
  if (probe.code != 0) return "the kernel refuses a network namespace: " + probe.err;
  return "";
}

NetLab::NetLab() {
  for (const std::string& name : StaleLabs()) RemoveNamespace(name);
  for (const Host host : kAllHosts) {
    Do({"ip", "netns", "add", Name(host)});
    const std::string path = absl::StrCat(kNamespaces, "/", Name(host));
    namespaces_[static_cast<size_t>(host)] = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!Namespace(host).valid()) std::abort();
    Do({"ip", "-n", Name(host), "link", "set", "lo", "up"});
  }
  const auto link = [this](Host a, const std::string& name_a, const std::string& address_a, Host b,
                           const std::string& name_b, const std::string& address_b) {
    Do({"ip", "-n", Name(a), "link", "add", name_a, "type", "veth", "peer", "name", name_b, "netns",
        Name(b)});
    Do({"ip", "-n", Name(a), "address", "add", address_a + "/24", "dev", name_a});
    Do({"ip", "-n", Name(b), "address", "add", address_b + "/24", "dev", name_b});
    Do({"ip", "-n", Name(a), "link", "set", name_a, "up"});
    Do({"ip", "-n", Name(b), "link", "set", name_b, "up"});
  };
  link(Host::kClient, "direct", kClientDirect, Host::kServer, "direct", kServerDirect);
  link(Host::kClient, "routed", kClientRouted, Host::kRelay, "west", kRelayWest);
  link(Host::kServer, "routed", kServerRouted, Host::kRelay, "east", "203.0.113.2");
  Do({"ip", "-n", Name(Host::kClient), "route", "add", "203.0.113.0/24", "via", kRelayWest});
  Do({"ip", "-n", Name(Host::kServer), "route", "add", "198.51.100.0/24", "via", "203.0.113.2"});
  In(Host::kRelay, [] { WriteSetting("/proc/sys/net/ipv4/ip_forward", "1"); });
  // A default with internal pacing (bbr) would put its pauses between a send and the device. A
  // namespace may only take what the machine allows to all.
  const std::string allowed = ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control");
  const std::string pinned = allowed.find("cubic") != std::string::npos ? "cubic" : "reno";
  for (const Host host : kAllHosts) {
    In(host, [&] { WriteSetting("/proc/sys/net/ipv4/tcp_congestion_control", pinned); });
  }
}

NetLab::~NetLab() {
  for (const Host host : kAllHosts) RemoveNamespace(Name(host));
}

std::string NetLab::Name(Host host) const {
  return absl::StrCat("kb", getpid(), std::string(1, "crs"[static_cast<size_t>(host)]));
}

std::function<void()> NetLab::Enter(Host host) const {
  return [fd = Namespace(host).get()] { EnterForExec(fd); };
}

void NetLab::In(Host host, const std::function<void()>& work) const {
  std::thread([&] {
    if (setns(Namespace(host).get(), CLONE_NEWNET) != 0) std::abort();
    work();
  }).join();
}

void NetLab::ShapeInterface(Host host, const std::string& interface, const Shape& shape) const {
  Do({"tc", "-n", Name(host), "qdisc", "replace", "dev", interface, "root", "tbf", "rate",
      shape.rate, "burst", absl::StrCat(shape.burst_bytes), "latency",
      absl::StrCat(shape.queue_ms, "ms")});
}

void NetLab::ShapeEgress(Host host, const Shape& shape) const {
  ShapeInterface(host, "direct", shape);
}

void NetLab::ShapeDirect(const Shape& shape) const {
  ShapeEgress(Host::kClient, shape);
  ShapeEgress(Host::kServer, shape);
}

void NetLab::ShapeRouted(const Shape& shape) const {
  ShapeInterface(Host::kRelay, "west", shape);
  ShapeInterface(Host::kRelay, "east", shape);
}

void NetLab::Unshape() const {
  const std::pair<Host, const char*> all[] = {{Host::kClient, "direct"},
                                              {Host::kServer, "direct"},
                                              {Host::kRelay, "west"},
                                              {Host::kRelay, "east"}};
  for (const auto& [host, interface] : all) {
    if (Do({"tc", "-n", Name(host), "qdisc", "show", "dev", interface}).find("tbf") ==
        std::string::npos) {
      continue;
    }
    Do({"tc", "-n", Name(host), "qdisc", "delete", "dev", interface, "root"});
  }
}

void NetLab::LoseRouted(double share) const {
  LoseNothing();
  constexpr int kOf = 100'000;
  const auto nft = [this](const std::string& command) {
    Do({"nft", command}, Enter(Host::kRelay));
  };
  nft("add table ip lab");
  nft("add chain ip lab forward { type filter hook forward priority 0; }");
  nft("add rule ip lab forward counter");
  const auto lost = static_cast<int>(share * kOf);
  const std::string some =
      lost < kOf ? absl::StrCat("numgen random mod ", kOf, " < ", lost, " ") : "";
  nft(absl::StrCat("add rule ip lab forward ", some, "counter drop"));
}

void NetLab::LoseNothing() const {
  const std::string tables = Do({"nft", "list", "tables"}, Enter(Host::kRelay));
  if (tables.find("table ip lab") == std::string::npos) return;
  Do({"nft", "delete table ip lab"}, Enter(Host::kRelay));
}

NetLab::Loss NetLab::Losses() const {
  const nlohmann::json listed = nlohmann::json::parse(
      Do({"nft", "-j", "list", "chain", "ip", "lab", "forward"}, Enter(Host::kRelay)), nullptr,
      false);
  std::vector<uint64_t> counters;
  for (const auto& item : listed.value("nftables", nlohmann::json::array())) {
    if (!item.contains("rule")) continue;
    for (const auto& part : item.at("rule").at("expr")) {
      if (part.contains("counter")) counters.push_back(part.at("counter").at("packets"));
    }
  }
  EXPECT_EQ(counters.size(), 2u) << listed;
  if (counters.size() != 2) return {};
  return {.routed = counters[0] - counters[1], .lost = counters[1]};
}

void NetLab::DelayRouted(Nanos each_way) {
  const std::string relay = Name(Host::kRelay);
  const auto ip = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ip", "-n", relay});
    Do(arguments);
  };
  if (delay_ != nullptr) {
    for (const char* from : {"west", "east"}) ip({"rule", "delete", "iif", from});
    delay_ = nullptr;  // its interface goes, and the table's route with it
  }
  if (each_way == Nanos(0)) return;
  In(Host::kRelay, [&] {
    delay_ = std::make_unique<PacketDelay>(kDelayInterface, each_way);
    // What comes out of the interface has the address of a host that is elsewhere.
    for (const std::string which : {"all", kDelayInterface}) {
      WriteSetting(absl::StrCat("/proc/sys/net/ipv4/conf/", which, "/rp_filter"), "0");
    }
  });
  ip({"link", "set", kDelayInterface, "up"});
  ip({"route", "add", "default", "dev", kDelayInterface, "table", kDelayTable});
  for (const char* from : {"west", "east"}) ip({"rule", "add", "iif", from, "table", kDelayTable});
}

void NetLab::Offload(bool on) const {
  for (const Host host : kAllHosts) {
    In(host, [&] {
      const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      for (const std::string& interface : InterfacesOf(host)) {
        for (const uint32_t command : {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO}) {
          SetFeature(fd.get(), interface, command, on);
        }
      }
    });
  }
}

}  // namespace kbench::e2e
