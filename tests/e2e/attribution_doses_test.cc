// Known delays through the whole suite in the lab, and where the separation puts them: rows 1 to 5,
// 9 and 15 of the table of acceptance.
//
// Levels run interleaved in random blocks, at one fixed rate, on one CPU that is kept awake: what
// moves is then what was injected. A slope is Theil-Sen's over all runs' p50 of a part.
// AttributionTable is the long form, for `make table`; Attribution the short one, for every day.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/path/delay_relay.h"
#include "base/address.h"
#include "tests/e2e/acceptance.h"
#include "tests/e2e/lab_run.h"
#include "tests/e2e/netlab.h"
#include "tests/e2e/one_awake_cpu.h"
#include "tests/e2e/parts.h"

namespace kbench::e2e {
namespace {

constexpr double kNsPerUs = 1e3;
constexpr double kUnbounded = 1e12;

// One request at a time: one that is due before the last is answered is left out and counted, so
// that requests share no stamps when a busy machine holds them up.
constexpr const char* kLoad =
    "load: {mode: open, arrival: constant, rate_total: 400/s, flows: 1, depth: 1}\n"
    "probes: {sample_every: 1}\n";

// Levels of an axis, each with what it injects.
struct Dose {
  std::string level;
  double us = 0;
};

struct Doses {
  std::string axis;
  std::vector<Dose> doses;
};

std::string Levels(const std::vector<Dose>& doses) {
  std::vector<std::string> levels;
  for (const Dose& dose : doses) levels.push_back(dose.level);
  return YamlList(levels);
}

std::string Servers(const std::vector<Dose>& doses) {
  return "server: {address: " + Levels(doses) + "}\n";
}

std::string Repeat(int repetitions) {
  return absl::StrCat("run: {warmup: 100ms, duration: 500ms, seed: 11, repetitions: ", repetitions,
                      "}\n");
}

// Of one part's p50 in us, over the doses.
Measured SlopeOf(const LabCampaign& campaign, const std::string& transport, const Doses& doses,
                 const RunNumber& number) {
  std::vector<Point> points;
  for (const Dose& dose : doses.doses) {
    for (const double us :
         campaign.Values({{"transport", transport}, {doses.axis, dose.level}}, number)) {
      points.push_back({dose.us, us});
    }
  }
  return TheilSen(points);
}

// In us.
RunNumber PartP50(std::string_view part) {
  return [part](const LabRun& run) -> std::optional<double> {
    const std::optional<double> ns = run.Part(part);
    if (!ns.has_value()) return std::nullopt;
    return *ns / kNsPerUs;
  };
}

// Difference of a part's p50 between two servers, pairs being repetitions of the same number.
Measured Difference(const LabCampaign& campaign, const std::string& transport,
                    const std::string& from, const std::string& to, std::string_view part) {
  return MedianOf(campaign.Differences({{"transport", transport}, {"server", from}},
                                       {{"transport", transport}, {"server", to}}, PartP50(part)));
}

class Attribution : public LabTest {
 protected:
  // Row 2: a service time of 500 us, burnt or slept, is the server's, and no network's.
  void ServiceTimeOf500us(int repetitions, const std::vector<std::string>& transports) {
    const OneAwakeCpu cpu;
    const LabServer prompt(*lab_);
    const LabServer busy(*lab_, {"--service-time", "get=500us", "--service-model", "busy"});
    const LabServer sleeping(*lab_, {"--service-time", "get=500us", "--service-model", "sleep"});
    const LabCampaign campaign = RunInLab(
        *lab_, absl::StrCat("name: service\n",
                            Servers({{prompt.direct()}, {busy.direct()}, {sleeping.direct()}}),
                            "transport: ", YamlList(transports),
                            "\nworkload: {op: get, value_size: 1KiB, keys: 64}\n", kLoad,
                            Repeat(repetitions)));
    ASSERT_EQ(campaign.runs.size(), 3 * transports.size() * static_cast<size_t>(repetitions));
    for (const std::string& transport : transports) {
      for (const auto& [model, server] : {std::pair("busy", &busy), {"sleep", &sleeping}}) {
        const std::string injection = absl::StrCat("server ", model, " 500 us, ", transport);
        const auto added = [&](std::string_view part) {
          return Difference(campaign, transport, prompt.direct(), server->direct(), part);
        };
        Accept({.row = "2",
                .injection = injection,
                .quantity = "server added",
                .measured = added(kServerPart),
                .least = 500 - (0.02 * 500 + 10),
                .most = 500 + (0.02 * 500 + 10),
                .unit = "us",
                .foreign_cpus = campaign.foreign_cpus});
        Accept({.row = "2",
                .injection = injection,
                .quantity = "network added",
                .measured = added(kNetworkPart),
                .least = -3,
                .most = 3,
                .unit = "us",
                .foreign_cpus = campaign.foreign_cpus});
      }
    }
  }

  // Every part but `moved` stays where it was.
  void OthersStay(const std::string& row, const std::string& injection, const LabCampaign& campaign,
                  const std::string& transport, const Doses& doses, std::string_view moved,
                  double most) {
    const auto stays = [&](std::string_view part) {
      Accept({.row = row,
              .injection = injection,
              .quantity = absl::StrCat("slope of ", absl::string_view(part.data(), part.size())),
              .measured = SlopeOf(campaign, transport, doses, PartP50(part)),
              .least = -most,
              .most = most,
              .unit = "",
              .foreign_cpus = campaign.foreign_cpus});
    };
    std::vector<std::string_view> parts(kClientParts.begin(), kClientParts.end());
    parts.insert(parts.end(), {kServerPart, kNetworkPart});
    for (const std::string_view part : parts) {
      if (part != moved) stays(part);
    }
  }

  // Rows 3 and 4: what the client burns is its own.
  void ClientBurns(const std::string& row, const std::string& where, std::string_view part) {
    const OneAwakeCpu cpu;
    const LabServer server(*lab_);
    Doses doses{.axis = "inject_" + where, .doses = {}};
    for (const int us : {0, 25, 50, 100, 150, 200}) {
      doses.doses.push_back({us == 0 ? "0s" : absl::StrCat(us, "us"), static_cast<double>(us)});
    }
    const LabCampaign campaign =
        RunInLab(*lab_, absl::StrCat("name: burn\nserver: {address: '", server.direct(),
                                     "'}\ninject: {", where, ": ", Levels(doses.doses),
                                     "}\ntransport: [socket, epoll, uring]\n"
                                     "workload: {op: get, value_size: 1KiB, keys: 64}\n",
                                     kLoad, Repeat(6)));
    ASSERT_EQ(campaign.runs.size(), 6u * 3 * 6);
    for (const std::string transport : {"socket", "epoll", "uring"}) {
      const std::string injection =
          absl::StrCat("client burns 0 to 200 us in ", where, ", ", transport);
      Accept({.row = row,
              .injection = injection,
              .quantity = absl::StrCat("slope of ", absl::string_view(part.data(), part.size())),
              .measured = SlopeOf(campaign, transport, doses, PartP50(part)),
              .least = 0.99,
              .most = 1.01,
              .unit = "",
              .foreign_cpus = campaign.foreign_cpus});
      OthersStay(row, injection, campaign, transport, doses, part, 0.05);
    }
  }
};

class AttributionTable : public Attribution {};

TEST_F(Attribution, AServiceTimeIsTheServers) { ServiceTimeOf500us(3, {"socket", "uring"}); }

TEST_F(AttributionTable, Row1ABusyServersDosesAreTheServers) {
  const OneAwakeCpu cpu;
  std::vector<std::unique_ptr<LabServer>> servers;
  Doses doses{.axis = "server", .doses = {}};
  for (const int us : {0, 25, 50, 100, 150, 200}) {
    std::vector<std::string> arguments;
    if (us > 0) {
      arguments = {"--service-model", "busy", "--service-time", absl::StrCat("get=", us, "us")};
    }
    servers.push_back(std::make_unique<LabServer>(*lab_, arguments));
    doses.doses.push_back({servers.back()->direct(), static_cast<double>(us)});
  }
  const LabCampaign campaign =
      RunInLab(*lab_, absl::StrCat("name: doses\n", Servers(doses.doses),
                                   "transport: [socket, epoll, uring]\n"
                                   "workload: {op: get, value_size: 1KiB, keys: 64}\n",
                                   kLoad, Repeat(6)));
  ASSERT_EQ(campaign.runs.size(), 6u * 3 * 6);
  for (const std::string transport : {"socket", "epoll", "uring"}) {
    const std::string injection = "server busy 0 to 200 us, " + transport;
    Accept({.row = "1",
            .injection = injection,
            .quantity = "slope of server",
            .measured = SlopeOf(campaign, transport, doses, PartP50(kServerPart)),
            .least = 0.95,
            .most = 1.05,
            .unit = "",
            .foreign_cpus = campaign.foreign_cpus});
    OthersStay("1", injection, campaign, transport, doses, kServerPart, 0.05);
  }
}

TEST_F(AttributionTable, Row2AServiceTimeIsTheServers) {
  ServiceTimeOf500us(6, {"socket", "epoll", "uring"});
}

TEST_F(AttributionTable, Row3WhatTheClientBurnsBeforeItSendsIsEncode) {
  ClientBurns("3", "encode", "client_encode");
}

TEST_F(AttributionTable, Row4WhatTheClientBurnsAfterItReceivedIsDecode) {
  ClientBurns("4", "decode", "client_decode");
}

TEST_F(AttributionTable, Row5ARelaysDelaysAreTheNetworks) {
  const OneAwakeCpu cpu;
  const LabServer server(*lab_);
  std::vector<std::unique_ptr<DelayRelay>> relays;
  const int target_port = ParseHostPort(server.routed())->port;
  const SocketAddress target = *Resolve(*ParseHostPort(server.routed()));
  const SocketAddress listen = *Resolve({.host = NetLab::kRelayWest, .port = 0});
  lab_->In(Host::kRelay, [&] {
    for (const int us : {0, 300, 325, 350, 375, 400}) {
      relays.push_back(
          *DelayRelay::Start({.server = target, .delay = Micros(us), .listen = listen}));
    }
  });
  Doses doses{.axis = "server", .doses = {}};
  for (const auto& relay : relays) doses.doses.push_back({relay->name()});
  const LabCampaign campaign =
      RunInLab(*lab_,
               absl::StrCat("name: relay\n", Servers(doses.doses),
                            "transport: [socket, epoll, uring]\n"
                            "workload: {op: get, value_size: 1KiB, keys: 64}\n",
                            kLoad, Repeat(6)),
               {.server_port = target_port});
  ASSERT_EQ(campaign.runs.size(), 6u * 3 * 6);
  // A relay's timers are late, too: the truth is what it really added, by its own log.
  for (size_t i = 0; i < relays.size(); ++i) {
    const DelayRelay::Added added = relays[i]->added();
    doses.doses[i].us = static_cast<double>((added.up + added.down).count()) / kNsPerUs;
  }
  // The first relay holds nothing: what its two hops more take is no part of a dose.
  EXPECT_LT(doses.doses[0].us, 30);
  EXPECT_NEAR(doses.doses[1].us, 600, 30) << "the relay does not hold what it is to hold";
  for (const std::string transport : {"socket", "epoll", "uring"}) {
    const std::string injection = "relay 0 and 600 to 800 us round trip, " + transport;
    Accept({.row = "5",
            .injection = injection,
            .quantity = "slope of network",
            .measured = SlopeOf(campaign, transport, doses, PartP50(kNetworkPart)),
            .least = 0.97,
            .most = 1.03,
            .unit = "",
            .foreign_cpus = campaign.foreign_cpus});
    OthersStay("5", injection, campaign, transport, doses, kNetworkPart, 0.05);
    const double held = doses.doses[1].us - doses.doses[0].us;
    std::vector<double> off = campaign.Differences(
        {{"transport", transport}, {"server", doses.doses[0].level}},
        {{"transport", transport}, {"server", doses.doses[1].level}}, PartP50(kNetworkPart));
    for (double& us : off) us -= held;
    const double room = 0.02 * held + 15;
    Accept({.row = "5",
            .injection = absl::StrCat("relay 300 + 300 us against 0 + 0, ", transport),
            .quantity = "network added beyond the relays' logs",
            .measured = MedianOf(off),
            .least = -room,
            .most = room,
            .unit = "us",
            .foreign_cpus = campaign.foreign_cpus});
  }
}

// Milliseconds, and a server of which nothing is known but the packets on its host.
TEST_F(AttributionTable, Row5MillisecondsOfARelayAreTheNetworksByPacketsAlone) {
  const OneAwakeCpu cpu;
  const LabServer server(*lab_, {"--residence-records", "0"});
  std::vector<std::unique_ptr<DelayRelay>> relays;
  const int target_port = ParseHostPort(server.routed())->port;
  const SocketAddress target = *Resolve(*ParseHostPort(server.routed()));
  const SocketAddress listen = *Resolve({.host = NetLab::kRelayWest, .port = 0});
  lab_->In(Host::kRelay, [&] {
    for (const int ms : {0, 1, 5}) {
      relays.push_back(
          *DelayRelay::Start({.server = target, .delay = Millis(ms), .listen = listen}));
    }
  });
  Doses doses{.axis = "server", .doses = {}};
  for (const auto& relay : relays) doses.doses.push_back({relay->name()});
  const LabCampaign campaign =
      RunInLab(*lab_,
               absl::StrCat("name: milliseconds\n", Servers(doses.doses),
                            "transport: [socket, epoll, uring]\n"
                            "workload: {op: get, value_size: 1KiB, keys: 64}\n"
                            "load: {mode: open, arrival: constant, rate_total: 80/s, flows: 1, "
                            "depth: 1}\nprobes: {sample_every: 1}\n"
                            "run: {warmup: 100ms, duration: 1s, seed: 11, repetitions: 6}\n"),
               {.server_port = target_port});
  ASSERT_EQ(campaign.runs.size(), 3u * 3 * 6);
  for (size_t i = 0; i < relays.size(); ++i) {
    const DelayRelay::Added added = relays[i]->added();
    doses.doses[i].us = static_cast<double>((added.up + added.down).count()) / kNsPerUs;
  }
  for (const std::string transport : {"socket", "epoll", "uring"}) {
    for (const auto& [index, name] : {std::pair(1, "1 + 1"), std::pair(2, "5 + 5")}) {
      const double held = doses.doses[index].us - doses.doses[0].us;
      const double room = 0.02 * held + 15;
      const std::string injection =
          absl::StrCat("relay ", name, " ms against 0 + 0, packets alone, ", transport);
      const auto added = [&](std::string_view part) {
        return Difference(campaign, transport, doses.doses[0].level, doses.doses[index].level,
                          part);
      };
      Accept({.row = "5",
              .injection = injection,
              .quantity = "network added",
              .measured = added(kNetworkPart),
              .least = held - room,
              .most = held + room,
              .unit = "us",
              .foreign_cpus = campaign.foreign_cpus});
      Accept({.row = "5",
              .injection = injection,
              .quantity = "server added",
              .measured = added(kServerPart),
              .least = -15,
              .most = 15,
              .unit = "us",
              .foreign_cpus = campaign.foreign_cpus});
    }
  }
}

// A server that nobody can look into: all that is known is the client's total, of GET and of NOOP.
TEST_F(AttributionTable, Row15AClosedServersDifferenceIsFoundFromTotals) {
  constexpr int kRepetitions = 40;
  // In the difference of totals is all that moves with the operation: what a GET of one byte takes
  // the server beyond a NOOP (tests/bench/server_bench), and what a longer wait adds to other
  // parts, each of which may answer a twentieth of the dose (row 1).
  constexpr double kOwnWorkUs = 2;
  constexpr double kOthersAnswer = 0.1;
  const OneAwakeCpu cpu;
  for (const int us : {50, 200}) {
    const LabServer server(*lab_, {"--service-model", "busy", "--residence-records", "0",
                                   "--service-time", absl::StrCat("get=", us, "us")});
    const LabCampaign campaign =
        RunInLab(*lab_,
                 absl::StrCat("name: closed\n", Servers({{server.direct()}}),
                              "transport: [socket, epoll, uring]\n"
                              "workload: {op: [noop, get], value_size: 1B, keys: 64}\n",
                              kLoad, "run: {warmup: 50ms, duration: 250ms, seed: 11, repetitions: ",
                              kRepetitions, "}\n"),
                 {.pass = "sampled"});
    ASSERT_EQ(campaign.runs.size(), 2u * 3 * kRepetitions);
    for (const std::string transport : {"socket", "epoll", "uring"}) {
      const auto total = [](const LabRun& run) {
        return run.summary.at("service_p50_ns").get<double>() / kNsPerUs;
      };
      const std::vector<double> differences =
          campaign.Differences({{"transport", transport}, {"op", "noop"}},
                               {{"transport", transport}, {"op", "get"}}, total);
      ASSERT_EQ(differences.size(), size_t{kRepetitions});
      const Measured found = MedianOf(differences);
      const std::string injection = absl::StrCat("GET busy ", us, " us, NOOP 0, ", transport);
      // That the interval covers the truth is the claim; that it is narrow makes it one.
      Accept({.row = "15",
              .injection = injection,
              .quantity = "truth outside of the interval of GET - NOOP",
              .measured = {.value = std::max({0.0, found.low - us, us - found.high}),
                           .low = found.low,
                           .high = found.high},
              .least = 0,
              .most = kOwnWorkUs + kOthersAnswer * us,
              .unit = "us",
              .foreign_cpus = campaign.foreign_cpus});
      Accept({.row = "15",
              .injection = injection,
              .quantity = "width of that interval",
              .measured = {found.high - found.low, found.high - found.low, found.high - found.low},
              .least = -kUnbounded,
              .most = 0.5 * us,
              .unit = "us",
              .foreign_cpus = campaign.foreign_cpus});
    }
  }
}

}  // namespace
}  // namespace kbench::e2e
