#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "analysis/report/report.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/split/client_programs.h"

namespace kbench::analysis {
namespace {

std::string Quoted(absl::string_view text) {
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

// A line under construction; every line has the header's number of fields.
class Line {
 public:
  void Text(absl::string_view text) { fields_.push_back(Quoted(text)); }
  void Count(uint64_t n) { fields_.push_back(absl::StrCat(n)); }
  void Signed(int64_t n) { fields_.push_back(absl::StrCat(n)); }
  void Number(double v) { fields_.push_back(absl::StrFormat("%.3f", v)); }
  void Empty() { fields_.emplace_back(); }
  std::string ToString() const { return absl::StrJoin(fields_, ",") + "\n"; }

 private:
  std::vector<std::string> fields_;
};

bool HasPrograms(const CampaignEvidence& campaign) {
  for (const RunEvidence& run : campaign.runs) {
    for (const result::RunResult& agent : run.agents) {
      if (agent.has_client()) return true;
    }
  }
  return false;
}

std::string Header(const CampaignEvidence& campaign) {
  Line line;
  for (const char* name : {"cell", "repetition", "pass", "run_id", "status"}) line.Text(name);
  for (const std::string& axis : campaign.axes) line.Text(axis);
  for (const char* name : {"op",
                           "run_transport",  // "transport" is the name of an axis
                           "due",
                           "sent",
                           "unsent",
                           "answered",
                           "failed",
                           "lost",
                           "answered_per_s",
                           "request_bytes_per_s",
                           "response_bytes_per_s",
                           "response_mean_ns",
                           "response_p50_ns",
                           "response_p90_ns",
                           "response_p99_ns",
                           "response_p99_9_ns",
                           "response_max_ns",
                           "service_mean_ns",
                           "service_p50_ns",
                           "service_p99_ns",
                           "run_user_ns",
                           "run_system_ns",
                           "run_system_calls",
                           "run_waits",
                           "run_voluntary_switches",
                           "run_involuntary_switches",
                           "samples_seen",
                           "samples_used",
                           "match_rate",
                           "client_match_rate"}) {
    line.Text(name);
  }
  for (const std::string& part : PartNames({})) {
    for (const char* number : {"mean_ns", "p50_ns", "p99_ns"}) {
      line.Text(absl::StrCat(part, "_", number));
    }
  }
  for (const char* name :
       {"merged_part", "merged_mean_ns", "merged_p50_ns", "merged_p99_ns", "residual_ns"}) {
    line.Text(name);
  }
  if (!HasPrograms(campaign)) return line.ToString();
  for (const char* name : {"client_mean_ns", "client_p50_ns", "client_p99_ns", "own_mean_ns",
                           "own_p50_ns", "own_p99_ns", "client_exit_code", "client_signal"}) {
    line.Text(name);
  }
  return line.ToString();
}

const PartStats* FindPart(const Decomposition& d, absl::string_view name) {
  for (const PartStats& part : d.parts) {
    if (part.name == name) return &part;
  }
  return nullptr;
}

void AppendPart(const PartStats* part, Line* line) {
  if (part == nullptr) {
    for (int i = 0; i < 3; ++i) line->Empty();
    return;
  }
  line->Number(part->mean_ns);
  line->Signed(part->p50_ns);
  line->Signed(part->p99_ns);
}

void AppendParts(const Decomposition& d, Line* line) {
  line->Count(d.samples_seen);
  line->Count(d.samples_used);
  line->Number(d.match_rate());
  line->Number(d.client_match_rate());
  const bool known = d.samples_used > 0;
  for (const std::string& name : PartNames({})) {
    AppendPart(known ? FindPart(d, name) : nullptr, line);
  }
  const PartStats* merged = nullptr;
  for (const PartStats& part : d.parts) {
    if (known && absl::StrContains(part.name, "+")) merged = &part;
  }
  line->Text(merged == nullptr ? "" : merged->name);
  AppendPart(merged, line);
  known ? line->Number(d.residual_ns) : line->Empty();
}

// What a client program says of itself: of the first agent's.
void AppendProgram(const RunEvidence& run, const std::string& op, const Decomposition& d,
                   Line* line) {
  AppendPart(d.samples_used > 0 ? FindPart(d, kClientPart) : nullptr, line);
  const result::ExternalClient* client = nullptr;
  const result::ExternalClient::Figure* figure = nullptr;
  for (const result::RunResult& agent : run.agents) {
    if (client != nullptr || !agent.has_client()) continue;
    client = &agent.client();
    figure = FigureOf(agent, op);
  }
  figure != nullptr ? line->Number(figure->mean_ns()) : line->Empty();
  figure != nullptr && figure->has_p50_ns() ? line->Number(figure->p50_ns()) : line->Empty();
  figure != nullptr && figure->has_p99_ns() ? line->Number(figure->p99_ns()) : line->Empty();
  client != nullptr ? line->Signed(client->exit_code()) : line->Empty();
  client != nullptr ? line->Signed(client->signal()) : line->Empty();
}

// Mean and percentiles; a field is empty when too few requests carry it.
void AppendLatency(const Histogram& histogram, std::initializer_list<double> percentiles,
                   Line* line) {
  histogram.count() > 0 ? line->Number(histogram.mean_ns()) : line->Empty();
  for (double p : percentiles) {
    CarriesPercentile(histogram.count(), p) ? line->Signed(histogram.Percentile(p).count())
                                            : line->Empty();
  }
}

void AppendOp(const AnalysedRun& run, const OpSummary& op, const Decomposition& d, Line* line) {
  line->Text(op.op);
  line->Text(run.summary.transport);
  for (uint64_t n : {op.counts.due, op.counts.sent, op.counts.unsent, op.counts.answered,
                     op.counts.failed, op.counts.lost}) {
    line->Count(n);
  }
  line->Number(op.answered_per_s);
  line->Number(op.request_bytes_per_s);
  line->Number(op.response_bytes_per_s);
  AppendLatency(op.response, {50, 90, 99, 99.9}, line);
  op.response.count() > 0 ? line->Signed(op.response.max().count()) : line->Empty();
  AppendLatency(op.service, {50, 99}, line);
  const result::ResourceUse& use = run.summary.usage;
  line->Signed(use.user_ns());
  line->Signed(use.system_ns());
  line->Count(use.system_calls());
  line->Count(use.waits());
  line->Count(use.voluntary_switches());
  line->Count(use.involuntary_switches());
  AppendParts(d, line);
}

std::string LevelValue(const CampaignEvidence& campaign, int cell, const std::string& axis) {
  for (const CellInfo& info : campaign.cells) {
    if (info.index != cell) continue;
    for (const Level& level : info.levels) {
      if (level.axis == axis) return level.value;
    }
  }
  return "";
}

Line Begin(const CampaignEvidence& campaign, const AnalysedRun& run) {
  Line line;
  line.Signed(run.evidence->cell);
  line.Signed(run.evidence->repetition);
  line.Text(Name(run.evidence->pass));
  line.Text(run.evidence->run_id);
  const bool cut_short = !run.usable && run.evidence->status == RunStatus::kComplete;
  line.Text(cut_short ? "aborted" : Name(run.evidence->status));
  for (const std::string& axis : campaign.axes) {
    line.Text(LevelValue(campaign, run.evidence->cell, axis));
  }
  return line;
}

// The separation as the cell shows it, or the run's own when it is in no cell.
Decomposition DecompositionOf(const CampaignAnalysis& analysis, const AnalysedRun& run,
                              const std::string& op) {
  for (const CellOp& row : analysis.rows) {
    for (size_t i = 0; i < row.parts_runs.size(); ++i) {
      if (row.op == op && row.parts_runs[i] == &run) return row.decompositions[i];
    }
  }
  return Decompose(*run.evidence, run.summary, op);
}

}  // namespace

std::string CsvReport(const CampaignEvidence& campaign) {
  const CampaignAnalysis analysis = Analyse(campaign);
  std::string out = Header(campaign);
  // A run that delivered nothing still has its row: every op field is empty.
  const int fields = static_cast<int>(std::count(out.begin(), out.end(), ',')) + 1;
  const bool programs = HasPrograms(campaign);
  for (const AnalysedRun& run : analysis.runs) {
    for (const OpSummary& op : run.summary.ops) {
      Line line = Begin(campaign, run);
      const Decomposition parts = DecompositionOf(analysis, run, op.op);
      AppendOp(run, op, parts, &line);
      if (programs) AppendProgram(*run.evidence, op.op, parts, &line);
      out += line.ToString();
    }
    if (run.summary.ops.empty()) {
      Line line = Begin(campaign, run);
      for (int i = 5 + static_cast<int>(campaign.axes.size()); i < fields; ++i) line.Empty();
      out += line.ToString();
    }
  }
  return out;
}

}  // namespace kbench::analysis
