// The story that kbench began with. Large PUTs over a link of 2.5 Gbit/s: send times are long and
// vary, and a tool that subtracts what it timed around send and receive from the time of the whole
// calls the rest "server". What varied was the socket buffer, which drains at the link's rate. On
// the same server without the shaped link the picture changes.
//
// The subtracting tool is computed here, from the same samples, beside the truth: the residence
// that the server itself recorded.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/base/judge.h"
#include "tests/e2e/lab_run.h"
#include "tests/e2e/netlab.h"
#include "tests/e2e/parts.h"
#include "tests/e2e/serialization.h"

namespace kbench::e2e {
namespace {

constexpr double kNsPerUs = 1e3;
constexpr double kRate = 2.5e9;

// Over the samples of one cell that have every stamp.
struct Story {
  size_t samples = 0;
  double rpc_us = 0;   // means
  double send_us = 0;  // around the send call
  double send_sd_us = 0;
  double receive_us = 0;  // around the receive call
  double residence_us = 0;
  double network_share = 0;  // medians over the runs
  double serialization_us = 0;

  // What a tool that subtracts says of the server.
  double NaiveServerUs() const { return rpc_us - send_us - receive_us; }
};

double MedianValue(std::vector<double> values) { return MedianOf(std::move(values)).value; }

Story Tell(const LabCampaign& campaign, const Levels& cell) {
  Story story;
  std::vector<double> sends, shares;
  for (const LabRun& run : campaign.runs) {
    if (!std::all_of(cell.begin(), cell.end(), [&](const auto& level) {
          return run.levels.at(level.first) == level.second;
        })) {
      continue;
    }
    shares.push_back(run.Parts(HasNetwork, "share"));
    story.serialization_us = SerializationNs(run.RequestBytes(), kRate) / kNsPerUs;
    std::map<std::pair<int64_t, uint64_t>, int64_t> residences;
    for (const auto& record : run.evidence.server_trace().records()) {
      residences[{record.connection_id(), record.sequence()}] = record.residence_ns();
    }
    for (const result::OpSample& sample : run.evidence.samples()) {
      const auto residence = residences.find({sample.connection_id(), sample.sequence()});
      if (!sample.answered() || sample.send_returned() == 0 || sample.woke() == 0 ||
          residence == residences.end()) {
        continue;
      }
      const auto us = [](int64_t ns) { return static_cast<double>(ns) / kNsPerUs; };
      ++story.samples;
      story.rpc_us += us(sample.decoded() - sample.submitted());
      story.receive_us += us(sample.received() - sample.woke());
      story.residence_us += us(residence->second);
      sends.push_back(us(sample.send_returned() - sample.submitted()));
    }
  }
  if (story.samples == 0) return story;
  const auto n = static_cast<double>(story.samples);
  for (double* sum : {&story.rpc_us, &story.receive_us, &story.residence_us}) *sum /= n;
  for (const double send : sends) story.send_us += send / n;
  for (const double send : sends) {
    story.send_sd_us += (send - story.send_us) * (send - story.send_us) / n;
  }
  story.send_sd_us = std::sqrt(story.send_sd_us);
  story.network_share = MedianValue(shares);
  return story;
}

void Print(const std::string& what, const Story& s) {
  absl::PrintF(
      "%-40s RPC %7.1f us, send %6.1f (sd %6.1f), receive %5.1f; the subtractor's server %7.1f, "
      "its residence %6.1f: wrong by %7.1f us (%.1f times); network %.1f %%; serialisation at 2.5 "
      "Gbit/s %.1f us; %d samples\n",
      what, s.rpc_us, s.send_us, s.send_sd_us, s.receive_us, s.NaiveServerUs(), s.residence_us,
      s.NaiveServerUs() - s.residence_us, s.NaiveServerUs() / s.residence_us, 100 * s.network_share,
      s.serialization_us, s.samples);
}

class SeedStory : public LabTest {};

TEST_F(SeedStory, SendTimesOfALinkThatIsFullAreNeitherTheServersNorTheClients) {
  const std::vector<std::string> transports = {"socket", "uring"};
  const LabServer server(*lab_);
  const auto measure = [&] {
    return RunInLab(*lab_,
                    absl::StrCat("name: seed\nserver: {address: '", server.routed(),
                                 "'}\nworkload: {op: put, value_size: [512KiB, 1MiB], keys: 16}\n"
                                 "transport: ",
                                 YamlList(transports),
                                 "\nload: {depth: [1, 4]}\n"
                                 "probes: {sample_every: 1}\n"
                                 "run: {warmup: 200ms, duration: 500ms, repetitions: 2}\n"),
                    {.baselines = true, .routed = true});
  };
  lab_->ShapeRouted({.rate = "2500mbit"});
  const LabCampaign shaped = measure();
  lab_->Unshape();
  const LabCampaign unshaped = measure();
  for (const std::string& transport : transports) {
    for (const std::string size : {"512KiB", "1MiB"}) {
      for (const std::string depth : {"1", "4"}) {
        const Levels cell = {{"transport", transport}, {"value_size", size}, {"depth", depth}};
        const std::string what = absl::StrCat(transport, " PUT ", size, " depth ", depth);
        SCOPED_TRACE(what);
        const Story full = Tell(shaped, cell);
        const Story free = Tell(unshaped, cell);
        ASSERT_GT(full.samples, 0u);
        ASSERT_GT(free.samples, 0u);
        Print(what + ", 2.5 Gbit/s:", full);
        Print(what + ", unshaped:", free);
        const auto judge = [&](bool holds, const char* claim, const std::string& figure) {
          JudgeWhenQuiet(holds, {.what = what, .figure = figure, .bound = claim},
                         std::max(shaped.foreign_cpus, unshaped.foreign_cpus));
        };
        // The link bounds what passes it, so that these took the link's time and no less.
        EXPECT_GE(full.rpc_us, 0.97 * full.serialization_us);
        judge(free.rpc_us < full.rpc_us, "the shaped link's are the longer ones",
              absl::StrCat(free.rpc_us, " against ", full.rpc_us, " us"));
        // The server needed a small part of it, which the subtractor does not find.
        const std::string servers = absl::StrCat(full.residence_us, " us of ", full.rpc_us,
                                                 ", the subtractor says ", full.NaiveServerUs());
        judge(full.residence_us < 0.5 * full.rpc_us, "less than half is the server's", servers);
        judge(full.NaiveServerUs() > 2 * full.residence_us, "the subtractor says twice", servers);
        judge(full.NaiveServerUs() - full.residence_us > 0.25 * full.serialization_us,
              "the subtractor is off by a quarter of the link's time", servers);
        // Behind other requests a send waits for room in the socket's buffer, which the link
        // drains: what varies is the buffer. (Its mean says little here: on veth an unshaped send
        // runs the receiver's side, too. Over io_uring the wait is often the ring's, not the
        // call's.)
        if (size == "1MiB" && depth == "4" && transport == "socket") {
          judge(full.send_sd_us / full.send_us > 2 * free.send_sd_us / free.send_us,
                "the shaped sends vary twice as much",
                absl::StrCat(full.send_sd_us / full.send_us, " against ",
                             free.send_sd_us / free.send_us));
        }
        // And the report says so by itself.
        if (depth == "4") {
          const std::string verdict = shaped.Findings(cell, "saturation");
          judge(verdict.find("link saturated towards the server") != std::string::npos,
                "the report says so", verdict);
          const std::string other = unshaped.Findings(cell, "saturation");
          // A veth without a shape carries what the CPUs copy. Where the bulk transfer before the
          // runs was no faster than the load, nothing tells the load from a full link.
          if (other.find("link saturated") != std::string::npos) {
            NotJudged({.what = what + ", unshaped",
                       .figure = other,
                       .bound = "the report says so of the shaped link alone"},
                      "the bulk transfer before was no faster than the load");
          }
          judge(full.network_share >= 0.9, "nine tenths are the network's",
                absl::StrCat(full.network_share));
        }
        if (depth != "1") continue;
        // With one request in flight the separation shows whose it is; the link explains all but
        // what the hosts need without it.
        judge(full.network_share >= 0.5, "half is the network's", absl::StrCat(full.network_share));
        judge(full.network_share * full.rpc_us >
                  free.network_share * free.rpc_us + 0.5 * full.serialization_us,
              "what the shaped link adds is the network's",
              absl::StrCat(full.network_share * full.rpc_us, " us against ",
                           free.network_share * free.rpc_us));
      }
    }
  }
}

}  // namespace
}  // namespace kbench::e2e
