#include "analysis/saturation.h"

#include <algorithm>
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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

bool HasServerWindow(const AnalysedRun& run) {
  return run.evidence->server_wire && run.evidence->server_wire->available() &&
         run.evidence->server_wire->window_ns() > 0;
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

// The best rate that a bulk transfer reached from an agent towards the server's host, in payload
// bytes per second; where no path ends there, over any path.
double MeasuredRate(const CampaignEvidence& campaign,
                    double (result::NetworkBaseline::*rate)() const) {
  double to_server = 0, anywhere = 0;
  for (const result::NetworkBaseline& path : campaign.baselines) {
    const double bytes = (path.*rate)();
    anywhere = std::max(anywhere, bytes);
    if (HostOf(path.to()) == HostOf(campaign.server)) to_server = std::max(to_server, bytes);
  }
  return to_server > 0 ? to_server : anywhere;
}

// Bytes of all ops, because they share the link.
double BusiestAgentRate(const AnalysedRun& run, bool out) {
  double most = 0;
  for (const result::RunResult& agent : run.evidence->agents) {
    if (agent.measured_ns() <= 0) continue;
    double bytes = 0;
    for (const result::OpResult& op : agent.ops()) {
      bytes += static_cast<double>(out ? op.request_bytes() : op.response_bytes_in_window());
    }
    most = std::max(most, bytes * 1e9 / static_cast<double>(agent.measured_ns()));
  }
  return most;
}

std::optional<Utilisation> Link(const CampaignAnalysis& analysis, const CellOp& row,
                                Resource which) {
  const bool out = which == Resource::kLinkOut;
  const double rate =
      MeasuredRate(*analysis.campaign, out ? &result::NetworkBaseline::sent_bytes_per_s
                                           : &result::NetworkBaseline::received_bytes_per_s);
  if (rate <= 0) return std::nullopt;
  const double used =
      out ? MedianOf(row.runs, [](const AnalysedRun& r) { return BusiestAgentRate(r, true); })
          : MedianOf(row.runs, [](const AnalysedRun& r) { return BusiestAgentRate(r, false); });
  return Utilisation{.resource = which,
                     .share = used / rate,
                     .evidence = absl::StrFormat("%.0f of %.0f MB/s that a bulk transfer reached",
                                                 used / 1e6, rate / 1e6)};
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

// Requests that may be in flight at once, per agent.
double WindowOf(const CampaignAnalysis& analysis, const CellOp& row) {
  double window = 1;
  for (const char* field : {"flows", "depth"}) {
    const std::string value = SettingOf(*analysis.campaign, *row.cell, field);
    window *= value.empty() ? 1 : std::max(1.0, std::strtod(value.c_str(), nullptr));
  }
  return window;
}

bool IsWindowAxis(const std::string& axis) { return axis == "depth" || axis == "flows"; }

bool EqualButForWindow(const CellInfo& a, const CellInfo& b) {
  for (const Level& level : a.levels) {
    if (!IsWindowAxis(level.axis) && LevelOf(b, level.axis) != level.value) return false;
  }
  return true;
}

// How the rate answers to a window at least twice as large, in a cell that is otherwise equal:
// growth of the rate over growth of the window; nothing without such a cell.
struct Growth {
  double window = 1;
  double rate = 1;
};
std::optional<Growth> GrowthFrom(const CampaignAnalysis& analysis, const CellOp& row) {
  std::optional<Growth> nearest;
  for (const CellOp& other : analysis.rows) {
    if (other.op != row.op || !EqualButForWindow(*row.cell, *other.cell)) continue;
    const double by = WindowOf(analysis, other) / WindowOf(analysis, row);
    const double of = row.answered_per_s.value;
    // A larger cell that is no faster says it of this one, a smaller one that is as fast too.
    if (by >= 2 && of > 0 && (!nearest || by < nearest->window)) {
      nearest = Growth{by, other.answered_per_s.value / of};
    }
    if (by <= 0.5 && other.answered_per_s.value > 0 && !nearest) {
      nearest = Growth{1 / by, of / other.answered_per_s.value};
    }
  }
  return nearest;
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

bool IsFull(const Utilisation& u, const CellOp& row) {
  if (u.resource == Resource::kClient && SomeWorkerFull(row)) return true;
  const bool link = u.resource == Resource::kLinkOut || u.resource == Resource::kLinkIn;
  if (!link) return u.share >= kFull;
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

Saturation SaturationOf(const CampaignAnalysis& analysis, const CellOp& row) {
  Saturation s;
  const double client = MedianOf(row.runs, &WorstWorkers);
  s.known.push_back({.resource = Resource::kClient,
                     .share = client,
                     .evidence = "CPU time of the workers over their time"});
  if (absl::c_all_of(row.parts_runs, [](const AnalysedRun* r) { return HasServerWindow(*r); }) &&
      !row.parts_runs.empty()) {
    s.known.push_back({.resource = Resource::kServer,
                       .share = MedianOf(row.parts_runs, &ServerBusy),
                       .evidence = "time with a request inside, from packets on its host"});
  }
  for (Resource link : {Resource::kLinkOut, Resource::kLinkIn}) {
    if (auto u = Link(analysis, row, link)) s.known.push_back(*std::move(u));
  }
  const std::optional<Growth> growth = GrowthFrom(analysis, row);
  const double window = WindowOf(analysis, row);
  const Utilisation* fullest = nullptr;
  for (const Utilisation& u : s.known) {
    if (!IsFull(u, row)) continue;
    if (u.resource == Resource::kServer) {
      // Requests that wait inside side by side keep a server "busy" that could take many more.
      if (window <= 1) continue;
      const bool flat = growth && growth->rate <= 1 + kFlat * growth->window / 2;
      if (growth && !flat) continue;
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
        "time: it is saturated unless it serves requests side by side; a sweep of load.depth "
        "tells (",
        KnownText(s), ")");
  } else {
    s.sentence = absl::StrCat(
        "no known resource is full (", KnownText(s), "): ",
        IsOpen(analysis, row)
            ? "the offered rate sets the throughput"
            : absl::StrFormat("the window of %.0f requests over their response time sets the "
                              "throughput",
                              window));
  }
  if (growth) {
    absl::StrAppendFormat(&s.sentence, "; a window %.0f times as large gives %.2f times the rate",
                          growth->window, growth->rate);
  }
  return s;
}

}  // namespace kbench::analysis
