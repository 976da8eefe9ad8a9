#include "analysis/split/campaign_analysis.h"

#include <algorithm>
#include <array>
#include <functional>

#include "absl/algorithm/container.h"
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
  // Fewer agents are another experiment: compared with whole runs, or pooled with them, they would
  // answer a question that nobody asked.
  if (run.status == RunStatus::kDegraded) return absl::StrCat("degraded: ", run.status_text);
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

using PartsOf = std::vector<PartStats> Decomposition::*;

// The parts of all repetitions; none when a repetition has others, or none.
std::vector<CellPart> OverRepetitions(const CellOp& row, PartsOf parts) {
  std::vector<CellPart> cell_parts;
  const std::vector<PartStats>* first = nullptr;
  for (const Decomposition& d : row.decompositions) {
    if (d.samples_used == 0) continue;
    if (first == nullptr) first = &(d.*parts);
    if ((d.*parts).size() != first->size()) return {};
  }
  if (first == nullptr) return {};
  for (size_t i = 0; i < first->size(); ++i) {
    const auto over = [&](double (*number)(const PartStats&)) {
      return OverParts(row, [&](const Decomposition& d) { return number((d.*parts)[i]); });
    };
    CellPart part{.name = (*first)[i].name};
    part.mean_ns = over([](const PartStats& p) { return p.mean_ns; });
    part.share = over([](const PartStats& p) { return p.share; });
    part.p50_ns = over([](const PartStats& p) { return static_cast<double>(p.p50_ns); });
    part.p99_ns = over([](const PartStats& p) { return static_cast<double>(p.p99_ns); });
    part.near_p50_ns = over([](const PartStats& p) { return p.near_p50_ns; });
    part.near_p99_ns = over([](const PartStats& p) { return p.near_p99_ns; });
    part.near_p99_share = over([](const PartStats& p) { return p.near_p99_share; });
    cell_parts.push_back(std::move(part));
  }
  return cell_parts;
}

std::vector<const AnalysedRun*> OfPass(const std::vector<const AnalysedRun*>& runs, Pass pass) {
  std::vector<const AnalysedRun*> of_pass;
  absl::c_copy_if(runs, std::back_inserter(of_pass),
                  [pass](const AnalysedRun* run) { return run->evidence->pass == pass; });
  return of_pass;
}

// What all of `runs` have.
Rungs CommonRungs(const std::vector<const AnalysedRun*>& runs, const std::string& op) {
  Rungs common = {.client_packets = !runs.empty(), .server_packets = !runs.empty()};
  std::vector<result::Caveat> said_by_decompose;
  for (const AnalysedRun* run : runs) {
    common = common.And(BestRungs(*run->evidence, op, &said_by_decompose));
  }
  return common;
}

// The full pass is worth its cost where it brings packets; otherwise kernel stamps on few requests
// disturb less than those on many.
Pass PassForParts(const std::vector<const AnalysedRun*>& runs, const std::string& op) {
  const std::vector<const AnalysedRun*> full = OfPass(runs, Pass::kFull);
  const bool sampled = !OfPass(runs, Pass::kSampled).empty();
  if (full.empty()) return sampled ? Pass::kSampled : Pass::kBare;
  return !sampled || CommonRungs(full, op) != Rungs{} ? Pass::kFull : Pass::kSampled;
}

void FillParts(const std::vector<const AnalysedRun*>& runs, CellOp* row) {
  row->parts_pass = PassForParts(runs, row->op);
  row->parts_runs = OfPass(runs, row->parts_pass);
  if (row->parts_pass != Pass::kFull) {
    for (const AnalysedRun* run : OfPass(runs, Pass::kFull)) {
      std::vector<result::Caveat> why;
      BestRungs(*run->evidence, row->op, &why);
      for (result::Caveat& caveat : why) row->passed_over.emplace_back(run, std::move(caveat));
    }
  }
  Boundaries common = {.rungs = CommonRungs(row->parts_runs, row->op)};
  std::vector<result::Caveat> said_by_decompose;
  for (const AnalysedRun* run : row->parts_runs) {
    common =
        common.And(TrustedBoundaries(*run->evidence, row->op, common.rungs, &said_by_decompose));
  }
  for (const AnalysedRun* run : row->parts_runs) {
    row->decompositions.push_back(Decompose(*run->evidence, run->summary, row->op, common));
    row->samples_used += row->decompositions.back().samples_used;
    row->samples_seen += row->decompositions.back().samples_seen;
  }
  row->boundaries = common;
  if (row->samples_used == 0) return;
  row->parts = OverRepetitions(*row, &Decomposition::parts);
  row->causes = OverRepetitions(*row, &Decomposition::causes);
  row->inside = OverRepetitions(*row, &Decomposition::inside);
  row->residual_ns = OverParts(*row, [](const Decomposition& d) { return d.residual_ns; });
  row->residual_share = OverParts(*row, [](const Decomposition& d) { return d.residual_share(); });
}

std::vector<ProbeCost> CostsOf(const std::vector<const AnalysedRun*>& runs, const std::string& op) {
  std::vector<PassRun> of_op;
  for (const AnalysedRun* run : runs) {
    of_op.push_back({.repetition = run->evidence->repetition,
                     .pass = run->evidence->pass,
                     .summary = &run->summary,
                     .op = FindOp(run->summary, op)});
  }
  return analysis::CostsOf(of_op);
}

CellOp MakeRow(const CellInfo& cell, const std::string& op, std::vector<const AnalysedRun*> runs) {
  CellOp row{.cell = &cell, .op = op};
  std::stable_sort(runs.begin(), runs.end(), [](const AnalysedRun* a, const AnalysedRun* b) {
    return a->evidence->repetition < b->evidence->repetition;
  });
  row.headline = Pass::kFull;
  for (const AnalysedRun* run : runs) row.headline = std::min(row.headline, run->evidence->pass);
  row.runs = OfPass(runs, row.headline);
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
  FillParts(runs, &row);
  row.costs = CostsOf(runs, op);
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

// What probes cost, where that is not known or too much.
void CollectOfPasses(const CampaignAnalysis& analysis, CaveatCollector* collector) {
  // Client programs have no bare pass, which is no choice of the campaign's.
  const auto no_bare = [](const CellOp& row) {
    return row.headline != Pass::kBare && !row.boundaries.opaque;
  };
  if (absl::c_any_of(analysis.rows, no_bare)) {
    collector->AddForCampaign(MakeCaveat(
        "no_bare_pass",
        "response times and rates are of runs with probes: what these cost was not measured "
        "(probes.passes: [bare, ...] does)"));
  }
  for (const CellOp& row : analysis.rows) {
    for (const auto& [run, caveat] : row.passed_over) collector->AddForRun(*run->evidence, caveat);
    for (const ProbeCost& cost : row.costs) {
      if (cost.pass != row.parts_pass || cost.perturbed.empty()) continue;
      const result::Caveat caveat =
          MakeCaveat("pass_perturbed",
                     absl::StrCat(row.op, ": parts are of the ", std::string(Name(cost.pass)),
                                  " pass, whose probes changed what they measure: ", cost.perturbed,
                                  " of the bare pass"));
      for (const AnalysedRun* run : row.parts_runs) collector->AddForRun(*run->evidence, caveat);
    }
  }
}

void CollectFromCampaign(const CampaignAnalysis& analysis, CaveatCollector* collector) {
  const CampaignEvidence& campaign = *analysis.campaign;
  for (const result::Caveat& caveat : campaign.caveats) collector->AddForCampaign(caveat);
  if (campaign.selftest && !campaign.selftest->passed) {
    collector->AddForCampaign(
        MakeCaveat("selftest_failed",
                   absl::StrCat("these hosts bill known delays to the wrong part; self-test ",
                                campaign.selftest->sentence)));
  }
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
  CollectOfPasses(analysis, collector);
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
      for (size_t i = 0; i < row.parts_runs.size(); ++i) {
        if (row.parts_runs[i] != &run) continue;
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
  }
  for (const AnalysedRun& run : analysis.runs) analysis.runs_left_out += !run.usable;
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

std::string SettingOf(const CampaignEvidence& campaign, const CellInfo& cell,
                      const std::string& name) {
  const std::string level = LevelOf(cell, name);
  if (!level.empty()) return level;
  const auto constant = campaign.constants.find(name);
  return constant == campaign.constants.end() ? "" : constant->second;
}

}  // namespace kbench::analysis
