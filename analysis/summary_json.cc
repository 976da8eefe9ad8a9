#include "absl/strings/str_cat.h"
#include "analysis/campaign_analysis.h"
#include "analysis/json_forms.h"
#include "analysis/report.h"
#include "analysis/report_tables.h"
#include "analysis/verdicts.h"

namespace kbench::analysis {
namespace {

Json CaveatsJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const CampaignCaveat& caveat : analysis.caveats) {
    json.push_back({{"code", caveat.code},
                    {"text", caveat.text},
                    {"sentence", Sentence(caveat, *analysis.campaign)},
                    {"runs", caveat.runs},
                    {"cells", caveat.cells}});
  }
  return json;
}

Json PartsJson(const CellOp& row) {
  Json json = Json::array();
  for (const CellPart& part : row.parts) {
    json.push_back({{"part", part.name},
                    {"mean_ns", ToJson(part.mean_ns)},
                    {"share", ToJson(part.share)},
                    {"p50_ns", ToJson(part.p50_ns)},
                    {"p99_ns", ToJson(part.p99_ns)},
                    {"mean_near_response_p50_ns", part.near_p50_ns},
                    {"mean_near_response_p99_ns", part.near_p99_ns}});
  }
  return json;
}

Json RowJson(const CellOp& row) {
  Json json;
  json["op"] = row.op;
  json["transport"] = row.transport;
  json["repetitions"] = row.repetitions;
  json["counts"] = ToJson(row.counts);
  json["answered_per_s"] = ToJson(row.answered_per_s);
  json["payload_bytes_per_s"] = ToJson(row.payload_bytes_per_s);
  json["response_mean_ns"] = ToJson(row.mean_ns);
  json["response_p50_ns"] = ToJson(row.p50_ns);
  json["response_p99_ns"] = ToJson(row.p99_ns);
  json["response_p99_9_ns"] = ToJson(row.p999_ns);
  json["service_p50_ns"] = ToJson(row.service_p50_ns);
  json["cpu_per_op_ns"] = CpuPerRequestNs(row);
  json["samples_seen"] = row.samples_seen;
  json["samples_used"] = row.samples_used;
  json["parts"] = PartsJson(row);
  json["residual_ns"] = ToJson(row.residual_ns);
  json["residual_share"] = ToJson(row.residual_share);
  json["sentence"] = PartsSentence(row);
  return json;
}

Json CellsJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const CellInfo& cell : analysis.campaign->cells) {
    Json entry = {{"index", cell.index}, {"label", cell.Label()}};
    entry["levels"] = Json::object();
    for (const Level& level : cell.levels) entry["levels"][level.axis] = level.value;
    entry["ops"] = Json::array();
    for (const CellOp& row : analysis.rows) {
      if (row.cell == &cell) entry["ops"].push_back(RowJson(row));
    }
    json.push_back(std::move(entry));
  }
  return json;
}

Json ComparisonsJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const TransportComparison& c : CompareTransports(analysis)) {
    json.push_back({{"op", c.op},
                    {"levels", c.rest},
                    {"base", c.base},
                    {"candidate", c.candidate},
                    {"p50_ratio", c.p50.ratio},
                    {"low_90", c.p50.interval ? Json(c.p50.interval->low) : Json()},
                    {"high_90", c.p50.interval ? Json(c.p50.interval->high) : Json()},
                    {"p", c.p50.p},
                    {"p_holm", c.adjusted_p},
                    {"repetitions", c.p50.n},
                    {"verdict", std::string(Name(c.verdict.verdict))},
                    {"sentence", c.Sentence()}});
  }
  return json;
}

Json RunsJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const AnalysedRun& run : analysis.runs) {
    json.push_back({{"run_id", run.evidence->run_id},
                    {"cell", run.evidence->cell},
                    {"repetition", run.evidence->repetition},
                    {"in_statistics", run.usable},
                    {"left_out", run.left_out}});
  }
  return json;
}

}  // namespace

std::string SummaryJson(const CampaignEvidence& campaign) {
  const CampaignAnalysis analysis = Analyse(campaign);
  Json json;
  json["schema"] = 1;
  json["name"] = campaign.name;
  json["run_id"] = campaign.run_id;
  json["started_utc"] = campaign.started_utc;
  json["status"] = campaign.status;
  json["version"] = campaign.version;
  json["server"] = campaign.server;
  json["seed"] = campaign.seed;
  json["repetitions"] = campaign.repetitions;
  json["axes"] = campaign.axes;
  json["constants"] = campaign.constants;
  json["caveats"] = CaveatsJson(analysis);
  json["runs_total"] = campaign.runs.size();
  json["runs_left_out"] = analysis.runs_left_out;
  json["runs"] = RunsJson(analysis);
  json["cells"] = CellsJson(analysis);
  json["transport_comparisons"] = ComparisonsJson(analysis);
  return Dump(json);
}

}  // namespace kbench::analysis
