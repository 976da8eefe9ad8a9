// Links of a known rate, and paths that lose packets: rows 6 and 7 of the table of acceptance.
//
// Rate: a run begins and ends with the token bucket anywhere between full and empty, which is 10 ms
// of the link's time: runs are long enough for 1 % of them to be more.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/acceptance.h"
#include "tests/e2e/lab_run.h"
#include "tests/e2e/netlab.h"
#include "tests/e2e/parts.h"
#include "tests/e2e/serialization.h"

namespace kbench::e2e {
namespace {

constexpr double kNsPerUs = 1e3;
constexpr double kNsPerMs = 1e6;
constexpr double kRate = 100e6;
constexpr int kRepetitions = 3;  // of one campaign

double NetworkMean(const LabRun& run) { return run.Parts(HasNetwork, "mean_ns"); }
double ClientUs(const LabRun& run) { return run.Parts(IsClient) / kNsPerUs; }
std::optional<double> ServerUs(const LabRun& run) {
  const std::optional<double> ns = run.Part(kServerPart);
  if (!ns.has_value()) return std::nullopt;
  return *ns / kNsPerUs;
}

// The time of a request is what the link needs for the larger of its two messages, and all of it is
// the network's. Shaped and unshaped campaigns take turns.
class Links : public LabTest {
 protected:
  void Serialization(int rounds, const std::vector<std::string>& transports, bool hosts_too) {
    const LabServer server(*lab_);
    LabCampaign shaped, unshaped;
    int round = 0;
    const auto add = [&](LabCampaign* to, const std::string& name, const std::string& load) {
      LabCampaign one = RunInLab(
          *lab_, absl::StrCat("name: ", name, "\nserver: {address: '", server.routed(),
                              "'}\nworkload: {op: [get, put], value_size: 64KiB, keys: 32}\n"
                              "transport: ",
                              YamlList(transports), "\nload: ", load,
                              "\nprobes: {sample_every: 4}\n"
                              // Between slow requests an idle CPU sleeps deeper, and wakes later.
                              "inject: {keep_awake: true}\n"
                              "run: {warmup: 200ms, duration: 1500ms, repetitions: ",
                              kRepetitions, "}\n"));
      to->foreign_cpus = std::max(to->foreign_cpus, one.foreign_cpus);
      for (LabRun& run : one.runs) {
        run.repetition += kRepetitions * round;
        to->runs.push_back(std::move(run));
      }
    };
    for (; round < rounds; ++round) {
      lab_->Unshape();
      // As far apart as the slow link lets them be: requests without a pause are served from warm
      // caches, and the link would be charged with what that saves.
      add(&unshaped, "unshaped",
          "{mode: open, arrival: constant, rate_total: 180/s, flows: 1, depth: 1}");
      lab_->ShapeRouted({.rate = "100mbit"});
      add(&shaped, "shaped", "{flows: 1, depth: 1}");
    }
    for (const std::string& transport : transports) {
      for (const std::string op : {"get", "put"}) {
        const std::map<std::string, std::string> cell = {{"transport", transport}, {"op", op}};
        const auto accept = [&](const std::string& quantity, const Measured& measured, double least,
                                double most, const std::string& unit) {
          Accept({.row = "6",
                  .injection = absl::StrCat("100 Mbit/s, ", op == "get" ? "GET" : "PUT",
                                            " 64 KiB, ", transport),
                  .quantity = quantity,
                  .measured = measured,
                  .least = least,
                  .most = most,
                  .unit = unit,
                  .foreign_cpus = shaped.foreign_cpus});
        };
        accept("time / serialisation",
               MedianOf(shaped.Values(cell,
                                      [&](const LabRun& run) {
                                        return run.Mean() /
                                               SerializationNs(op == "get" ? run.ResponseBytes()
                                                                           : run.RequestBytes(),
                                                               kRate);
                                      })),
               0.99, 1.01, "");
        const auto differences = [&](const RunNumber& number) {
          const std::map<int, double> before = unshaped.ByRepetition(cell, number);
          std::map<int, double> found;
          for (const auto& [repetition, value] : shaped.ByRepetition(cell, number)) {
            if (before.contains(repetition)) found[repetition] = value - before.at(repetition);
          }
          return found;
        };
        const auto added = [&](const RunNumber& number) {
          std::vector<double> values;
          for (const auto& [repetition, value] : differences(number)) values.push_back(value);
          return MedianOf(values);
        };
        const auto added_share = [&] {
          std::map<int, double> whole = differences([](const LabRun& run) { return run.Mean(); });
          std::vector<double> shares;
          for (const auto& [repetition, value] : differences(NetworkMean)) {
            shares.push_back(value / whole.at(repetition));
          }
          return shares;
        };
        accept("network's share of what was added", MedianOf(added_share()), 0.95, 1.05, "");
        if (!hosts_too) continue;
        // That the shaper takes time from the hosts is true of these hosts, within a bound.
        accept("server added", added(ServerUs), -1e12, 60, "us");
        accept("client added", added(ClientUs), -1e12, 35, "us");
      }
    }
  }
};

class LinksTable : public Links {};

// Bytes of it were sent again, as a host's packets show; by (connection, sequence).
std::set<std::pair<int64_t, uint64_t>> SentAgain(const LabRun& run) {
  std::set<std::pair<int64_t, uint64_t>> again;
  for (const result::WireTrace* wire : {&run.evidence.wire(), &run.server_wire}) {
    for (const result::WireRecord& record : wire->records()) {
      constexpr uint32_t kTwice =
          result::WireRecord::REQUEST_SEEN_TWICE | result::WireRecord::RESPONSE_SEEN_TWICE;
      if ((record.flags() & kTwice) != 0) again.insert({record.connection_id(), record.sequence()});
    }
  }
  return again;
}

// Of the requests that took longer than a retransmission time-out: how many are marked.
double MarkedShare(const LabCampaign& campaign, const Levels& cell) {
  constexpr int64_t kTimeoutNs = 150'000'000;  // the kernel's least is 200 ms
  int slow = 0, marked = 0;
  for (const LabRun& run : campaign.runs) {
    if (run.levels.at("transport") != cell.at("transport")) continue;
    const auto again = SentAgain(run);
    for (const result::OpSample& sample : run.evidence.samples()) {
      if (!sample.answered() || sample.decoded() - sample.submitted() < kTimeoutNs) continue;
      ++slow;
      marked += again.contains({sample.connection_id(), sample.sequence()});
    }
  }
  EXPECT_GE(slow, 10) << "nothing was lost";
  return slow == 0 ? 0 : static_cast<double>(marked) / slow;
}

// Packets are lost between the taps of both hosts: what TCP then waits is the network's. One
// request in 25 is hit, so that those near p99 are all of that kind.
TEST_F(LinksTable, Row7WhatIsLostBetweenTheTapsIsTheNetworks) {
  constexpr double kLoss = 0.02;
  const std::vector<std::string> transports = {"socket", "uring"};
  const LabServer server(*lab_);
  lab_->LoseRouted(kLoss);
  const LabCampaign campaign =
      RunInLab(*lab_, absl::StrCat("name: lossy\nserver: {address: '", server.routed(),
                                   "'}\nworkload: {op: get, value_size: 1KiB, keys: 64}\n"
                                   "transport: ",
                                   YamlList(transports),
                                   "\nload: {mode: open, arrival: constant, rate_total: 800/s, "
                                   "flows: 8, depth: 1}\n"
                                   "run: {warmup: 200ms, duration: 2s, repetitions: 5}\n"));
  const NetLab::Loss loss = lab_->Losses();
  lab_->LoseNothing();
  EXPECT_NEAR(static_cast<double>(loss.lost) / static_cast<double>(loss.lost + loss.routed), kLoss,
              0.01);
  constexpr const char* kTail = "mean_near_response_p99_ns";
  for (const std::string& transport : transports) {
    const Levels cell = {{"transport", transport}};
    const auto accept = [&](const std::string& quantity, const Measured& measured, double least,
                            double most, const std::string& unit) {
      Accept({.row = "7",
              .injection = absl::StrCat("2 % of packets lost between the taps, ", transport),
              .quantity = quantity,
              .measured = measured,
              .least = least,
              .most = most,
              .unit = unit,
              .foreign_cpus = campaign.foreign_cpus});
    };
    const auto all = [](std::string_view) { return true; };
    accept("response near p99",
           MedianOf(campaign.Values(
               cell, [&](const LabRun& run) { return run.Parts(all, kTail) / kNsPerMs; })),
           150, 1e12, "ms");
    accept("network's share of it",
           MedianOf(campaign.Values(cell,
                                    [&](const LabRun& run) {
                                      return run.Parts(HasNetwork, kTail) / run.Parts(all, kTail);
                                    })),
           0.99, 1, "");
    accept("server near p99 beyond its median",
           MedianOf(campaign.Values(cell,
                                    [](const LabRun& run) -> std::optional<double> {
                                      const std::optional<double> tail =
                                          run.Part(kServerPart, kTail);
                                      const std::optional<double> median = run.Part(kServerPart);
                                      if (!tail.has_value() || !median.has_value())
                                        return std::nullopt;
                                      return (*tail - *median) / kNsPerUs;
                                    })),
           -50, 50, "us");
    accept(
        "share of slow requests that are marked as sent again",
        [&] {
          const double share = MarkedShare(campaign, cell);
          return Measured{share, share, share};
        }(),
        0.99, 1, "");
  }
}

}  // namespace
}  // namespace kbench::e2e
