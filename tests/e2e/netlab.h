// A small network of the test's own, inside this machine: three namespaces, so that client and
// server each have a host's network (addresses, interfaces, qdiscs, counters, packet taps) and
// nothing leaves the machine.
//
//            direct 192.0.2.1 -------------------------------- direct 192.0.2.2
//   client                                                                        server
//            routed 198.51.100.1 -- west .2 | relay | east 203.0.113.2 -- routed 203.0.113.1
//
// The direct path is one link: each of its two ends can be shaped (tbf on egress). The routed path
// goes through the relay, where packets can be lost or held back between the taps of both hosts,
// and where a user-space relay can listen. The names are kb<pid>c, kb<pid>r and kb<pid>s; nothing
// is made outside of them. They go with the lab; those of a test that was killed go when the next
// lab starts, by their dead pid. One lab at a time in a process.
//
// For a person: `ctest --preset release -L lab` runs what tests the lab itself. While a test runs,
// `ip netns list` names its namespaces, and `ip netns exec kb<pid>c ping 192.0.2.2` looks into it.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/base/judge.h"
#include "tests/e2e/acceptance.h"
#include "tests/e2e/packet_delay.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {

enum class Host { kClient, kRelay, kServer };

class NetLab {
 public:
  static constexpr const char* kClientDirect = "192.0.2.1";
  static constexpr const char* kServerDirect = "192.0.2.2";
  static constexpr const char* kClientRouted = "198.51.100.1";
  static constexpr const char* kServerRouted = "203.0.113.1";
  static constexpr const char* kRelayWest = "198.51.100.2";  // the relay, as the client sees it

  // Why this machine cannot have a lab: not root, no namespaces, a program is missing. Empty: it
  // can.
  static std::string Missing();

  // Removes what dead processes left, then makes the lab. A step that fails is a test failure that
  // names the command.
  NetLab();
  ~NetLab();
  NetLab(const NetLab&) = delete;
  NetLab& operator=(const NetLab&) = delete;

  std::string Name(Host host) const;

  // For Child and Daemon: puts a process that is about to be executed into the host's network,
  // with the host's own view of /sys. Valid as long as the lab.
  std::function<void()> Enter(Host host) const;
  // Runs `work` to its end in a thread on that host; threads and sockets that it makes are there,
  // too, wherever they are used afterwards.
  void In(Host host, const std::function<void()>& work) const;

  // What leaves one end of the direct link, through a token bucket. `rate` as for tc ("100mbit");
  // a burst that holds a 64 KiB packet lets it pass in one piece. The queue holds `queue_ms`.
  struct Shape {
    std::string rate;
    int64_t burst_bytes = 128 << 10;
    int queue_ms = 50;
  };
  void ShapeEgress(Host host, const Shape& shape) const;
  // Both directions alike.
  void ShapeDirect(const Shape& shape) const;
  // The relay's two interfaces: a slow link somewhere between the hosts. A queue on a host's own
  // egress is that host's: a packet stands in it before any tap sees it.
  void ShapeRouted(const Shape& shape) const;
  void Unshape() const;

  // Loses this share of the packets that the relay routes, both ways, by chance. A packet is what
  // the sender's TCP handed over: up to 64 KiB while segmentation is offloaded. 1: the link is cut,
  // and no host is told.
  void LoseRouted(double share) const;
  void LoseNothing() const;
  // Packets that the relay has routed or lost since LoseRouted().
  struct Loss {
    uint64_t routed = 0;
    uint64_t lost = 0;
  };
  Loss Losses() const;

  // Holds every packet that the relay routes back for this long, each way (zero: for no time); the
  // time of the relay's own thread comes on top, tens of microseconds.
  void DelayRouted(Nanos each_way);

  // Segmentation by the sender's device (TSO, GSO) and joining by the receiver's (GRO), on every
  // interface. Off: one packet per MSS everywhere.
  void Offload(bool on) const;

 private:
  static constexpr size_t kHosts = 3;

  void ShapeInterface(Host host, const std::string& interface, const Shape& shape) const;
  const Fd& Namespace(Host host) const { return namespaces_[static_cast<size_t>(host)]; }

  std::array<Fd, kHosts> namespaces_;  // kept open: setns needs no path
  std::unique_ptr<PacketDelay> delay_;
};

// Namespaces of labs whose process is gone; NetLab() removes them.
std::vector<std::string> StaleLabs();

// A test with a lab, skipped with the reason where there can be none.
class LabTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = NetLab::Missing(); !missing.empty()) GTEST_SKIP() << missing;
    lab_ = std::make_unique<NetLab>();
    not_judged_before_ = CountNotJudged();
  }
  // Nobody is to read "passed" where a busy machine left something unjudged.
  void TearDown() override {
    lab_ = nullptr;
    const int not_judged = CountNotJudged() - not_judged_before_;
    if (not_judged > 0) GTEST_SKIP() << not_judged << " claims were not judged";
  }

  std::unique_ptr<NetLab> lab_;

 private:
  int not_judged_before_ = 0;
};

}  // namespace kbench::e2e
