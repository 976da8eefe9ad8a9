#include "analysis/campaign_analysis.h"

#include <algorithm>
#include <array>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace kbench::analysis {
namespace {

constexpr std::array<double, 17> kCurvePercentiles = {50, 60, 70, 75,   80,   85,   90,    92.5, 95,
                                                      97, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99};

bool IsAxis(const std::string& axis, const std::string& name) {
  return axis == name || absl::EndsWith(axis, absl::StrCat(".", name));
}

const OpSummary* FindOp(const RunSummary& summary, const std::string& op) {
  for (const OpSummary& s : summary.ops) {
    if (s.op == op) return &s;
  }
  return nullptr;
}

std::string WhyLeftOut(const RunEvidence& run) {
  if (run.status == RunStatus::kFailed) return absl::StrCat("failed: ", run.status_text);
  if (run.status == RunStatus::kAborted) return absl::StrCat("aborted: ", run.status_text);
  if (run.agents.empty()) return "no agent delivered a result";
  for (const result::RunResult& agent : run.agents) {
    if (agent.aborted()) {
      return absl::StrCat("agent ", agent.agent(), " aborted: ", agent.abort_reason());
    }
  }
  return "";
}

AnalysedRun AnalyseRun(const RunEvidence& run) {
  AnalysedRun analysed{.evidence = &run, .summary = Summarize(run)};
  analysed.left_out = WhyLeftOut(run);
  analysed.usable = analysed.left_out.empty();
  return analysed;
}

std::string LevelsButTransport(const CellInfo& cell) {
  std::vector<std::string> levels;
  for (const Level& level : cell.levels) {
    if (!IsAxis(level.axis, "transport")) {
      levels.push_back(absl::StrCat(level.axis, "=", level.value));
    }
  }
  return absl::StrJoin(levels, ",");
}

using OfOp = std::function<double(const OpSummary&)>;

Estimate Over(const CellOp& row, const OfOp& number) {
  std::vector<double> values;
  for (const AnalysedRun* run : row.runs) values.push_back(number(*FindOp(run->summary, row.op)));
  return MedianOverRepetitions(std::move(values));
}

using OfParts = std::function<double(const Decomposition&)>;

Estimate OverParts(const CellOp& row, const OfParts& number) {
  std::vector<double> values;
  for (const Decomposition& d : row.decompositions) {
    if (d.samples_used > 0) values.push_back(number(d));
  }
  return MedianOverRepetitions(std::move(values));
}

// Of one of an op's histograms; without values when some repetition has too few requests for it.
Estimate PercentileOver(const CellOp& row, Histogram OpSummary::*histogram, double p) {
  for (const AnalysedRun* run : row.runs) {
    if (!CarriesPercentile((FindOp(run->summary, row.op)->*histogram).count(), p)) return {};
  }
  return Over(row, [&](const OpSummary& op) {
    return static_cast<double>((op.*histogram).Percentile(p).count());
  });
}

void FillLatencies(CellOp* row) {
  row->answered_per_s = Over(*row, [](const OpSummary& op) { return op.answered_per_s; });
  row->payload_bytes_per_s = Over(
      *row, [](const OpSummary& op) { return op.request_bytes_per_s + op.response_bytes_per_s; });
  const bool any = std::all_of(row->runs.begin(), row->runs.end(), [&](const AnalysedRun* run) {
    return FindOp(run->summary, row->op)->response.count() > 0;
  });
  if (any) row->mean_ns = Over(*row, [](const OpSummary& op) { return op.response.mean_ns(); });
  row->p50_ns = PercentileOver(*row, &OpSummary::response, 50);
  row->p99_ns = PercentileOver(*row, &OpSummary::response, 99);
  row->p999_ns = PercentileOver(*row, &OpSummary::response, 99.9);
  row->service_p50_ns = PercentileOver(*row, &OpSummary::service, 50);
}

void FillCurve(CellOp* row) {
  for (double p : kCurvePercentiles) {
    const Estimate response = PercentileOver(*row, &OpSummary::response, p);
    if (response.n() == 0) break;
    row->curve.push_back({p, response.value});
  }
}

void FillParts(CellOp* row) {
  Boundaries common;
  std::vector<result::Caveat> said_by_decompose;
  for (const AnalysedRun* run : row->runs) {
    common = common.And(TrustedBoundaries(*run->evidence, row->op, &said_by_decompose));
  }
  for (const AnalysedRun* run : row->runs) {
    row->decompositions.push_back(Decompose(*run->evidence, run->summary, row->op, common));
    row->samples_used += row->decompositions.back().samples_used;
    row->samples_seen += row->decompositions.back().samples_seen;
  }
  if (row->samples_used == 0) return;
  const std::vector<std::string> names = PartNames(common);
  for (size_t i = 0; i < names.size(); ++i) {
    CellPart part{.name = names[i]};
    part.mean_ns = OverParts(*row, [i](const Decomposition& d) { return d.parts[i].mean_ns; });
    part.share = OverParts(*row, [i](const Decomposition& d) { return d.parts[i].share; });
    part.p50_ns = OverParts(
        *row, [i](const Decomposition& d) { return static_cast<double>(d.parts[i].p50_ns); });
    part.p99_ns = OverParts(
        *row, [i](const Decomposition& d) { return static_cast<double>(d.parts[i].p99_ns); });
    part.near_p50_ns =
        OverParts(*row, [i](const Decomposition& d) { return d.parts[i].near_p50_ns; }).value;
    part.near_p99_ns =
        OverParts(*row, [i](const Decomposition& d) { return d.parts[i].near_p99_ns; }).value;
    row->parts.push_back(std::move(part));
  }
  row->residual_ns = OverParts(*row, [](const Decomposition& d) { return d.residual_ns; });
  row->residual_share = OverParts(*row, [](const Decomposition& d) { return d.residual_share(); });
}

CellOp MakeRow(const CellInfo& cell, const std::string& op, std::vector<const AnalysedRun*> runs) {
  CellOp row{.cell = &cell, .op = op};
  std::stable_sort(runs.begin(), runs.end(), [](const AnalysedRun* a, const AnalysedRun* b) {
    return a->evidence->repetition < b->evidence->repetition;
  });
  row.runs = std::move(runs);
  row.transport = LevelOf(cell, "transport");
  if (row.transport.empty()) row.transport = row.runs.front()->summary.transport;
  row.rest = LevelsButTransport(cell);
  for (const AnalysedRun* run : row.runs) {
    row.repetitions.push_back(run->evidence->repetition);
    const OpCounts& counts = FindOp(run->summary, op)->counts;
    row.counts.due += counts.due;
    row.counts.sent += counts.sent;
    row.counts.unsent += counts.unsent;
    row.counts.answered += counts.answered;
    row.counts.failed += counts.failed;
    row.counts.lost += counts.lost;
  }
  FillLatencies(&row);
  FillCurve(&row);
  FillParts(&row);
  return row;
}

std::vector<std::string> OpsOf(const std::vector<AnalysedRun>& runs) {
  std::vector<std::string> ops;
  for (const AnalysedRun& run : runs) {
    for (const OpSummary& op : run.summary.ops) {
      if (std::find(ops.begin(), ops.end(), op.op) == ops.end()) ops.push_back(op.op);
    }
  }
  return ops;
}

void FillRows(CampaignAnalysis* analysis) {
  for (const std::string& op : OpsOf(analysis->runs)) {
    for (const CellInfo& cell : analysis->campaign->cells) {
      std::vector<const AnalysedRun*> runs;
      for (const AnalysedRun& run : analysis->runs) {
        if (run.usable && run.evidence->cell == cell.index && FindOp(run.summary, op)) {
          runs.push_back(&run);
        }
      }
      if (!runs.empty()) analysis->rows.push_back(MakeRow(cell, op, std::move(runs)));
    }
  }
}

void CollectFromCampaign(const CampaignAnalysis& analysis, CaveatCollector* collector) {
  const CampaignEvidence& campaign = *analysis.campaign;
  for (const result::Caveat& caveat : campaign.caveats) collector->AddForCampaign(caveat);
  if (campaign.status != "complete") {
    collector->AddForCampaign(MakeCaveat(
        "campaign_incomplete",
        absl::StrCat("the campaign is ", campaign.status, ": what follows is what it got to")));
  }
  int fewest = INT32_MAX;
  for (const CellOp& row : analysis.rows) {
    fewest = std::min(fewest, static_cast<int>(row.repetitions.size()));
  }
  if (fewest < kRepetitionsForInterval) {
    collector->AddForCampaign(MakeCaveat(
        "few_repetitions",
        absl::StrCat("a cell with fewer than ", kRepetitionsForInterval,
                     " repetitions has no interval: its run-to-run spread is not known")));
  }
  // The smallest number of repetitions that does have an interval decides.
  int fewest_with_interval = INT32_MAX;
  for (const CellOp& row : analysis.rows) {
    if (row.answered_per_s.interval) {
      fewest_with_interval = std::min(fewest_with_interval, row.answered_per_s.n());
    }
  }
  if (fewest_with_interval < 6) {
    collector->AddForCampaign(MakeCaveat(
        "small_bootstrap",
        absl::StrFormat("intervals over %d repetitions are bootstrap intervals, 95 %% in name: "
                        "over %d they hold the true median at most %.0f %% of the time",
                        fewest_with_interval, fewest_with_interval,
                        100 * BestMedianCoverage(fewest_with_interval))));
  }
}

// What the agents state in a number but did not say in words.
void CollectFromAgent(const RunEvidence& run, const result::RunResult& agent,
                      CaveatCollector* collector) {
  bool dropped_said = false;
  for (const result::Caveat& caveat : agent.caveats()) {
    collector->AddForRun(run, caveat);
    dropped_said |= caveat.code() == "samples_dropped";
  }
  if (agent.samples_dropped() > 0 && !dropped_said) {
    collector->AddForRun(
        run, MakeCaveat("samples_dropped",
                        absl::StrCat("agent ", agent.agent(), " could not keep ",
                                     agent.samples_dropped(), " samples: its trace was full")));
  }
}

void CollectFromRuns(const CampaignAnalysis& analysis, CaveatCollector* collector) {
  for (const AnalysedRun& run : analysis.runs) {
    const RunEvidence& evidence = *run.evidence;
    if (!run.usable) {
      collector->AddForRun(
          evidence, MakeCaveat("runs_left_out", absl::StrCat(evidence.run_id, " ", run.left_out,
                                                             "; not in any statistic")));
    }
    for (const result::Caveat& caveat : evidence.caveats) collector->AddForRun(evidence, caveat);
    for (const result::RunResult& agent : evidence.agents) {
      CollectFromAgent(evidence, agent, collector);
    }
    for (const result::Caveat& caveat : run.summary.caveats) {
      collector->AddForRun(evidence, caveat);
    }
    for (const CellOp& row : analysis.rows) {
      for (size_t i = 0; i < row.runs.size(); ++i) {
        if (row.runs[i] != &run) continue;
        for (const result::Caveat& caveat : row.decompositions[i].caveats) {
          collector->AddForRun(evidence, caveat);
        }
      }
    }
  }
}

}  // namespace

std::vector<std::string> CampaignAnalysis::ops() const {
  std::vector<std::string> ops;
  for (const CellOp& row : rows) {
    if (ops.empty() || ops.back() != row.op) ops.push_back(row.op);
  }
  return ops;
}

CampaignAnalysis Analyse(const CampaignEvidence& campaign) {
  CampaignAnalysis analysis;
  analysis.campaign = &campaign;
  // Rows point into `runs`, whose storage moves with the result but does not change place.
  for (const RunEvidence& run : campaign.runs) {
    analysis.runs.push_back(AnalyseRun(run));
    analysis.runs_left_out += !analysis.runs.back().usable;
  }
  FillRows(&analysis);
  CaveatCollector collector;
  CollectFromCampaign(analysis, &collector);
  CollectFromRuns(analysis, &collector);
  analysis.caveats = std::move(collector).Take();
  return analysis;
}

std::string LevelOf(const CellInfo& cell, const std::string& name) {
  for (const Level& level : cell.levels) {
    if (IsAxis(level.axis, name)) return level.value;
  }
  return "";
}

}  // namespace kbench::analysis
