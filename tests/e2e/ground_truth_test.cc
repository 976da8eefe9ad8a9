// The separation held against injected truth, through the whole suite: real agents, real server,
// kernel stamps. A known service time must appear in the server part; a known network delay, made
// by a relay, in the network part; and every other part must stay where it was.
//
// Levels run interleaved in random blocks. What is compared is the median over the repetitions of
// each part's p50, so that one disturbed repetition does not decide; when five are not enough, more
// are made and all of them count. Requests come at the same fixed
// rate at every level, on one CPU that is kept awake: caches and CPU are then equally warm, and
// what moves is what was injected.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "agent/path/delay_relay.h"
#include "tests/base/judge.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/one_awake_cpu.h"
#include "tests/e2e/parts.h"

namespace kbench::e2e {
namespace {

constexpr double kUs = 1e3;

using Parts = std::map<std::string, double>;  // name -> p50 in ns, median over repetitions

double Median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

std::string Level(const nlohmann::json& cell, const std::string& axis) {
  for (const auto& level : cell.at("levels")) {
    if (level.at("axis") == axis) return level.at("value");
  }
  ADD_FAILURE() << "no level of " << axis << " in " << cell;
  return "";
}

// The parts of GET by transport and level of one axis, over all campaigns that were added.
class Doses {
 public:
  explicit Doses(std::string axis) : axis_(std::move(axis)) {}

  void Add(const CampaignRun& run) {
    const nlohmann::json manifest = run.Manifest();
    for (const auto& one : manifest.at("runs")) {
      const nlohmann::json& cell = manifest.at("cells").at(one.at("cell").get<size_t>());
      auto& p50s = p50s_[{Level(cell, "transport"), Level(cell, axis_)}];
      const nlohmann::json decomposition =
          ReadJson(run.result_dirs.back() + "/" + one.at("directory").get<std::string>() +
                   "/decomposition.json");
      for (const auto& part : decomposition.at("ops").at(0).at("parts")) {
        p50s[part.at("part")].push_back(part.at("p50_ns"));
      }
    }
  }

  Parts Of(const std::string& transport, const std::string& level) const {
    Parts parts;
    for (const auto& [name, values] : p50s_.at({transport, level})) parts[name] = Median(values);
    return parts;
  }

 private:
  std::string axis_;
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::vector<double>>> p50s_;
};

std::string Show(const Parts& parts) {
  std::string text;
  for (const auto& [name, ns] : parts) {
    text += "  " + name + " " + std::to_string(ns / kUs) + " us\n";
  }
  return text;
}

// What is wrong with "`moved` went from `before` to `after` by `expected` within `tolerance`; every
// other part stayed within 20 us"; empty when nothing is.
std::string OnlyMoved(const std::string& where, const std::string& moved, double expected,
                      double tolerance, const Parts& before, const Parts& after) {
  std::string wrong;
  for (const std::string name : {"wait", "client_encode", "client_submit", "client_send", "network",
                                 "server", "client_receive", "client_decode"}) {
    if (!before.contains(name) || !after.contains(name)) {
      wrong += name + " is missing\n";
      continue;
    }
    const double off = after.at(name) - before.at(name) - (name == moved ? expected : 0);
    if (std::abs(off) > (name == moved ? tolerance : 20 * kUs)) {
      wrong += name + " is off by " + std::to_string(off / kUs) + " us\n";
    }
  }
  if (wrong.empty()) return "";
  return where + ":\n" + wrong + "before:\n" + Show(before) + "after:\n" + Show(after);
}

// Runs five repetitions of every level, up to three times, until `wrong` has nothing to say of all
// that was measured so far.
void ExpectTruth(const std::string& yaml, const std::string& axis, size_t levels,
                 const std::function<std::string(const Doses&)>& wrong) {
  Doses doses(axis);
  std::string complaint;
  const ForeignCpu others;
  for (int round = 0; round < 3; ++round) {
    const TempDir dir;
    const CampaignRun run = RunCampaign(
        dir,
        yaml +
            "workload: {op: get, value_size: 4KiB, keys: 64}\n"
            "transport: [socket, epoll, uring]\n"
            "load: {mode: open, arrival: constant, rate_total: 250/s, flows: 1, depth: 8}\n"
            "probes: {sample_every: 1, passes: [sampled]}\n"
            "run: {warmup: 100ms, duration: 800ms, repetitions: 5, seed: " +
            std::to_string(7 + round) + "}\n",
        {"--local", "1"}, seconds(240));
    ASSERT_EQ(run.finished.code, 0) << run.finished.err;
    ASSERT_EQ(run.Manifest().at("cells").size(), 3 * levels);
    doses.Add(run);
    complaint = wrong(doses);
    if (complaint.empty()) return;
    std::cout << "after round " << round + 1 << ":\n" << complaint;
  }
  JudgeWhenQuiet(false,
                 {.what = "injected delays",
                  .figure = complaint,
                  .bound = "are to move one part, by what was injected"},
                 others.Cpus());
}

constexpr const char* kTransports[] = {"socket", "epoll", "uring"};

TEST(GroundTruth, InjectedServiceTimeMovesTheServerPartAndNothingElse) {
  const OneAwakeCpu cpu;
  ExpectTruth("name: service\nserver: {service_time: [get=0us, get=500us, get=2ms]}\n",
              "service_time", 3, [](const Doses& doses) {
                std::string wrong;
                for (const std::string transport : kTransports) {
                  const Parts none = doses.Of(transport, "get=0us");
                  for (const auto& [level, injected] :
                       {std::pair("get=500us", 500 * kUs), {"get=2ms", 2000 * kUs}}) {
                    wrong += OnlyMoved(transport + " " + level, "server", injected,
                                       std::max(0.05 * injected, 20 * kUs), none,
                                       doses.Of(transport, level));
                  }
                }
                return wrong;
              });
}

TEST(GroundTruth, ARelayMovesTheNetworkPartAndNothingElse) {
  const OneAwakeCpu cpu;
  Daemon server("kbench-server", {});
  const SocketAddress target = *Resolve(*ParseHostPort(server.address()));
  const auto prompt = *DelayRelay::Start({.server = target});
  const auto late = *DelayRelay::Start({.server = target, .delay = Millis(1)});
  ExpectTruth(
      "name: relay\nserver: {address: ['" + server.address() + "', '" + prompt->name() + "', '" +
          late->name() + "']}\n",
      "server", 3, [&](const Doses& doses) {
        // What the relays really added, by their own logs.
        const DelayRelay::Added more = late->added(), less = prompt->added();
        const auto added = static_cast<double>((more.up - less.up + more.down - less.down).count());
        std::string wrong;
        // The relay's timers are late, too: what it added is the truth, and about what was asked
        // for.
        if (std::abs(added - 2000 * kUs) > 0.05 * 2000 * kUs) {
          wrong = "the relay added " + std::to_string(added / kUs) + " us instead of 2000\n";
        }
        for (const std::string transport : kTransports) {
          // The delay alone: the same two hops and the same server's wake-up on both sides.
          const Parts hops = doses.Of(transport, prompt->name());
          wrong += OnlyMoved(transport + " by relay", "network", added, 0.05 * added, hops,
                             doses.Of(transport, late->name()));
          // A relay without a delay is two hops more of network, and no more of server or client.
          // These have more room: who wakes the server is another process in the one than in the
          // other.
          const Parts direct = doses.Of(transport, server.address());
          bool moved = false;
          for (const char* part : {"network", "server", "client_send", "client_receive"}) {
            const bool both = hops.contains(part) && direct.contains(part);
            const double added_by_hops = both ? hops.at(part) - direct.at(part) : 0;
            const bool network = part == kNetworkPart;
            moved = moved || !both ||
                    (network ? added_by_hops <= 0 : std::abs(added_by_hops) > 50 * kUs);
          }
          if (moved)
            wrong += "relay without delay, direct:\n" + Show(direct) + "by relay:\n" + Show(hops);
        }
        return wrong;
      });
}

}  // namespace
}  // namespace kbench::e2e
