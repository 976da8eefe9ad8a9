// The kernel's texts and answers, as they were read on real machines, and what is understood of
// them.
#include "agent/host/host_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/host/host_monitor.h"

namespace kbench {
namespace {

using testing::HasSubstr;

constexpr char kStat[] =
    "cpu  100 20 30 4000 50 6 7 8 9 10\n"
    "cpu0 50 10 15 2000 25 3 3 4 4 5\n"
    "cpu1 50 10 15 2000 25 3 4 4 5 5\n"
    "intr 12345 0 0\n"
    "ctxt 99\n"
    "softirq 1 2 3\n";

TEST(CpuTimes, AreThoseOfAllCpusWithoutIdleWaitAndSteal) {
  const auto times = ParseCpuTimes(kStat, 100);
  ASSERT_TRUE(times.has_value());
  EXPECT_EQ(times->busy, Millis(10) * (100 + 20 + 30 + 6 + 7)) << "guests are in user";
  EXPECT_EQ(times->steal, Millis(80));
  EXPECT_EQ(times->softirq, Millis(70));
  EXPECT_EQ(times->cpus, 2u);
}

TEST(CpuTimes, AreNotGuessed) {
  EXPECT_FALSE(ParseCpuTimes("", 100).has_value());
  EXPECT_FALSE(ParseCpuTimes("cpu0 1 2 3 4 5 6 7 8\n", 100).has_value());
  EXPECT_FALSE(ParseCpuTimes("cpu  1 2 3 4 5 6 7\n", 100).has_value()) << "no steal";
  EXPECT_FALSE(ParseCpuTimes("cpu  1 2 3 four 5 6 7 8\n", 100).has_value());
  EXPECT_FALSE(ParseCpuTimes(kStat, 0).has_value());
}

TEST(CpuTimes, OfThisMachineGrow) {
  const auto before = ReadCpuTimes();
  ASSERT_TRUE(before.has_value());
  EXPECT_GT(before->busy, Nanos());
  EXPECT_EQ(before->cpus, static_cast<uint32_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  const Nanos busy_until = before->busy;
  const MonoTime deadline = MonoNow() + Seconds(30);
  while (ReadCpuTimes()->busy == busy_until) ASSERT_LT(MonoNow(), deadline);
}

TEST(Pressure, IsTheTotalOfSome) {
  EXPECT_EQ(ParsePressure("some avg10=82.60 avg60=84.39 avg300=81.91 total=15203810294\n"
                          "full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"),
            Micros(15'203'810'294));
  EXPECT_EQ(ParsePressure("full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"), std::nullopt);
  EXPECT_EQ(ParsePressure(""), std::nullopt);
}

class IdleState : public testing::Test {
 protected:
  IdleState() : root_(testing::TempDir() + absl::StrCat("/idle-", getpid())) {}
  ~IdleState() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + "/" + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text << "\n";
  }
  void State(const std::string& cpu, int number, const std::string& name, int latency_us,
             bool disabled = false) {
    const std::string state = absl::StrCat(cpu, "/cpuidle/state", number, "/");
    Write(state + "name", name);
    Write(state + "latency", absl::StrCat(latency_us));
    Write(state + "disable", disabled ? "1" : "0");
  }

  std::string root_;
};

TEST_F(IdleState, IsTheDeepestThatIsAllowed) {
  State("cpu0", 0, "POLL", 0);
  State("cpu0", 1, "C1", 2);
  State("cpu0", 2, "C6", 133);
  State("cpu3", 0, "POLL", 0);
  State("cpu3", 1, "C1", 2);
  State("cpu3", 2, "C6", 133, /*disabled=*/true);
  Write("cpu0/cpufreq/scaling_governor", "performance");
  EXPECT_EQ(DescribeIdleState(root_, {0, 3}),
            "C1, 2 us to leave (cpu3); C6, 133 us to leave (cpu0); governor performance");
}

TEST_F(IdleState, SaysWhenThereIsNoDriver) {
  EXPECT_EQ(DescribeIdleState(root_, {0, 1}),
            "no cpuidle driver (cpu0 cpu1); no frequency governor");
}

// One message of an answer to RTM_GETQDISC, as the kernel lays it out.
std::string QdiscMessage(int interface, uint32_t parent, const std::string& kind, uint32_t backlog,
                         uint32_t drops) {
  const auto attribute = [](uint16_t type, const std::string& payload) {
    rtattr header = {.rta_len = static_cast<uint16_t>(RTA_LENGTH(payload.size())),
                     .rta_type = type};
    std::string out(reinterpret_cast<const char*>(&header), sizeof(header));
    out += payload;
    out.resize(RTA_ALIGN(out.size()));
    return out;
  };
  gnet_stats_queue queue = {};
  queue.backlog = backlog;
  queue.drops = drops;
  const std::string stats =
      attribute(TCA_STATS_BASIC, std::string(16, '\0')) +
      attribute(TCA_STATS_QUEUE, std::string(reinterpret_cast<char*>(&queue), sizeof(queue)));
  tcmsg message = {};
  message.tcm_ifindex = interface;
  message.tcm_parent = parent;
  std::string body(reinterpret_cast<char*>(&message), sizeof(message));
  body += attribute(TCA_KIND, kind + '\0') + attribute(TCA_STATS2, stats);
  nlmsghdr header = {};
  header.nlmsg_len = static_cast<uint32_t>(NLMSG_LENGTH(body.size()));
  header.nlmsg_type = RTM_NEWQDISC;
  return std::string(reinterpret_cast<char*>(&header), sizeof(header)) + body;
}

std::string DoneMessage() {
  nlmsghdr header = {};
  header.nlmsg_len = NLMSG_LENGTH(4);
  header.nlmsg_type = NLMSG_DONE;
  return std::string(reinterpret_cast<char*>(&header), sizeof(header)) + std::string(4, '\0');
}

TEST(Qdiscs, HaveKindPlaceBacklogAndDrops) {
  const std::string answer = QdiscMessage(2, TC_H_ROOT, "fq_codel", 95'000, 3) +
                             QdiscMessage(2, 0x10001, "pfifo", 7, 0) + DoneMessage();
  bool done = false;
  const std::vector<Qdisc> qdiscs = ParseQdiscs(AsBytes(answer), &done);
  EXPECT_TRUE(done);
  ASSERT_EQ(qdiscs.size(), 2u);
  EXPECT_EQ(qdiscs[0].interface, 2);
  EXPECT_EQ(qdiscs[0].kind, "fq_codel");
  EXPECT_TRUE(qdiscs[0].root);
  EXPECT_EQ(qdiscs[0].backlog_bytes, 95'000u);
  EXPECT_EQ(qdiscs[0].drops, 3u);
  EXPECT_FALSE(qdiscs[1].root);
}

TEST(Qdiscs, AnyCutOffAnswerIsPassedOver) {
  const std::string answer = QdiscMessage(2, TC_H_ROOT, "fq", 95'000, 3);
  for (size_t size = 0; size < answer.size(); ++size) {
    bool done = false;
    EXPECT_TRUE(ParseQdiscs(AsBytes(answer.substr(0, size)), &done).empty()) << size;
    EXPECT_FALSE(done);
  }
  // Lengths that lie about what is inside.
  for (size_t at = 0; at < answer.size(); ++at) {
    std::string broken = answer;
    broken[at] = '\xff';
    bool done = false;
    EXPECT_LE(ParseQdiscs(AsBytes(broken), &done).size(), 1u);
  }
}

TEST(Link, TowardsAnAddressOfThisHostIsLoopback) {
  EXPECT_EQ(*InterfaceTowards(*Resolve({.host = "127.0.0.1", .port = 1})), "lo");
  LinkWatch watch("lo");
  watch.Look();
  watch.Look();
  const LinkUse use = watch.use();
  EXPECT_EQ(use.interface, "lo");
  EXPECT_EQ(use.qdisc, "noqueue");
  EXPECT_EQ(use.backlog_samples, 2u);
  EXPECT_GE(use.sent_bytes, 0u);
}

TEST(HostMonitor, LooksFromTheWindowsBeginToItsEnd) {
  const MonoTime from = MonoNow() + Millis(20);
  HostMonitor monitor({.server = {}, .cpus = {0}, .from = from, .until = from + Millis(250)});
  while (MonoNow() < from + Millis(260)) continue;
  const HostUse use = monitor.Finish();
  EXPECT_GE(use.samples, 2u);
  EXPECT_LE(use.samples, 4u);
  EXPECT_GT(use.own, Nanos()) << "this test spins";
  EXPECT_THAT(use.idle_state, HasSubstr("cpu0"));
  EXPECT_TRUE(use.links.empty());
}

TEST(HostMonitor, EndsWhenItIsToldEvenBeforeTheWindow) {
  HostMonitor monitor({.server = {}, .cpus = {}, .from = MonoNow() + Seconds(3600), .until = {}});
  const HostUse use = monitor.Finish();
  EXPECT_EQ(use.samples, 0u);
  EXPECT_EQ(use.window, Nanos());
}

}  // namespace
}  // namespace kbench
