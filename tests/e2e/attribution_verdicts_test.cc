// What a report says where the naive reading is wrong: rows 9, 10 and 13 of the table of
// acceptance. A slow client whose answers wait in its socket, a server that reads slowly, a send
// buffer that is too small for the path, a server that sleeps and one that is full, a queue on the
// client's egress.

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/base/judge.h"
#include "tests/e2e/acceptance.h"
#include "tests/e2e/lab_run.h"
#include "tests/e2e/netlab.h"
#include "tests/e2e/parts.h"

namespace kbench::e2e {
namespace {

constexpr double kNsPerUs = 1e3;
const std::vector<std::string> kTransports = {"socket", "uring"};

std::string Transports() { return absl::StrCat("transport: ", YamlList(kTransports), "\n"); }

// How often a report was right, over cells and campaigns.
class Score {
 public:
  Score(std::string row, std::string injection)
      : row_(std::move(row)), injection_(std::move(injection)) {}

  void Count(const LabCampaign& campaign, bool right, const std::string& said) {
    ++asked_;
    right_ += right;
    foreign_cpus_ = std::max(foreign_cpus_, campaign.foreign_cpus);
    if (!right) std::cout << injection_ << ": the report says\n" << said;
  }
  void Judge() const {
    const double share = static_cast<double>(right_) / std::max(1, asked_);
    Accept({.row = row_,
            .injection = absl::StrCat(injection_, ", ", asked_, " reports"),
            .quantity = "share of right verdicts",
            .measured = {share, share, share},
            .least = 1,
            .most = 1,
            .unit = "",
            .foreign_cpus = foreign_cpus_});
  }

 private:
  const std::string row_;
  const std::string injection_;
  int asked_ = 0;
  int right_ = 0;
  double foreign_cpus_ = 0;
};

class Verdicts : public LabTest {
 protected:
  // A server that burns 5 ms for every MiB that it takes, and does not read meanwhile. Nothing is
  // known of its host: the client's own TCP has to tell.
  void SlowReader(int rounds) {
    const LabServer server(*lab_, {"--service-model", "busy", "--residence-records", "0",
                                   "--service-time", "put=5ms"});
    Score score("10", "server reads slowly, nobody looks into it");
    for (int i = 0; i < rounds; ++i) {
      const LabCampaign campaign =
          RunInLab(*lab_,
                   absl::StrCat("name: reader\nserver: {address: '", server.direct(),
                                "'}\nworkload: {op: put, value_size: 1MiB, keys: 8}\n",
                                Transports(), "load: {depth: 16}\nprobes: {sample_every: 1}\n",
                                "run: {warmup: 200ms, duration: 800ms, repetitions: 2}\n"),
                   {.pass = "sampled", .baselines = true});
      for (const std::string& transport : kTransports) {
        const Levels cell = {{"transport", transport}};
        const std::string cause = campaign.Findings(cell, "cause");
        const std::string full = campaign.Findings(cell, "saturation");
        score.Count(campaign,
                    absl::StrContains(cause, "charged to the server's receive window") &&
                        !absl::StrContains(full, "link saturated"),
                    cause + full);
      }
    }
    score.Judge();
  }

  // A send buffer of 64 KiB (as the kernel counts) on a path with a round trip of 4 ms, beside one
  // that may grow.
  void SmallSendBuffer(int rounds) {
    const LabServer server(*lab_);
    lab_->DelayRouted(Millis(2));
    Score small("10", "send buffer of 32 KiB, round trip of 4 ms");
    Score free("10", "send buffer that may grow, round trip of 4 ms");
    for (int i = 0; i < rounds; ++i) {
      const LabCampaign campaign =
          RunInLab(*lab_,
                   absl::StrCat("name: buffer\nserver: {address: '", server.routed(),
                                "'}\nworkload: {op: put, value_size: 256KiB, keys: 8}\n",
                                Transports(), "load: {depth: 8}\nprobes: {sample_every: 1}\n",
                                "socket: {send_buffer: [0, 32KiB]}\n"
                                "run: {warmup: 300ms, duration: 600ms, repetitions: 2}\n"),
                   {.baselines = true, .routed = true});
      for (const std::string& transport : kTransports) {
        for (const std::string size : {"0", "32KiB"}) {
          const Levels cell = {{"transport", transport}, {"send_buffer", size}};
          const std::string said =
              campaign.Findings(cell, "cause") + campaign.Findings(cell, "saturation");
          const bool blamed = absl::StrContains(said, "charged to the client's own send buffer");
          if (size == "0") {
            free.Count(campaign, !blamed, said);
          } else {
            small.Count(campaign, blamed && !absl::StrContains(said, "saturated"), said);
          }
        }
      }
    }
    lab_->DelayRouted(Nanos(0));
    small.Judge();
    free.Judge();
  }

  // Both servers have a request inside all the time. One sleeps for each by itself, so that more
  // of them are no slower; the other takes them in turn.
  void SleepingAndFull(int rounds) {
    const LabServer sleeping(*lab_, {"--service-model", "sleep", "--service-time", "get=2ms"});
    const LabServer busy(*lab_, {"--service-model", "busy", "--service-time", "get=2ms"});
    Score sleep_score("10", "server sleeps 2 ms for each request");
    Score busy_score("10", "server busy 2 ms, one request after the other");
    for (int i = 0; i < rounds; ++i) {
      const LabCampaign campaign = RunInLab(
          *lab_, absl::StrCat("name: server\nserver: {address: ",
                              YamlList({sleeping.direct(), busy.direct()}),
                              "}\nworkload: {op: get, value_size: 1KiB, keys: 64}\n", Transports(),
                              "load: {depth: [2, 8]}\nprobes: {sample_every: 1}\n"
                              "run: {warmup: 100ms, duration: 400ms, repetitions: 3}\n"));
      for (const std::string& transport : kTransports) {
        for (const std::string depth : {"2", "8"}) {
          const auto said = [&](const LabServer& server) {
            const Levels cell = {
                {"transport", transport}, {"server", server.direct()}, {"depth", depth}};
            return campaign.Findings(cell, "saturation") + campaign.Findings(cell, "cause");
          };
          const std::string of_sleeping = said(sleeping), of_busy = said(busy);
          sleep_score.Count(campaign,
                            absl::StrContains(of_sleeping, "no known resource is full") &&
                                absl::StrContains(of_sleeping, "server_"),
                            of_sleeping);
          busy_score.Count(campaign, of_busy.starts_with("server saturated"), of_busy);
        }
      }
    }
    sleep_score.Judge();
    busy_score.Judge();
  }
};

class VerdictsTable : public Verdicts {};

TEST_F(Verdicts, AServerThatReadsSlowlyIsNamed) { SlowReader(1); }
TEST_F(Verdicts, ASmallSendBufferIsNamed) { SmallSendBuffer(1); }
TEST_F(Verdicts, AFullServerIsToldFromASleepingOne) { SleepingAndFull(1); }

TEST_F(VerdictsTable, Row10AServerThatReadsSlowlyIsNamed) { SlowReader(5); }
TEST_F(VerdictsTable, Row10ASmallSendBufferIsNamed) { SmallSendBuffer(5); }
TEST_F(VerdictsTable, Row10AFullServerIsToldFromASleepingOne) { SleepingAndFull(5); }

// Sixteen requests in flight, and a client that needs 50 us for each answer: the others wait in its
// socket. Packets see that; a kernel's receive stamp, taken when an answer is read, is that of a
// later one, and would bill the wait to the network: such stamps have to be refused.
TEST_F(VerdictsTable, Row9AnswersThatWaitForASlowClientAreTheClients) {
  const LabServer server(*lab_);
  const auto measure = [&](const char* pass) {
    return RunInLab(*lab_,
                    absl::StrCat("name: slow\nserver: {address: '", server.direct(),
                                 "'}\nworkload: {op: noop}\n", Transports(),
                                 "load: {depth: 16}\n"
                                 "inject: {decode: [0s, 50us], keep_awake: true}\n"
                                 "run: {warmup: 100ms, duration: 400ms, repetitions: 5}\n"),
                    {.pass = pass});
  };
  const LabCampaign packets = measure("full"), stamps = measure("sampled");
  for (const std::string& transport : kTransports) {
    const Levels prompt = {{"transport", transport}, {"inject_decode", "0s"}};
    const Levels slow = {{"transport", transport}, {"inject_decode", "50us"}};
    const std::string injection =
        absl::StrCat("16 in flight, client burns 50 us per answer, ", transport);
    const auto accept = [&](const LabCampaign& campaign, const std::string& quantity,
                            const Measured& measured, double least, double most,
                            const std::string& unit) {
      Accept({.row = "9",
              .injection = injection,
              .quantity = quantity,
              .measured = measured,
              .least = least,
              .most = most,
              .unit = unit,
              .foreign_cpus = campaign.foreign_cpus});
    };
    const RunNumber network = [](const LabRun& run) -> std::optional<double> {
      const std::optional<double> ns = run.Part(kNetworkPart);
      if (!ns.has_value()) return std::nullopt;
      return *ns / kNsPerUs;
    };
    accept(packets, "network added, by packets",
           MedianOf(packets.Differences(prompt, slow, network)), -5, 5, "us");
    // In a closed loop `wait` is the client's, too: a place was free, and its worker busy.
    const RunNumber client = [](const LabRun& run) {
      return run.Parts([](std::string_view part) { return part == "wait" || IsClient(part); },
                       "mean_ns");
    };
    const RunNumber whole = [](const LabRun& run) { return run.Mean(); };
    const std::vector<double> of_client = packets.Differences(prompt, slow, client);
    const std::vector<double> of_all = packets.Differences(prompt, slow, whole);
    std::vector<double> shares;
    for (size_t i = 0; i < std::min(of_client.size(), of_all.size()); ++i) {
      shares.push_back(of_client[i] / of_all[i]);
    }
    accept(packets, "client's share of what was added, by packets", MedianOf(shares), 0.9, 1.05,
           "");
    const Measured refused = MedianOf(stamps.Values(slow, [](const LabRun& run) {
      return run.HasCaveat("receive_boundary_unavailable") ? 1.0 : 0.0;
    }));
    accept(stamps, "runs that refuse the receive stamps, share",
           {refused.low, refused.low, refused.high}, 1, 1, "");
  }
}

// A queue on the client's own host: requests stand behind earlier bytes of their connection, in the
// socket's buffer and in the egress queue. The parts bill that to the client, as the place where
// they waited; the causes and the verdict do not.
TEST_F(Verdicts, Row13ABacklogOnTheClientsOwnEgressIsChargedToTheLink) {
  const LabServer server(*lab_);
  lab_->ShapeDirect({.rate = "1gbit"});
  const LabCampaign campaign =
      RunInLab(*lab_,
               absl::StrCat("name: backlog\nserver: {address: '", server.direct(),
                            "'}\nworkload: {op: put, value_size: 1MiB, keys: 16}\n", Transports(),
                            "load: {depth: 4}\nprobes: {sample_every: 1}\n"
                            "run: {warmup: 200ms, duration: 1s, repetitions: 3}\n"),
               {.baselines = true});
  for (const std::string& transport : kTransports) {
    const Levels cell = {{"transport", transport}};
    SCOPED_TRACE(transport);
    const std::string verdict = campaign.Findings(cell, "saturation");
    JudgeWhenQuiet(absl::StrContains(verdict, "link saturated towards the server"),
                   {.what = "verdict on a queue on the client's egress, " + transport,
                    .figure = verdict,
                    .bound = "the link is saturated"},
                   campaign.foreign_cpus);
    const std::string charged = campaign.Findings(cell, "cause");
    JudgeWhenQuiet(absl::StrContains(charged, "charged to the link, which is saturated"),
                   {.what = "cause of a queue on the client's egress, " + transport,
                    .figure = charged,
                    .bound = "charged to the link"},
                   campaign.foreign_cpus);
    const auto share = [&](const std::vector<std::string_view>& causes) {
      return MedianOf(campaign.Values(cell, [&](const LabRun& run) -> std::optional<double> {
        double sum = 0;
        for (const std::string_view cause : causes) {
          const std::optional<double> one = run.CauseShare(cause);
          if (!one.has_value()) return std::nullopt;
          sum += *one;
        }
        return sum;
      }));
    };
    const std::string injection =
        absl::StrCat("1 Gbit/s on the client's own egress, PUT 1 MiB, 4 in flight, ", transport);
    Accept({.row = "13",
            .injection = injection,
            .quantity = "share of backlog and network, which the verdict charges to the link",
            .measured = share({"backlog", "network"}),
            .least = 0.95,
            .most = 1.0,
            .unit = "",
            .foreign_cpus = campaign.foreign_cpus});
    Accept({.row = "13",
            .injection = injection,
            .quantity = "share of the client's stack, work and queueing",
            .measured = share({"client_stack", "client_work", "client_queueing"}),
            .least = 0,
            .most = 0.10,
            .unit = "",
            .foreign_cpus = campaign.foreign_cpus});
  }
}

}  // namespace
}  // namespace kbench::e2e
