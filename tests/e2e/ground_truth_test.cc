// The separation held against injected truth, through the whole suite: real agents, real server,
// kernel stamps. A known service time must appear in the server part; a known network delay, made
// by a relay, in the network part; and every other part must stay where it was.
//
// Levels run interleaved in random blocks. What is compared is the median over the repetitions of
// each part's p50, so that one disturbed repetition does not decide. Requests come at the same fixed
// rate at every level, on one CPU that is kept awake: caches and CPU are then equally warm, and what
// moves is what was injected.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/e2e/campaign_run.h"
#include "tests/e2e/one_awake_cpu.h"
#include "tests/e2e/relay.h"

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

// By (transport, level of `axis`), the parts of GET in a campaign's only result directory.
std::map<std::pair<std::string, std::string>, Parts> PartsByCell(const CampaignRun& run,
                                                                 const std::string& axis) {
  std::map<std::pair<std::string, std::string>, Parts> cells;
  const nlohmann::json manifest = run.Manifest();
  if (!manifest.contains("cells")) return cells;
  for (const auto& cell : manifest["cells"]) {
    std::map<std::string, std::vector<double>> p50s;
    for (const auto& one : manifest["runs"]) {
      if (one.at("cell") != cell.at("index")) continue;
      const nlohmann::json decomposition =
          ReadJson(run.result_dirs.front() + "/" + one.at("directory").get<std::string>() +
                   "/decomposition.json");
      for (const auto& part : decomposition.at("ops").at(0).at("parts")) {
        p50s[part.at("part")].push_back(part.at("p50_ns"));
      }
    }
    Parts& parts = cells[{Level(cell, "transport"), Level(cell, axis)}];
    for (auto& [name, values] : p50s) parts[name] = Median(values);
  }
  return cells;
}

std::string Show(const Parts& parts) {
  std::string text;
  for (const auto& [name, ns] : parts) {
    text += "  " + name + " " + std::to_string(ns / kUs) + " us\n";
  }
  return text;
}

// `moved` went from `before` to `after` by `expected` within `tolerance`; every other part stayed
// within 20 us.
void ExpectOnlyMoved(const std::string& where, const std::string& moved, double expected,
                     double tolerance, const Parts& before, const Parts& after) {
  std::cout << where << "\nbefore:\n" << Show(before) << "after:\n" << Show(after);
  SCOPED_TRACE(where + "\nbefore:\n" + Show(before) + "after:\n" + Show(after));
  const std::set<std::string> wanted = {"wait",   "client_user",           "client_kernel_send",
                                        "server", "client_kernel_receive", "client_decode",
                                        "network"};
  for (const std::string& name : wanted) {
    ASSERT_TRUE(before.contains(name)) << name;
    ASSERT_TRUE(after.contains(name)) << name;
    const double difference = after.at(name) - before.at(name);
    if (name == moved) {
      EXPECT_NEAR(difference, expected, tolerance) << name;
    } else {
      EXPECT_NEAR(difference, 0, 20 * kUs) << name;
    }
  }
}

constexpr const char* kWorkload =
    "workload: {op: get, value_size: 4KiB, keys: 64}\n"
    "transport: [socket, epoll, uring]\n"
    "load: {mode: open, arrival: constant, rate_total: 250/s, flows: 1, depth: 8}\n"
    "probes: {sample_every: 1}\n"
    "run: {warmup: 100ms, duration: 800ms, repetitions: 5, seed: 7}\n";

TEST(GroundTruth, InjectedServiceTimeMovesTheServerPartAndNothingElse) {
  const OneAwakeCpu cpu;
  const TempDir dir;
  const CampaignRun run =
      RunCampaign(dir,
                  std::string("name: service\n"
                              "server: {service_time: [get=0us, get=500us, get=2ms]}\n") +
                      kWorkload,
                  {"--local", "1"}, seconds(240));
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  auto cells = PartsByCell(run, "service_time");
  ASSERT_EQ(cells.size(), 9u);
  for (const std::string transport : {"socket", "epoll", "uring"}) {
    const Parts& none = cells[{transport, "get=0us"}];
    for (const auto& [level, injected] :
         std::map<std::string, double>{{"get=500us", 500 * kUs}, {"get=2ms", 2000 * kUs}}) {
      ExpectOnlyMoved(transport + " " + level, "server", injected,
                      std::max(0.05 * injected, 20 * kUs), none, cells[{transport, level}]);
    }
  }
}

TEST(GroundTruth, ARelayMovesTheNetworkPartAndNothingElse) {
  const OneAwakeCpu cpu;
  Daemon server("kbench-server", {});
  const Relay prompt(server.address(), Nanos(0));
  const Relay late(server.address(), Millis(1));
  const TempDir dir;
  const CampaignRun run = RunCampaign(dir,
                                      "name: relay\nserver: {address: ['" + server.address() +
                                          "', '" + prompt.address() + "', '" + late.address() +
                                          "']}\n" + kWorkload,
                                      {"--local", "1"}, seconds(240));
  ASSERT_EQ(run.finished.code, 0) << run.finished.err;
  auto cells = PartsByCell(run, "server");
  ASSERT_EQ(cells.size(), 9u);
  // What the relays really added, by their own logs.
  const double added =
      2.0 * static_cast<double>((late.MedianAdded() - prompt.MedianAdded()).count());
  EXPECT_NEAR(added, 2000 * kUs, 40 * kUs);
  for (const std::string transport : {"socket", "epoll", "uring"}) {
    // The delay alone: the same two hops and the same server's wake-up on both sides.
    ExpectOnlyMoved(transport, "network", added, 0.05 * added, cells[{transport, prompt.address()}],
                    cells[{transport, late.address()}]);
    // A relay without a delay is two hops more of network, and no more of server or client. Those
    // have more room here: who wakes the server is another process in the one than in the other.
    const Parts& direct = cells[{transport, server.address()}];
    const Parts& hops = cells[{transport, prompt.address()}];
    std::cout << "DIRECT\n" << Show(direct);
    EXPECT_GT(hops.at("network"), direct.at("network")) << transport;
    for (const std::string part : {"server", "client_kernel_send", "client_kernel_receive"}) {
      EXPECT_NEAR(hops.at(part), direct.at(part), 50 * kUs) << transport << " " << part;
    }
  }
}

}  // namespace
}  // namespace kbench::e2e
