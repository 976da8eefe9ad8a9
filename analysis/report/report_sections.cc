#include "analysis/report/report_sections.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "analysis/report/report_tables.h"
#include "analysis/split/client_programs.h"
#include "analysis/verdict/ladder.h"

namespace kbench::analysis {
namespace {

std::string EvidenceOf(const CellOp& row) {
  if (row.parts.empty()) return "";
  const Boundaries& b = row.boundaries;
  const char* client = b.rungs.client_packets ? "packets on its host"
                       : b.send || b.receive  ? "kernel stamps"
                                              : "user space alone";
  const char* server = !b.server                ? "not separated"
                       : b.rungs.server_packets ? "packets on its host"
                                                : "the server's own record";
  return absl::StrCat("parts from the ", std::string(Name(row.parts_pass)),
                      " pass; the client's edges: ", client, "; the server: ", server);
}

std::string RatioCell(const Ratio& ratio) {
  if (ratio.n == 0) return "-";
  std::string text = absl::StrFormat("%.3f", ratio.ratio);
  if (ratio.interval) {
    absl::StrAppendFormat(&text, " [%.3f, %.3f]", ratio.interval->low, ratio.interval->high);
  }
  return text;
}

// "uring 4KiB"
std::string ShortName(const CampaignAnalysis& analysis, const CellOp& row) {
  return absl::StrJoin(NameCells(analysis, row), " ");
}

TableSection Causes(const CampaignAnalysis& analysis, const std::string& op) {
  TableSection section{
      .title = absl::StrCat("Why requests waited: ", op),
      .note =
          "mean us, below it % of mean response. backlog: behind earlier bytes of the same "
          "connection, whoever limits that; client_queueing: the answer was there and the "
          "worker at something else"};
  Table& table = section.table;
  table = NamedRows(analysis, op);
  std::vector<std::string> names;
  for (const CellOp& row : analysis.rows) {
    if (row.op != op) continue;
    for (const CellPart& cause : row.causes) {
      if (std::find(names.begin(), names.end(), cause.name) == names.end()) {
        names.push_back(cause.name);
      }
    }
  }
  for (const std::string& name : names) table.header.push_back(name);
  for (const CellOp& row : analysis.rows) {
    if (row.op != op || row.causes.empty()) continue;
    std::vector<std::string> us = NameCells(analysis, row);
    std::vector<std::string> share(us.size());
    share.back() = "%";
    for (const std::string& name : names) {
      const auto at = std::find_if(row.causes.begin(), row.causes.end(),
                                   [&](const CellPart& c) { return c.name == name; });
      const bool has = at != row.causes.end();
      us.push_back(has ? FormatUs(at->mean_ns.value) : "-");
      share.push_back(has ? absl::StrFormat("%.1f", 100 * at->share.value) : "");
    }
    table.rows.push_back(std::move(us));
    table.rows.push_back(std::move(share));
  }
  return section;
}

TableSection Costs(const CampaignAnalysis& analysis) {
  TableSection section{
      .title = "What measuring cost",
      .note =
          "each pass against the bare one, repetition by repetition, with 90 % intervals: a "
          "rate of 0.98 is 2 % of throughput"};
  section.table = {.header = {"op", "cell", "pass", "rate", "response", "CPU/request",
                              "waits/request", "perturbed"},
                   .text_columns = 3};
  for (const CellOp& row : analysis.rows) {
    for (const ProbeCost& cost : row.costs) {
      section.table.rows.push_back({row.op, ShortName(analysis, row), std::string(Name(cost.pass)),
                                    RatioCell(cost.rate), RatioCell(cost.response),
                                    RatioCell(cost.cpu), RatioCell(cost.waits),
                                    cost.perturbed.empty() ? "no" : "YES"});
    }
  }
  return section;
}

std::string Rate(double bytes_per_s) {
  return bytes_per_s <= 0 ? "-" : absl::StrFormat("%.1f", bytes_per_s / 1e6);
}

std::string Us(int64_t ns) { return ns <= 0 ? "-" : FormatUs(static_cast<double>(ns)); }

TableSection Paths(const CampaignAnalysis& analysis) {
  TableSection section{
      .title = "The paths without the load",
      .note =
          "round trips of one small message from user space to user space (to a server: NOOP, "
          "so its work is in them); least round trip of TCP; payload rates that a bulk "
          "transfer reached"};
  section.table = {.header = {"from", "to", "floor us", "p50 us", "p99 us", "min rtt us",
                              "out MB/s", "in MB/s", "note"},
                   .text_columns = 2};
  for (const result::NetworkBaseline& b : analysis.campaign->baselines) {
    section.table.rows.push_back({b.from(), b.to(), Us(b.echo_floor_ns()), Us(b.echo_p50_ns()),
                                  Us(b.echo_p99_ns()), Us(b.min_rtt_ns()),
                                  Rate(b.sent_bytes_per_s()), Rate(b.received_bytes_per_s()),
                                  b.reason()});
  }
  return section;
}

TableSection Inside(const CampaignAnalysis& analysis) {
  TableSection section{
      .title = "Inside the parts",
      .note =
          "from packets, mean us: from the first to the last byte of a request out, of an "
          "answer in, and of an answer out of the server; the first two lie inside network, "
          "none is added to the parts"};
  section.table = {
      .header = {"op", "cell", "request transfer", "response transfer", "server emission"},
      .text_columns = 2};
  for (const CellOp& row : analysis.rows) {
    if (row.inside.empty()) continue;
    std::vector<std::string> cells = {row.op, ShortName(analysis, row)};
    for (const char* name : {"request_transfer", "response_transfer", "server_emission"}) {
      const auto at = std::find_if(row.inside.begin(), row.inside.end(),
                                   [&](const CellPart& p) { return p.name == name; });
      cells.push_back(at == row.inside.end() ? "-" : FormatUs(at->mean_ns.value));
    }
    section.table.rows.push_back(std::move(cells));
  }
  return section;
}

// Medians over the runs that the parts are of.
TableSection Evidence(const CampaignAnalysis& analysis) {
  TableSection section{
      .title = "What the parts rest on",
      .note =
          "client's edges and server: the evidence, and the % of the sampled requests that it has "
          "whole (below 99.5 the split is withheld); packets dropped by the observers' rings; "
          "sampled requests of which bytes were sent again"};
  section.table = {.header = {"op", "cell", "pass", "client", "% whole", "server", "% whole",
                              "ring drops", "sampled", "used", "sent again"},
                   .text_columns = 2};
  for (const CellOp& row : analysis.rows) {
    if (row.parts.empty()) continue;
    std::vector<double> client, server;
    uint64_t again = 0, drops = 0;
    for (const Decomposition& d : row.decompositions) {
      client.push_back(100 * d.client_match_rate());
      server.push_back(100 * d.match_rate());
      again += d.retransmitted;
    }
    for (const AnalysedRun* run : row.parts_runs) {
      if (run->evidence->server_wire) drops += run->evidence->server_wire->ring_drops();
      for (const result::RunResult& agent : run->evidence->agents) {
        drops += agent.wire().ring_drops();
      }
    }
    const Boundaries& b = row.boundaries;
    section.table.rows.push_back(
        {row.op, ShortName(analysis, row), std::string(Name(row.parts_pass)),
         b.rungs.client_packets ? "packets"
         : b.send || b.receive  ? "kernel stamps"
                                : "none",
         absl::StrFormat("%.2f", Median(std::move(client))),
         !b.server                ? "none"
         : b.rungs.server_packets ? "packets"
                                  : "own record",
         absl::StrFormat("%.2f", Median(std::move(server))), absl::StrCat(drops),
         absl::StrCat(row.samples_seen), absl::StrCat(row.samples_used), absl::StrCat(again)});
  }
  return section;
}

TableSection Tail(const CampaignAnalysis& analysis, const std::string& op) {
  TableSection section{.title = absl::StrCat("Who makes the tail: ", op),
                       .note =
                           "% of the mean response of the sampled requests whose response lies "
                           "near p99 (ranks 98.5 to 99.5 %), by part, with the 95 % interval "
                           "over repetitions; in one run all parts add up to 100"};
  Table& table = section.table;
  table = NamedRows(analysis, op);
  for (const char* name : {"largest part", "share near p99", "of mean", "second part", "share"}) {
    table.header.emplace_back(name);
  }
  const auto percent = [](const Estimate& share) {
    std::string text = absl::StrFormat("%.1f", 100 * share.value);
    if (share.interval) {
      absl::StrAppendFormat(&text, " [%.1f, %.1f]", 100 * share.interval->low,
                            100 * share.interval->high);
    }
    return text;
  };
  for (const CellOp& row : analysis.rows) {
    if (row.op != op || row.parts.size() < 2) continue;
    std::vector<const CellPart*> parts;
    for (const CellPart& part : row.parts) parts.push_back(&part);
    std::stable_sort(parts.begin(), parts.end(), [](const CellPart* a, const CellPart* b) {
      return a->near_p99_share.value > b->near_p99_share.value;
    });
    std::vector<std::string> cells = NameCells(analysis, row);
    cells.push_back(parts[0]->name);
    cells.push_back(percent(parts[0]->near_p99_share));
    cells.push_back(absl::StrFormat("%.1f", 100 * parts[0]->share.value));
    cells.push_back(parts[1]->name);
    cells.push_back(percent(parts[1]->near_p99_share));
    table.rows.push_back(std::move(cells));
  }
  return section;
}

// Over all runs of the campaign in which it was looked at, by agent.
TableSection Hosts(const CampaignAnalysis& analysis) {
  TableSection section{
      .title = "What else the hosts did",
      .note =
          "by agent, medians over runs: CPUs that others used (the server and other agents are "
          "others, when they run there) and the most in one look; time taken by the hypervisor; "
          "interrupts; time in which some task could run and did not; the egress queue towards "
          "the server; packets dropped there"};
  section.table = {.header = {"agent", "others' CPUs", "most", "steal %", "softirq %", "pressure %",
                              "queue not empty %", "drops", "idle states"},
                   .text_columns = 1};
  std::vector<std::string> agents;
  for (const AnalysedRun& run : analysis.runs) {
    for (const result::RunResult& agent : run.evidence->agents) {
      if (agent.host_use().samples() == 0) continue;
      if (std::find(agents.begin(), agents.end(), agent.agent()) == agents.end()) {
        agents.push_back(agent.agent());
      }
    }
  }
  for (const std::string& name : agents) {
    std::vector<double> foreign, most, steal, softirq, pressure, queue;
    uint64_t drops = 0;
    std::string idle;
    for (const AnalysedRun& run : analysis.runs) {
      for (const result::RunResult& agent : run.evidence->agents) {
        const result::HostUse& use = agent.host_use();
        if (agent.agent() != name || use.window_ns() <= 0) continue;
        const auto window = static_cast<double>(use.window_ns());
        foreign.push_back(static_cast<double>(use.busy_ns() - use.own_ns()) / window);
        most.push_back(use.most_foreign());
        const double cpus = std::max(1u, use.cpus());
        steal.push_back(100 * static_cast<double>(use.steal_ns()) / window / cpus);
        softirq.push_back(100 * static_cast<double>(use.softirq_ns()) / window / cpus);
        pressure.push_back(100 * static_cast<double>(use.pressure_ns()) / window);
        idle = use.idle_state();
        for (const result::LinkUse& link : use.links()) {
          drops += link.drops();
          if (link.backlog_samples() == 0) continue;
          queue.push_back(100.0 * link.backlog_nonempty() / link.backlog_samples());
        }
      }
    }
    const auto show = [](std::vector<double> values) {
      return values.empty() ? std::string("-") : absl::StrFormat("%.2f", Median(std::move(values)));
    };
    section.table.rows.push_back({name, show(foreign), show(most), show(steal), show(softirq),
                                  show(pressure), show(queue), absl::StrCat(drops), idle});
  }
  return section;
}

TableSection ClientPrograms(const CampaignAnalysis& analysis) {
  TableSection section{
      .title = "Client programs, by packets and by their own clock",
      .note =
          "means in us, medians over repetitions; of the window's requests where its own clock "
          "tells them apart, else of all that it did when packets show as many. wire: first byte "
          "out to last byte in; client: from an answer's last byte to the next request's first; "
          "sum: both, answer to answer; own: what the program says of itself; sum - own: what is "
          "outside of its own clock; own - wire: where the sum is not known, how long a request "
          "was inside of the program. All of the full pass: a program has no other"};
  section.table = {.header = {"op", "cell", "what that says", "ended", "requests", "wire", "client",
                              "sum", "own", "sum - own", "own - wire"},
                   .text_columns = 4};
  for (const CellOp& row : analysis.rows) {
    const std::optional<ProgramView> view = ProgramViewOf(row);
    if (!view) continue;
    const auto us = [](const std::optional<double>& ns) {
      return ns ? FormatUs(*ns) : std::string("-");
    };
    section.table.rows.push_back(
        {row.op, ShortName(analysis, row), view->Says(), Printable(view->ended),
         absl::StrCat(view->of_whole ? view->answers_seen : view->requests), us(view->wire_ns),
         us(view->client_ns), us(view->sum_ns), us(view->own_mean_ns), us(view->outside_ns),
         us(view->inside_ns)});
  }
  return section;
}

TableSection Ladder(const CampaignAnalysis& analysis) {
  TableSection section{.title = "The ladder",
                       .note =
                           "difference of p50 between neighbouring operations on the same "
                           "connections, client totals alone: what one does more than the "
                           "other, the wire time of more bytes and changes of the server's "
                           "caches included"};
  section.table = {.header = {"step"}, .text_columns = 1};
  for (const LadderStep& step : LadderOf(analysis)) section.table.rows.push_back({step.Sentence()});
  return section;
}

}  // namespace

std::vector<std::string> EvidenceLines(const CampaignAnalysis& analysis, const std::string& op) {
  // Ways in the order in which they appear, each with the cells that it is of.
  std::vector<std::pair<std::string, std::vector<std::string>>> ways;
  size_t rows = 0;
  for (const CellOp& row : analysis.rows) {
    if (row.op != op) continue;
    ++rows;
    const std::string evidence = EvidenceOf(row);
    if (evidence.empty()) continue;
    auto at = std::find_if(ways.begin(), ways.end(),
                           [&](const auto& way) { return way.first == evidence; });
    if (at == ways.end()) at = ways.insert(ways.end(), {evidence, {}});
    at->second.push_back(row.cell->Label());
  }
  std::vector<std::string> lines;
  for (const auto& [evidence, cells] : ways) {
    lines.push_back(cells.size() == rows
                        ? evidence
                        : absl::StrCat(evidence, " (", absl::StrJoin(cells, "; "), ")"));
  }
  return lines;
}

TableSection GatesSection(const std::vector<GateResult>& gates) {
  TableSection section{
      .title = "Gates",
      .note =
          "median over the repetitions of the headline's pass, in brackets its 95 % interval "
          "(below "
          "3 repetitions: the least and the most); inconclusive: the bound lies within, or there "
          "are too few requests"};
  section.table = {.header = {"cell", "gate", "verdict", "value", "why"}, .text_columns = 5};
  for (const GateResult& result : gates) {
    section.table.rows.push_back({Printable(result.cell->Label()), Printable(result.gate->text),
                                  std::string(Name(result.verdict)), result.ValueText(),
                                  Printable(result.reason)});
  }
  return section;
}

std::vector<TableSection> TableSections(const CampaignAnalysis& analysis) {
  std::vector<TableSection> sections;
  for (const std::string& op : analysis.ops()) sections.push_back(Causes(analysis, op));
  for (const std::string& op : analysis.ops()) sections.push_back(Tail(analysis, op));
  sections.push_back(ClientPrograms(analysis));
  sections.push_back(Inside(analysis));
  sections.push_back(Evidence(analysis));
  sections.push_back(Ladder(analysis));
  sections.push_back(Costs(analysis));
  sections.push_back(Paths(analysis));
  sections.push_back(Hosts(analysis));
  sections.erase(std::remove_if(sections.begin(), sections.end(),
                                [](const TableSection& s) { return s.table.rows.empty(); }),
                 sections.end());
  return sections;
}

}  // namespace kbench::analysis
