// The lab itself, before anything is measured in it: its paths answer, its shaped links carry what
// they are said to carry, it loses what it is told to lose, and nothing of it stays behind.

#include "tests/e2e/netlab.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tests/base/judge.h"

namespace kbench::e2e {
namespace {

std::string NamespacesNow() { return Run({"/usr/bin/env", "ls", "/run/netns"}).out; }

sockaddr_in At(const char* address, uint16_t port) {
  sockaddr_in at = {};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  inet_pton(AF_INET, address, &at.sin_addr);
  return at;
}

struct Listening {
  Fd fd;
  uint16_t port = 0;
};

// A listener of the server's host, on all its addresses.
Listening Listen(const NetLab& lab) {
  Listening listening;
  lab.In(Host::kServer, [&] {
    listening.fd = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any = At("0.0.0.0", 0);
    socklen_t length = sizeof(any);
    if (bind(listening.fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)) != 0 ||
        listen(listening.fd.get(), 4) != 0 ||
        getsockname(listening.fd.get(), reinterpret_cast<sockaddr*>(&any), &length) != 0) {
      std::abort();
    }
    listening.port = ntohs(any.sin_port);
  });
  return listening;
}

Fd ConnectFromClient(const NetLab& lab, const char* address, uint16_t port) {
  Fd fd;
  lab.In(Host::kClient, [&] {
    fd = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = At(address, port);
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0)
        << "connect to " << address << ": " << std::strerror(errno);
  });
  return fd;
}

// A connection of two ends, client's and server's.
struct Pair {
  Fd client;
  Fd server;
};

Pair Connect(const NetLab& lab, const char* address) {
  const Listening listening = Listen(lab);
  Pair pair;
  pair.client = ConnectFromClient(lab, address, listening.port);
  pair.server = Fd(accept4(listening.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int on = 1;
  setsockopt(pair.server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return pair;
}

// Round trips of one byte, sorted.
std::vector<Nanos> Echo(const Pair& pair, int times) {
  const timeval patience = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(pair.client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::thread echo([&] {
    char byte = 0;
    while (recv(pair.server.get(), &byte, 1, 0) == 1) send(pair.server.get(), &byte, 1, 0);
  });
  std::vector<Nanos> took;
  for (int i = 0; i < times; ++i) {
    char byte = static_cast<char>(i), back = 0;
    const MonoTime begin = MonoNow();
    if (send(pair.client.get(), &byte, 1, 0) != 1 || recv(pair.client.get(), &back, 1, 0) != 1) {
      break;
    }
    took.push_back(MonoNow() - begin);
    EXPECT_EQ(back, byte);
  }
  shutdown(pair.client.get(), SHUT_RDWR);
  echo.join();
  std::sort(took.begin(), took.end());
  return took;
}

// Payload bits per second that arrive at `to` while `from` sends all the time: over the last 3/4,
// when the connection has grown its window.
double Goodput(int from, int to, Nanos duration) {
  std::thread sender([from] {
    const std::vector<char> bytes(256 << 10);
    while (send(from, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  std::vector<char> bytes(256 << 10);
  const MonoTime begin = MonoNow();
  const MonoTime counted_from = begin + duration / 4;
  MonoTime first(0), last(0);
  uint64_t counted = 0;
  const timeval patience = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  while (MonoNow() < begin + duration) {
    const ssize_t n = recv(to, bytes.data(), bytes.size(), 0);
    if (n <= 0) break;
    last = MonoNow();
    if (last < counted_from) continue;
    if (first.ns() == 0) {
      first = last;  // these bytes came before the time that counts
    } else {
      counted += static_cast<uint64_t>(n);
    }
  }
  shutdown(to, SHUT_RDWR);
  shutdown(from, SHUT_RDWR);  // else the sender may wait for room for ever
  sender.join();
  return static_cast<double>(counted) * 8e9 / static_cast<double>((last - first).count());
}

// TCP with time stamps carries 1448 bytes in a frame of 1514.
constexpr double kGoodputShare = 1448.0 / 1514.0;

TEST_F(LabTest, BothPathsAnswer) {
  for (const char* path : {NetLab::kServerDirect, NetLab::kServerRouted}) {
    const std::vector<Nanos> took = Echo(Connect(*lab_, path), 2000);
    ASSERT_EQ(took.size(), 2000u) << path;
    std::cout << path << ": echo floor " << static_cast<double>(took[2].count()) / 1e3
              << " us, median " << static_cast<double>(took[1000].count()) / 1e3 << " us\n";
  }
}

TEST_F(LabTest, AShapedLinkCarriesItsRateBothWays) {
  struct Link {
    const char* rate;
    double bits_per_s;
  };
  for (const Link& link : {Link{"100mbit", 100e6}, Link{"2500mbit", 2.5e9}}) {
    lab_->ShapeDirect({.rate = link.rate});
    for (const bool up : {true, false}) {
      double goodput = 0, foreign = 0;
      for (int attempt = 0; attempt < 3; ++attempt) {
        const Pair pair = Connect(*lab_, NetLab::kServerDirect);
        const ForeignCpu others;
        const int client = pair.client.get(), server = pair.server.get();
        goodput = Goodput(up ? client : server, up ? server : client, Seconds(2));
        foreign = others.Cpus();
        if (foreign <= kForeignMost) break;
      }
      std::cout << link.rate << (up ? " up" : " down") << ": " << goodput / 1e6 << " Mbit/s of "
                << link.bits_per_s * kGoodputShare / 1e6 << "; others used " << foreign
                << " CPUs\n";
      const double share = goodput / (link.bits_per_s * kGoodputShare);
      EXPECT_LE(share, 1.03) << link.rate << (up ? " up" : " down");
      JudgeWhenQuiet(
          share >= 0.97,
          {.what = absl::StrCat("share of a link's rate, ", link.rate, up ? " up" : " down"),
           .figure = absl::StrCat(share),
           .bound = "at least 0.97"},
          foreign);
    }
  }
  lab_->Unshape();
  const Pair pair = Connect(*lab_, NetLab::kServerDirect);
  const ForeignCpu others;
  const double unshaped = Goodput(pair.client.get(), pair.server.get(), Seconds(1));
  JudgeWhenQuiet(unshaped > 2.6e9 * kGoodputShare,
                 {.what = "goodput of a link whose shape was taken away",
                  .figure = absl::StrCat(unshaped / 1e6, " Mbit/s"),
                  .bound = "more than its shape let through"},
                 others.Cpus());
}

TEST_F(LabTest, LosesTheShareThatItIsTold) {
  lab_->Offload(false);
  lab_->LoseRouted(0.02);
  const Pair pair = Connect(*lab_, NetLab::kServerRouted);
  Goodput(pair.client.get(), pair.server.get(), Seconds(2));
  const NetLab::Loss loss = lab_->Losses();
  const double all = static_cast<double>(loss.routed + loss.lost);
  const double share = static_cast<double>(loss.lost) / all;
  tcp_info info = {};
  socklen_t length = sizeof(info);
  ASSERT_EQ(getsockopt(pair.client.get(), IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  std::cout << "lost " << loss.lost << " of " << all << " packets; client retransmitted "
            << info.tcpi_total_retrans << "\n";
  ASSERT_GT(all, 1000);
  EXPECT_NEAR(share, 0.02, 4 * std::sqrt(0.02 * 0.98 / all));  // four deviations
  EXPECT_GT(info.tcpi_total_retrans, 0u);
  lab_->LoseRouted(0);
  Echo(Connect(*lab_, NetLab::kServerRouted), 200);
  EXPECT_EQ(lab_->Losses().lost, 0u);
  EXPECT_GT(lab_->Losses().routed, 400u);
  lab_->LoseNothing();
}

TEST_F(LabTest, HoldsPacketsBackAsLongAsItIsTold) {
  const auto median = [&] {
    const std::vector<Nanos> took = Echo(Connect(*lab_, NetLab::kServerRouted), 100);
    return took.empty() ? Nanos(0) : took[took.size() / 2];
  };
  const ForeignCpu others;
  const Nanos before = median();
  for (const Nanos each_way : {Millis(2), Micros(500)}) {
    lab_->DelayRouted(each_way);
    const Nanos held = median();
    std::cout << "held " << each_way.count() << " ns each way: a round trip of " << held.count()
              << " ns\n";
    EXPECT_GE(held, each_way * 2);
    JudgeWhenQuiet(
        held < each_way * 2 + Millis(1),
        {.what = absl::StrCat("a round trip that is held ", each_way.count(), " ns each way"),
         .figure = absl::StrCat(held.count(), " ns"),
         .bound = "at most 1 ms more"},
        others.Cpus());
  }
  lab_->DelayRouted(Nanos(0));
  ASSERT_GT(before, Nanos(0));
  const Nanos after = median();
  JudgeWhenQuiet(after < Micros(800),
                 {.what = "a round trip that is held no longer",
                  .figure = absl::StrCat(after.count(), " ns"),
                  .bound = "less than 800 us"},
                 others.Cpus());
  // And a connection that is busy gets on.
  lab_->DelayRouted(Millis(1));
  const Pair pair = Connect(*lab_, NetLab::kServerRouted);
  const double goodput = Goodput(pair.client.get(), pair.server.get(), Seconds(1));
  EXPECT_GT(goodput, 0);
  JudgeWhenQuiet(goodput > 50e6,
                 {.what = "goodput over a path that holds packets",
                  .figure = absl::StrCat(goodput / 1e6, " Mbit/s"),
                  .bound = "more than 50"},
                 others.Cpus());
}

TEST_F(LabTest, WithoutOffloadNoPacketIsLargerThanTheLinks) {
  const auto packets = [&](const char* what) {
    uint64_t count = 0;
    // Counted by the relay's own interface, where packets are as large as the hosts made them.
    const Finished f = e2e::Run({"/bin/cat", std::string("/sys/class/net/west/statistics/") + what},
                                seconds(60), lab_->Enter(Host::kRelay));
    EXPECT_EQ(f.code, 0) << f.err;
    if (f.code == 0) count = std::stoull(f.out);
    return count;
  };
  for (const bool offload : {false, true}) {
    lab_->Offload(offload);
    const uint64_t packets_before = packets("rx_packets"), bytes_before = packets("rx_bytes");
    const Pair pair = Connect(*lab_, NetLab::kServerRouted);
    Goodput(pair.client.get(), pair.server.get(), Millis(500));
    const double mean = static_cast<double>(packets("rx_bytes") - bytes_before) /
                        static_cast<double>(packets("rx_packets") - packets_before);
    std::cout << "offload " << (offload ? "on" : "off") << ": " << mean << " bytes a packet\n";
    if (offload) {
      EXPECT_GT(mean, 1514);
    } else {
      EXPECT_LE(mean, 1514);
    }
  }
}

TEST_F(LabTest, AProgramSeesTheNetworkOfItsHostAlone) {
  const auto interfaces = [&](Host host) {
    return e2e::Run({"/bin/ls", "/sys/class/net"}, seconds(60), lab_->Enter(host)).out;
  };
  EXPECT_EQ(interfaces(Host::kClient), "direct\nlo\nrouted\n");
  EXPECT_EQ(interfaces(Host::kRelay), "east\nlo\nwest\n");
  // And this process is where it was.
  std::string outside;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net")) {
    outside += entry.path().filename().string() + " ";
  }
  EXPECT_EQ(outside.find("direct"), std::string::npos) << outside;
}

TEST(Lab, LeavesNothingBehind) {
  if (const std::string missing = NetLab::Missing(); !missing.empty()) GTEST_SKIP() << missing;
  const std::string mine = "kb" + std::to_string(getpid());
  {
    const NetLab lab;
    EXPECT_NE(NamespacesNow().find(lab.Name(Host::kRelay)), std::string::npos);
  }
  EXPECT_EQ(NamespacesNow().find(mine), std::string::npos) << NamespacesNow();
}

TEST(Lab, WhatAKilledTestLeftGoesWhenTheNextStarts) {
  if (const std::string missing = NetLab::Missing(); !missing.empty()) GTEST_SKIP() << missing;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const NetLab lab;
    if (write(ready[1], "x", 1) != 1) _exit(1);
    while (true) pause();
  }
  close(ready[1]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  const std::string left = "kb" + std::to_string(child);
  {
    // The lab of a process that lives is left alone.
    const NetLab lab;
    EXPECT_NE(NamespacesNow().find(left), std::string::npos);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const std::vector<std::string> stale = StaleLabs();
  EXPECT_EQ(std::count_if(stale.begin(), stale.end(),
                          [&](const std::string& name) { return name.starts_with(left); }),
            3);
  {
    const NetLab lab;
    EXPECT_EQ(NamespacesNow().find(left), std::string::npos) << NamespacesNow();
  }
}

}  // namespace
}  // namespace kbench::e2e
