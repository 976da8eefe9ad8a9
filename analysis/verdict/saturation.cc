#include "analysis/verdict/saturation.h"

#include <algorithm>
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/verdict/server_path.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

using PerRun = double (*)(const AnalysedRun&);

double MedianOf(const std::vector<const AnalysedRun*>& runs, PerRun number) {
  std::vector<double> values;
  for (const AnalysedRun* run : runs) values.push_back(number(*run));
  return Median(std::move(values));
}

double WorstWorkers(const AnalysedRun& run) {
  double worst = 0;
  for (const result::RunResult& agent : run.evidence->agents) {
    const double room =
        static_cast<double>(agent.measured_ns()) * std::max(1u, agent.usage().workers());
    if (room <= 0) continue;
    worst = std::max(
        worst, static_cast<double>(agent.usage().user_ns() + agent.usage().system_ns()) / room);
  }
  return worst;
}

double ServerBusy(const AnalysedRun& run) {
  const result::WireTrace& wire = *run.evidence->server_wire;
  return static_cast<double>(wire.busy_ns()) / static_cast<double>(wire.window_ns());
}

// Throughput times mean service time by the gap rule.
double ServerDemand(const AnalysedRun& run) {
  const result::WireTrace& wire = *run.evidence->server_wire;
  return static_cast<double>(wire.service_sum_ns()) / static_cast<double>(wire.window_ns());
}

double MeanService(const AnalysedRun& run) {
  const result::WireTrace& wire = *run.evidence->server_wire;
  if (wire.departures() == 0) return 0;
  return static_cast<double>(wire.service_sum_ns()) / static_cast<double>(wire.departures());
}

double MeanInside(const AnalysedRun& run) {
  const result::WireTrace& wire = *run.evidence->server_wire;
  return static_cast<double>(wire.inside_ns()) / static_cast<double>(wire.window_ns());
}

bool HasServerWindow(const AnalysedRun& run) {
  return run.evidence->server_wire && run.evidence->server_wire->available() &&
         run.evidence->server_wire->window_ns() > 0;
}

// Bytes of all ops, because they share the link: of the busiest agent, and of all.
struct Rates {
  double busiest = 0;
  double all = 0;
};

Rates RatesOf(const AnalysedRun& run, bool out) {
  Rates rates;
  for (const result::RunResult& agent : run.evidence->agents) {
    if (agent.measured_ns() <= 0) continue;
    double bytes = 0;
    for (const result::OpResult& op : agent.ops()) {
      bytes += static_cast<double>(out ? op.request_bytes() : op.response_bytes_in_window());
    }
    const double rate = bytes * 1e9 / static_cast<double>(agent.measured_ns());
    rates.busiest = std::max(rates.busiest, rate);
    rates.all += rate;
  }
  return rates;
}

// Agents share the server's link and may have one each of their own: the measured rate, which is of
// one agent alone, bounds what all of them carry together; where they carry more, it was an agent's
// own link that it measured.
std::optional<Utilisation> Link(const CampaignAnalysis& analysis, const CellOp& row,
                                Resource which) {
  const bool out = which == Resource::kLinkOut;
  const ServerPath path = ServerPathOf(analysis, row);
  const double rate = out ? path.sent_per_s : path.received_per_s;
  if (rate <= 0) return std::nullopt;
  std::vector<double> all, busiest;
  for (const AnalysedRun* run : row.runs) {
    const Rates rates = RatesOf(*run, out);
    all.push_back(rates.all);
    busiest.push_back(rates.busiest);
  }
  double used = Median(std::move(all));
  const char* whose = "";
  if (used > kBeyondMeasured * rate) {
    used = Median(std::move(busiest));
    whose = ", by the busiest agent";
  }
  std::string evidence = absl::StrFormat("%.0f of %.0f MB/s that a bulk transfer reached%s",
                                         used / 1e6, rate / 1e6, whose);
  if (used > kBeyondMeasured * rate) {
    absl::StrAppend(&evidence, ", which was not all that the path carries");
  }
  return Utilisation{.resource = which, .share = used / rate, .evidence = std::move(evidence)};
}

// Of segments sent again, per million requests.
double RetransmitsPerMillion(const CellOp& row) {
  double again = 0, sent = 0;
  for (const AnalysedRun* run : row.runs) {
    for (const result::RunResult& agent : run->evidence->agents) {
      again += static_cast<double>(agent.tcp().retransmits());
    }
    sent += static_cast<double>(run->summary.all.counts.sent);
  }
  return sent == 0 ? 0 : again * 1e6 / sent;
}

struct Backlog {
  uint32_t looks = 0;
  uint32_t nonempty = 0;
  double share() const { return looks == 0 ? 0 : static_cast<double>(nonempty) / looks; }
};

Backlog EgressBacklog(const CellOp& row) {
  Backlog backlog;
  for (const AnalysedRun* run : row.runs) {
    for (const result::RunResult& agent : run->evidence->agents) {
      for (const result::LinkUse& link : agent.host_use().links()) {
        backlog.looks += link.backlog_samples();
        backlog.nonempty += link.backlog_nonempty();
      }
    }
  }
  return backlog;
}

// The rate at another window, over the rate here.
struct Growth {
  double window = 1;  // of the other cell over that of this one
  double rate = 1;
  // More requests in flight, by whichever of the two cells has more, give no more.
  bool flat() const { return (window > 1 ? rate : 1 / rate) <= 1 + kFlat; }
};

bool IsWindowAxis(const std::string& axis) { return axis == "depth" || axis == "flows"; }

bool EqualButForWindow(const CellInfo& a, const CellInfo& b) {
  for (const Level& level : a.levels) {
    if (!IsWindowAxis(level.axis) && LevelOf(b, level.axis) != level.value) return false;
  }
  return true;
}

// How the rate answers to another window, in cells that are otherwise equal. In an open loop the
// offered rate sets it, whatever the window.
std::optional<Growth> GrowthOf(const CampaignAnalysis& analysis, const CellOp& row) {
  std::optional<Growth> larger, smaller;
  for (const CellOp& other : analysis.rows) {
    if (other.op != row.op || !EqualButForWindow(*row.cell, *other.cell)) continue;
    if (row.answered_per_s.value <= 0 || other.answered_per_s.value <= 0) continue;
    const double by = WindowOf(analysis, other) / WindowOf(analysis, row);
    const double of = other.answered_per_s.value / row.answered_per_s.value;
    if (by >= 2 && (!larger || by < larger->window)) larger = Growth{by, of};
    if (by <= 0.5 && (!smaller || by > smaller->window)) smaller = Growth{by, of};
  }
  return larger ? larger : smaller;
}

bool IsOpen(const CampaignAnalysis& analysis, const CellOp& row) {
  return SettingOf(*analysis.campaign, *row.cell, "mode") == "open";
}

std::string KnownText(const Saturation& s) {
  return absl::StrJoin(s.known, ", ", [](std::string* out, const Utilisation& u) {
    absl::StrAppendFormat(out, "%s %.2f (%s)", std::string(Name(u.resource)), u.share, u.evidence);
  });
}

// One worker of several may be full: the agents say so.
bool SomeWorkerFull(const CellOp& row) {
  const auto says = [](const AnalysedRun* run) {
    return absl::c_any_of(run->evidence->agents, [](const result::RunResult& agent) {
      return absl::c_any_of(agent.caveats(), [](const result::Caveat& caveat) {
        return caveat.code() == "client_saturated";
      });
    });
  };
  return 2 * absl::c_count_if(row.runs, says) > static_cast<int64_t>(row.runs.size());
}

bool IsFull(const Utilisation& u, const std::optional<Growth>& growth, const CellOp& row) {
  if (u.resource == Resource::kClient && SomeWorkerFull(row)) return true;
  const bool link = u.resource == Resource::kLinkOut || u.resource == Resource::kLinkIn;
  if (!link) return u.share >= kFull;
  // A link that carries more than was measured, or more as soon as more is asked for, is not full.
  // (That a smaller window gave less says nothing of this one.)
  const bool gives_more = growth && growth->window > 1 && !growth->flat();
  if (u.share > kBeyondMeasured || gives_more) return false;
  const bool queued =
      u.resource == Resource::kLinkOut && EgressBacklog(row).share() >= kBacklogShare;
  return u.share >= kLinkFull || (u.share >= kFull && queued);
}

std::string BottleneckText(const CellOp& row, const Saturation& s) {
  const auto at = std::find_if(s.known.begin(), s.known.end(),
                               [&](const Utilisation& u) { return u.resource == *s.bottleneck; });
  const std::string what = absl::StrFormat("utilisation %.2f: %s", at->share, at->evidence);
  switch (*s.bottleneck) {
    case Resource::kClient:
      return absl::StrCat("the client is the limit (", what,
                          "): response times hold its own queueing");
    case Resource::kServer:
      return absl::StrCat("server saturated (", what, ")");
    case Resource::kLinkOut:
    case Resource::kLinkIn: {
      std::string text =
          absl::StrCat("link saturated ", *s.bottleneck == Resource::kLinkOut ? "towards" : "from",
                       " the server (", what);
      const Backlog backlog = EgressBacklog(row);
      if (backlog.looks > 0 && *s.bottleneck == Resource::kLinkOut) {
        absl::StrAppendFormat(&text, "; its egress queue was not empty at %.0f %% of %d looks",
                              100 * backlog.share(), backlog.looks);
      }
      absl::StrAppendFormat(&text, "; %.0f segments sent again per million requests",
                            RetransmitsPerMillion(row));
      return absl::StrCat(text, ")");
    }
  }
  return "";
}

}  // namespace

absl::string_view Name(Resource resource) {
  switch (resource) {
    case Resource::kClient:
      return "client CPU";
    case Resource::kServer:
      return "server";
    case Resource::kLinkOut:
      return "link towards the server";
    case Resource::kLinkIn:
      return "link from the server";
  }
  return "";
}

double WindowOf(const CampaignAnalysis& analysis, const CellOp& row) {
  double window = 1;
  for (const char* field : {"flows", "depth"}) {
    const std::string value = SettingOf(*analysis.campaign, *row.cell, field);
    window *= value.empty() ? 1 : std::max(1.0, std::strtod(value.c_str(), nullptr));
  }
  return row.runs.empty() ? window
                          : window * static_cast<double>(std::max<size_t>(
                                         1, row.runs.front()->evidence->agents.size()));
}

namespace {

// How many requests a client program keeps in flight, over how many connections, is its own: what
// limits it cannot be told from the campaign.
Saturation OfProgram(const CellOp& row) {
  Saturation s;
  s.known.push_back({.resource = Resource::kClient,
                     .share = MedianOf(row.runs, &WorstWorkers),
                     .evidence = "CPU time of the program's processes over the window; above 1 on "
                                 "several CPUs"});
  s.sentence = absl::StrCat("what limits a client program is not judged (", KnownText(s), ")");
  return s;
}

}  // namespace

Saturation SaturationOf(const CampaignAnalysis& analysis, const CellOp& row) {
  if (row.boundaries.opaque) return OfProgram(row);
  Saturation s;
  // A worker that spins is never idle, whatever it has to do.
  const bool spins = SettingOf(*analysis.campaign, *row.cell, "poll") == "spin";
  if (!spins) {
    s.known.push_back({.resource = Resource::kClient,
                       .share = MedianOf(row.runs, &WorstWorkers),
                       .evidence = "CPU time of the workers over their time"});
  }
  if (absl::c_all_of(row.parts_runs, [](const AnalysedRun* r) { return HasServerWindow(*r); }) &&
      !row.parts_runs.empty()) {
    s.known.push_back(
        {.resource = Resource::kServer,
         .share = MedianOf(row.parts_runs, &ServerBusy),
         .evidence = absl::StrFormat(
             "time with a request inside, from packets on its host; %.1f inside on average, mean "
             "service time by the gap rule %s, which times the throughput is %.2f",
             MedianOf(row.parts_runs, &MeanInside),
             HumanDuration(MedianOf(row.parts_runs, &MeanService)),
             MedianOf(row.parts_runs, &ServerDemand))});
  }
  for (Resource link : {Resource::kLinkOut, Resource::kLinkIn}) {
    if (auto u = Link(analysis, row, link)) s.known.push_back(*std::move(u));
  }
  const bool open = IsOpen(analysis, row);
  const std::optional<Growth> growth = open ? std::nullopt : GrowthOf(analysis, row);
  const double window = WindowOf(analysis, row);
  const Utilisation* fullest = nullptr;
  for (const Utilisation& u : s.known) {
    if (!IsFull(u, growth, row)) continue;
    if (u.resource == Resource::kServer) {
      // Requests that wait inside side by side keep a server "busy" that could take many more.
      if (window <= 1 || (growth && !growth->flat())) continue;
      s.server_may_be_parallel = !growth;
      if (s.server_may_be_parallel) continue;
    }
    if (fullest == nullptr || u.share > fullest->share) fullest = &u;
  }
  if (fullest != nullptr) s.bottleneck = fullest->resource;
  if (s.bottleneck) {
    s.sentence = BottleneckText(row, s);
  } else if (s.server_may_be_parallel) {
    s.sentence = absl::StrCat(
        "no known resource is full but perhaps the server, which had a request inside all the "
        "time: it is saturated unless it serves requests side by side; a sweep of ",
        open ? "the rate" : "load.depth", " tells (", KnownText(s), ")");
  } else if (const std::string arrival = SettingOf(*analysis.campaign, *row.cell, "arrival");
             open && (arrival == "ramp" || arrival == "steps")) {
    s.sentence = absl::StrCat("over the whole window no known resource was full (", KnownText(s),
                              "), but the offered rate changed in it (", arrival,
                              "): what was full at its highest is not known");
  } else {
    s.sentence = absl::StrCat(
        "no known resource is full (", KnownText(s), "): ",
        open ? "the offered rate sets the throughput"
             : absl::StrFormat("the window of %.0f requests over their response time sets the "
                               "throughput",
                               window));
  }
  if (growth) {
    absl::StrAppendFormat(&s.sentence, "; a window %g times as large gives %.2f times the rate",
                          growth->window, growth->rate);
  }
  if (!analysis.campaign->baselines.empty() && !ServerPathOf(analysis, row).measured) {
    absl::StrAppend(&s.sentence,
                    "; whether the link is full is not known: no bulk transfer to the server's "
                    "host was measured (server.observer names an agent there, by the address "
                    "that the server has)");
  }
  return s;
}

}  // namespace kbench::analysis
