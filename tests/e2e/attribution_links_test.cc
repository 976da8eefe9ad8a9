// Links of a known rate: row 6 of the table of acceptance.
//
// A run begins and ends with the token bucket anywhere between full and empty, which is 10 ms of
// the link's time: runs are long enough for 1 % of them to be more.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
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
    const auto add = [&](LabCampaign* to, const std::string& name) {
      LabCampaign one = RunInLab(
          *lab_, absl::StrCat("name: ", name, "\nserver: {address: '", server.routed(),
                              "'}\nworkload: {op: [get, put], value_size: 64KiB, keys: 32}\n"
                              "transport: ",
                              YamlList(transports),
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
      add(&unshaped, "unshaped");
      lab_->ShapeRouted({.rate = "100mbit"});
      add(&shaped, "shaped");
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

TEST_F(Links, ASlowLinksSerializationIsTheNetworks) {
  Serialization(1, {"socket", "uring"}, /*hosts_too=*/false);
}

TEST_F(LinksTable, Row6ASlowLinksSerializationIsTheNetworks) {
  Serialization(2, {"socket", "epoll", "uring"}, /*hosts_too=*/true);
}

}  // namespace
}  // namespace kbench::e2e
