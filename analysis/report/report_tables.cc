#include "analysis/report/report_tables.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

std::string ValueOf(const CellInfo& cell, const std::string& axis) {
  for (const Level& level : cell.levels) {
    if (level.axis == axis) return level.value;
  }
  return "";
}

std::vector<const CellOp*> RowsOf(const CampaignAnalysis& analysis, const std::string& op) {
  std::vector<const CellOp*> rows;
  for (const CellOp& row : analysis.rows) {
    if (row.op == op) rows.push_back(&row);
  }
  return rows;
}

std::string ValueUs(const Estimate& estimate) {
  return estimate.n() == 0 ? "-" : FormatUs(estimate.value);
}

std::string IntervalUs(const Estimate& estimate) {
  if (!estimate.interval) return "-";
  return absl::StrCat("[", FormatUs(estimate.interval->low), ", ",
                      FormatUs(estimate.interval->high), "]");
}

const CellPart* NetworkPart(const CellOp& row) {
  for (const CellPart& part : row.parts) {
    if (absl::StrContains(part.name, "network")) return &part;
  }
  return nullptr;
}

// The row's part for one column of the full separation, or the mark of a merged one.
struct PartCell {
  std::string us;
  std::string share;
};

// All of the client's own parts together, where each is separated.
PartCell ClientSum(const CellOp& row) {
  double sum = 0, share = 0;
  bool known = false;
  for (const CellPart& part : row.parts) {
    if (HasClientStack(part.name) && absl::StrContains(part.name, "network")) return {"-", ""};
    if (!HasClientStack(part.name) && part.name != "wait") continue;
    known = true;
    sum += part.mean_ns.value;
    share += part.share.value;
  }
  if (!known) return {"-", ""};
  return {FormatUs(sum), absl::StrFormat("%.1f", 100 * share)};
}

PartCell CellOfPart(const CellOp& row, const std::string& column) {
  if (row.parts.empty()) return {"-", ""};
  for (const CellPart& part : row.parts) {
    if (part.name == column) {
      return {FormatUs(part.mean_ns.value), absl::StrFormat("%.1f", 100 * part.share.value)};
    }
  }
  const CellPart* network = NetworkPart(row);
  if (column == "network") {
    return {FormatUs(network->mean_ns.value), absl::StrFormat("%.1f", 100 * network->share.value)};
  }
  if (row.boundaries.opaque && column != "server") return {"-", ""};
  return {column == "client_send" ? ">" : "<", ""};
}

}  // namespace

Table NamedRows(const CampaignAnalysis& analysis, const std::string& op) {
  Table table;
  for (const std::string& axis : VaryingAxes(analysis, op)) {
    table.header.push_back(ShortAxis(axis));
  }
  if (table.header.empty()) table.header.push_back("transport");
  table.text_columns = static_cast<int>(table.header.size());
  return table;
}

std::vector<std::string> NameCells(const CampaignAnalysis& analysis, const CellOp& row) {
  std::vector<std::string> cells;
  for (const std::string& axis : VaryingAxes(analysis, row.op)) {
    cells.push_back(Printable(ValueOf(*row.cell, axis)));
  }
  if (cells.empty()) cells.push_back(Printable(row.transport));
  return cells;
}

std::string FormatUs(double ns) {
  const double us = ns / 1e3;
  const double size = std::fabs(us);
  if (size < 10) return absl::StrFormat("%.2f", us);
  return size < 1000 ? absl::StrFormat("%.1f", us) : absl::StrFormat("%.0f", us);
}

std::string FormatCount(double n) {
  return n < 100 ? absl::StrFormat("%.2f", n) : absl::StrFormat("%.0f", n);
}

double CpuPerRequestNs(const CellOp& row) {
  std::vector<double> values;
  for (const AnalysedRun* run : row.runs) {
    const uint64_t sent = run->summary.all.counts.sent;
    if (sent == 0) continue;
    const auto& use = run->summary.usage;
    values.push_back(static_cast<double>(use.user_ns() + use.system_ns()) /
                     static_cast<double>(sent));
  }
  return Median(std::move(values));
}

std::vector<std::string> LeftOut(const CampaignAnalysis& analysis) {
  std::vector<std::string> lines;
  for (const AnalysedRun& run : analysis.runs) {
    if (run.usable) continue;
    std::string cell;
    for (const CellInfo& info : analysis.campaign->cells) {
      if (info.index == run.evidence->cell) cell = info.Label();
    }
    lines.push_back(absl::StrCat("run ", run.evidence->run_id, " (", cell, ", repetition ",
                                 run.evidence->repetition + 1, ") ", run.left_out));
  }
  return lines;
}

std::string SelftestText(const CampaignEvidence& campaign) {
  return campaign.selftest ? campaign.selftest->sentence
                           : "none on these hosts (kbench selftest makes one)";
}

std::string CountsLine(const CampaignAnalysis& analysis) {
  OpCounts sum;
  for (const AnalysedRun& run : analysis.runs) {
    if (!run.usable) continue;
    const OpCounts& c = run.summary.all.counts;
    sum.due += c.due, sum.sent += c.sent, sum.unsent += c.unsent;
    sum.answered += c.answered, sum.failed += c.failed, sum.lost += c.lost;
  }
  return absl::StrFormat(
      "Requests of the %d complete runs: due %d = sent %d + unsent %d; sent = answered %d + failed "
      "%d + lost %d",
      analysis.runs.size() - static_cast<size_t>(analysis.runs_left_out), sum.due, sum.sent,
      sum.unsent, sum.answered, sum.failed, sum.lost);
}

StartSkew StartSkewOf(const CampaignAnalysis& analysis) {
  StartSkew skew;
  std::vector<int64_t> apart;
  for (const AnalysedRun& run : analysis.runs) {
    if (!run.usable || run.evidence->agents.size() < 2) continue;
    apart.push_back(run.evidence->first_send_skew_ns);
    skew.clock_error_ns = std::max(skew.clock_error_ns, run.evidence->clock_error_bound_ns);
  }
  skew.runs = apart.size();
  if (apart.empty()) return skew;
  std::sort(apart.begin(), apart.end());
  skew.p50_ns = apart[(apart.size() - 1) / 2];
  skew.p99_ns = apart[(apart.size() * 99 + 99) / 100 - 1];
  return skew;
}

std::string SkewLine(const StartSkew& skew) {
  if (skew.runs == 0) return "";
  return absl::StrCat(
      "First requests of the agents: ", HumanDuration(static_cast<double>(skew.p99_ns)),
      " apart (p99 of ", skew.runs, " runs; p50 ", HumanDuration(static_cast<double>(skew.p50_ns)),
      "), their clocks being known to ", HumanDuration(static_cast<double>(skew.clock_error_ns)));
}

std::string ShortAxis(const std::string& axis) {
  const size_t dot = axis.rfind('.');
  return dot == std::string::npos ? axis : axis.substr(dot + 1);
}

std::vector<std::string> VaryingAxes(const CampaignAnalysis& analysis, const std::string& op) {
  const std::vector<const CellOp*> rows = RowsOf(analysis, op);
  std::vector<std::string> varying;
  if (rows.empty()) return varying;
  for (const Level& level : rows.front()->cell->levels) {
    for (const CellOp* row : rows) {
      if (ValueOf(*row->cell, level.axis) == level.value) continue;
      varying.push_back(level.axis);
      break;
    }
  }
  return varying;
}

std::string OpTitle(const CampaignAnalysis& analysis, const std::string& op) {
  std::string title = op;
  const std::vector<std::string> varying = VaryingAxes(analysis, op);
  const std::vector<const CellOp*> rows = RowsOf(analysis, op);
  if (rows.empty()) return title;
  for (const Level& level : rows.front()->cell->levels) {
    if (std::find(varying.begin(), varying.end(), level.axis) != varying.end()) continue;
    absl::StrAppend(&title, "  ", ShortAxis(level.axis), "=", level.value);
  }
  return title;
}

Table LatencyTable(const CampaignAnalysis& analysis, const std::string& op) {
  Table table = NamedRows(analysis, op);
  for (const char* name :
       {"ops/s", "p50 us", "95 % of p50", "p99 us", "p99.9 us", "cpu us/op", "failed", "n"}) {
    table.header.push_back(name);
  }
  for (const CellOp* row : RowsOf(analysis, op)) {
    std::vector<std::string> cells = NameCells(analysis, *row);
    cells.push_back(FormatCount(row->answered_per_s.value));
    cells.push_back(ValueUs(row->p50_ns));
    cells.push_back(IntervalUs(row->p50_ns));
    cells.push_back(ValueUs(row->p99_ns));
    cells.push_back(ValueUs(row->p999_ns));
    cells.push_back(FormatUs(CpuPerRequestNs(*row)));
    cells.push_back(absl::StrCat(row->counts.failed + row->counts.lost + row->counts.unsent));
    cells.push_back(absl::StrCat(row->repetitions.size()));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table PartsTable(const CampaignAnalysis& analysis, const std::string& op) {
  Table table = NamedRows(analysis, op);
  const std::vector<std::string> columns = PartNames({});
  const std::vector<const CellOp*> rows = RowsOf(analysis, op);
  const bool programs = std::any_of(rows.begin(), rows.end(),
                                    [](const CellOp* row) { return row->boundaries.opaque; });
  if (programs) table.header.push_back("client");
  for (const char* name :
       {"wait", "encode", "submit", "send", "network", "server", "receive", "decode", "residual"}) {
    table.header.push_back(name);
  }
  for (const CellOp* row : rows) {
    std::vector<std::string> us = NameCells(analysis, *row);
    std::vector<std::string> share(us.size());
    share.back() = "%";
    if (programs) {
      PartCell cell = ClientSum(*row);
      us.push_back(std::move(cell.us));
      share.push_back(std::move(cell.share));
    }
    for (const std::string& column : columns) {
      PartCell cell = CellOfPart(*row, column);
      us.push_back(std::move(cell.us));
      share.push_back(std::move(cell.share));
    }
    const bool known = !row->parts.empty();
    us.push_back(known ? FormatUs(row->residual_ns.value) : "-");
    share.push_back(known ? absl::StrFormat("%.1f", 100 * row->residual_share.value) : "");
    table.rows.push_back(std::move(us));
    table.rows.push_back(std::move(share));
  }
  return table;
}

}  // namespace kbench::analysis
