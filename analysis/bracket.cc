#include "analysis/bracket.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

using result::NetworkBaseline;

// The part that holds network and server, in ns of the mean.
std::optional<double> Unseparated(const CellOp& row) {
  for (const CellPart& part : row.parts) {
    if (absl::StrContains(part.name, "network+server")) return part.mean_ns.value;
  }
  return std::nullopt;
}

// Of one request of the row, frames included, in one direction.
double BytesPerRequest(const CellOp& row, bool out) {
  std::vector<double> values;
  for (const AnalysedRun* run : row.runs) {
    for (const OpSummary& op : run->summary.ops) {
      if (op.op != row.op || op.counts.sent == 0) continue;
      const uint64_t bytes = out ? op.request_bytes : op.response_bytes;
      values.push_back(static_cast<double>(bytes) / static_cast<double>(op.counts.sent));
    }
  }
  return Median(std::move(values));
}

struct Path {
  double floor_ns = 0;                 // least round trip
  std::optional<double> plausible_ns;  // p99 of echoes
  double sent_per_s = 0, received_per_s = 0;
};

// The least of all floors bounds every agent's; the largest p99 too.
std::optional<Path> PathToServer(const CampaignEvidence& campaign) {
  std::optional<Path> path;
  for (const NetworkBaseline& b : campaign.baselines) {
    const double floor = static_cast<double>(b.min_rtt_ns());
    if (b.kind() == NetworkBaseline::SERVER && floor > 0) {
      if (!path) path = Path{.floor_ns = floor};
      path->floor_ns = std::min(path->floor_ns, floor);
    }
  }
  if (!path) return std::nullopt;
  const std::string host = campaign.server.substr(0, campaign.server.rfind(':'));
  for (const NetworkBaseline& b : campaign.baselines) {
    if (b.kind() != NetworkBaseline::AGENT) continue;
    path->sent_per_s = std::max(path->sent_per_s, b.sent_bytes_per_s());
    path->received_per_s = std::max(path->received_per_s, b.received_bytes_per_s());
    // An echo to anywhere else says nothing of the way to the server.
    if (b.echo_p99_ns() > 0 && b.to().substr(0, b.to().rfind(':')) == host) {
      path->plausible_ns =
          std::max(path->plausible_ns.value_or(0), static_cast<double>(b.echo_p99_ns()));
    }
  }
  return path;
}

}  // namespace

double SerialisationNs(double bytes, double bytes_per_s) {
  return bytes_per_s <= 0 ? 0 : bytes * 1e9 / bytes_per_s;
}

std::optional<ServerBracket> BracketOf(const CampaignAnalysis& analysis, const CellOp& row) {
  const std::optional<double> both = Unseparated(row);
  const std::optional<Path> path = PathToServer(*analysis.campaign);
  if (!both || !path) return std::nullopt;
  const double wire = SerialisationNs(BytesPerRequest(row, true), path->sent_per_s) +
                      SerialisationNs(BytesPerRequest(row, false), path->received_per_s);
  ServerBracket bracket;
  bracket.most_ns = std::max(0.0, *both - path->floor_ns - wire);
  if (path->plausible_ns) bracket.least_ns = std::max(0.0, *both - *path->plausible_ns - wire);
  bracket.sentence = absl::StrCat(
      "server: ",
      bracket.least_ns ? absl::StrCat("between ", HumanDuration(*bracket.least_ns), " and ",
                                      HumanDuration(bracket.most_ns))
                       : absl::StrCat("at most ", HumanDuration(bracket.most_ns)),
      " of the ", HumanDuration(*both), " that it and the network took together (bracket: least ",
      "round trip ", HumanDuration(path->floor_ns), ", serialisation ", HumanDuration(wire),
      path->plausible_ns ? absl::StrCat(", idle echo p99 ", HumanDuration(*path->plausible_ns))
                         : std::string(", no echo on the server's host to bound it from below"),
      "); queueing in the network under this load stays in it");
  return bracket;
}

}  // namespace kbench::analysis
