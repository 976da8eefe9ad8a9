#include "analysis/verdict/bracket.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analysis/verdict/saturation.h"
#include "analysis/verdict/server_path.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

// The part that holds network and server; with others in it, it still bounds the server from above.
struct Together {
  double mean_ns = 0;
  bool alone = false;
};

std::optional<Together> Unseparated(const CellOp& row) {
  for (const CellPart& part : row.parts) {
    if (!absl::StrContains(part.name, "network+server")) continue;
    return Together{.mean_ns = part.mean_ns.value, .alone = part.name == "network+server"};
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

}  // namespace

std::optional<ServerBracket> BracketOf(const CampaignAnalysis& analysis, const CellOp& row) {
  const std::optional<Together> both = Unseparated(row);
  const ServerPath path = ServerPathOf(analysis, row);
  if (!both || path.floor_ns <= 0) return std::nullopt;
  const double wire = SerialisationNs(BytesPerRequest(row, true), path.sent_per_s) +
                      SerialisationNs(BytesPerRequest(row, false), path.received_per_s);
  ServerBracket bracket;
  bracket.most_ns = std::max(0.0, both->mean_ns - path.floor_ns - wire);
  // An idle echo says what the network takes at most only while nothing queues in it: with one
  // request in flight. With the client's own time in the sum nothing bounds the rest.
  std::string why_no_least;
  if (!both->alone) {
    why_no_least = "the client's own time is in it, too";
  } else if (path.echo_p99_ns <= 0) {
    why_no_least = "no echo on the server's host bounds the network";
  } else if (row.boundaries.opaque) {
    why_no_least = "how many requests a client program keeps in flight is its own";
  } else if (WindowOf(analysis, row) > 1) {
    why_no_least = "with more than one request in flight the network may queue";
  } else {
    bracket.least_ns = std::max(0.0, both->mean_ns - path.echo_p99_ns - wire);
  }
  const std::string server = bracket.least_ns
                                 ? absl::StrCat("between ", HumanDuration(*bracket.least_ns),
                                                " and ", HumanDuration(bracket.most_ns))
                                 : absl::StrCat("at most ", HumanDuration(bracket.most_ns));
  bracket.sentence = absl::StrCat(
      "server: ", server, " of the ", HumanDuration(both->mean_ns),
      " that it and the network took together (bracket: least round trip ",
      HumanDuration(path.floor_ns), ", serialisation ",
      path.measured ? HumanDuration(wire) : std::string("not known"),
      bracket.least_ns ? absl::StrCat(", idle echo p99 ", HumanDuration(path.echo_p99_ns))
                       : absl::StrCat("; no lower bound: ", why_no_least),
      ")");
  return bracket;
}

}  // namespace kbench::analysis
