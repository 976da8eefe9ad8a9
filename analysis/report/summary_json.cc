#include "absl/strings/str_cat.h"
#include "analysis/report/json_forms.h"
#include "analysis/report/report.h"
#include "analysis/report/report_tables.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/split/client_programs.h"
#include "analysis/verdict/bracket.h"
#include "analysis/verdict/findings.h"
#include "analysis/verdict/gates.h"
#include "analysis/verdict/ladder.h"
#include "analysis/verdict/saturation.h"
#include "analysis/verdict/verdicts.h"

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

Json PartsJson(const std::vector<CellPart>& parts, const char* name) {
  Json json = Json::array();
  for (const CellPart& part : parts) {
    json.push_back({{name, part.name},
                    {"mean_ns", ToJson(part.mean_ns)},
                    {"share", ToJson(part.share)},
                    {"p50_ns", ToJson(part.p50_ns)},
                    {"p99_ns", ToJson(part.p99_ns)},
                    {"mean_near_response_p50_ns", ToJson(part.near_p50_ns)},
                    {"mean_near_response_p99_ns", ToJson(part.near_p99_ns)},
                    {"share_near_response_p99", ToJson(part.near_p99_share)}});
  }
  return json;
}

Json FindingsJson(const CampaignAnalysis& analysis, const CellOp& row) {
  Json json = Json::array();
  for (const Finding& finding : FindingsOf(analysis, row)) {
    json.push_back({{"kind", std::string(Name(finding.kind))}, {"sentence", finding.sentence}});
  }
  return json;
}

Json SaturationJson(const CampaignAnalysis& analysis, const CellOp& row) {
  const Saturation s = SaturationOf(analysis, row);
  Json json;
  json["bottleneck"] = s.bottleneck ? Json(std::string(Name(*s.bottleneck))) : Json();
  json["utilisations"] = Json::array();
  for (const Utilisation& u : s.known) {
    json["utilisations"].push_back({{"resource", std::string(Name(u.resource))},
                                    {"utilisation", u.share},
                                    {"evidence", u.evidence}});
  }
  return json;
}

Json CostsJson(const CellOp& row) {
  Json json = Json::array();
  for (const ProbeCost& cost : row.costs) {
    json.push_back({{"pass", std::string(Name(cost.pass))},
                    {"rate", ToJson(cost.rate)},
                    {"mean_response", ToJson(cost.response)},
                    {"client_cpu_per_request", ToJson(cost.cpu)},
                    {"waits_per_request", ToJson(cost.waits)},
                    {"voluntary_switches_per_request", ToJson(cost.switches)},
                    {"perturbed", cost.perturbed}});
  }
  return json;
}

Json BracketJson(const CampaignAnalysis& analysis, const CellOp& row) {
  const std::optional<ServerBracket> bracket = BracketOf(analysis, row);
  if (!bracket) return Json();
  return {{"server_at_least_ns", bracket->least_ns ? Json(*bracket->least_ns) : Json()},
          {"server_at_most_ns", bracket->most_ns}};
}

Json BaselinesJson(const CampaignEvidence& campaign) {
  Json json = Json::array();
  for (const result::NetworkBaseline& b : campaign.baselines) {
    json.push_back({{"from", b.from()},
                    {"to", b.to()},
                    {"kind", b.kind() == result::NetworkBaseline::SERVER ? "server" : "agent"},
                    {"echoes", b.echoes()},
                    {"echo_floor_ns", b.echo_floor_ns()},
                    {"echo_p50_ns", b.echo_p50_ns()},
                    {"echo_p99_ns", b.echo_p99_ns()},
                    {"min_rtt_ns", b.min_rtt_ns()},
                    {"connect_ns", b.connect_ns()},
                    {"sent_bytes_per_s", b.sent_bytes_per_s()},
                    {"received_bytes_per_s", b.received_bytes_per_s()},
                    {"reason", b.reason()}});
  }
  return json;
}

Json LadderJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const LadderStep& step : LadderOf(analysis)) {
    json.push_back({{"lower", step.lower},
                    {"upper", step.upper},
                    {"levels", step.rest},
                    {"difference_ns", step.difference_ns},
                    {"low_95", step.interval ? Json(step.interval->low) : Json()},
                    {"high_95", step.interval ? Json(step.interval->high) : Json()},
                    {"repetitions", step.repetitions},
                    {"sentence", step.Sentence()}});
  }
  return json;
}

Json ProgramJson(const ProgramView& view) {
  const auto number = [](const std::optional<double>& n) { return n ? Json(*n) : Json(); };
  return {{"name", view.name},
          {"ended", view.ended},
          {"requests", view.requests},
          {"wire_mean_ns", number(view.wire_ns)},
          {"client_mean_ns", number(view.client_ns)},
          {"sum_mean_ns", number(view.sum_ns)},
          {"sum_p50_ns", number(view.sum_p50_ns)},
          {"own_count", view.own_count},
          {"own_mean_ns", number(view.own_mean_ns)},
          {"own_p50_ns", number(view.own_p50_ns)},
          {"own_p99_ns", number(view.own_p99_ns)},
          {"own_source", view.source},
          {"own_of_window", view.of_window},
          {"packets_of_whole", view.of_whole},
          {"answers_seen", view.answers_seen},
          {"outside_own_clock_ns", number(view.outside_ns)},
          {"inside_program_ns", number(view.inside_ns)},
          {"verdict", std::string(Name(view.verdict))},
          {"sentence", view.Sentence()}};
}

Json RowJson(const CampaignAnalysis& analysis, const CellOp& row) {
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
  json["headline_pass"] = std::string(Name(row.headline));
  json["parts_pass"] = std::string(Name(row.parts_pass));
  json["client_edges"] = row.boundaries.rungs.client_packets ? "packets" : "kernel_stamps";
  json["server_edge"] = !row.boundaries.server                ? Json()
                        : row.boundaries.rungs.server_packets ? Json("packets")
                                                              : Json("own_record");
  json["parts"] = PartsJson(row.parts, "part");
  json["causes"] = PartsJson(row.causes, "cause");
  json["inside"] = PartsJson(row.inside, "inside");
  json["probe_costs"] = CostsJson(row);
  json["saturation"] = SaturationJson(analysis, row);
  json["server_bracket"] = BracketJson(analysis, row);
  json["findings"] = FindingsJson(analysis, row);
  if (const auto program = ProgramViewOf(row)) json["client_program"] = ProgramJson(*program);
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
      if (row.cell == &cell) entry["ops"].push_back(RowJson(analysis, row));
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

// `value`, `low` and `high` are in ns, shares or 1/s, as `unit` says.
Json GatesJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const GateResult& result : JudgeGates(analysis)) {
    const bool has_value = result.value.n() > 0;
    json.push_back({{"gate", result.gate->text},
                    {"cell", result.cell->index},
                    {"verdict", std::string(Name(result.verdict))},
                    {"reason", result.reason},
                    {"unit", std::string(UnitOf(*result.gate))},
                    {"bound", result.gate->bound},
                    {"value", has_value ? Json(result.value.value) : Json()},
                    {"low", result.range ? Json(result.range->low) : Json()},
                    {"high", result.range ? Json(result.range->high) : Json()},
                    {"repetitions", result.value.n()}});
  }
  return json;
}

Json RunsJson(const CampaignAnalysis& analysis) {
  Json json = Json::array();
  for (const AnalysedRun& run : analysis.runs) {
    json.push_back({{"run_id", run.evidence->run_id},
                    {"cell", run.evidence->cell},
                    {"repetition", run.evidence->repetition},
                    {"pass", std::string(Name(run.evidence->pass))},
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
  const StartSkew skew = StartSkewOf(analysis);
  if (skew.runs > 0) {
    json["start_skew"] = {{"runs", skew.runs},
                          {"p50_ns", skew.p50_ns},
                          {"p99_ns", skew.p99_ns},
                          {"clock_error_ns", skew.clock_error_ns}};
  }
  json["runs"] = RunsJson(analysis);
  json["cells"] = CellsJson(analysis);
  json["gates"] = GatesJson(analysis);
  json["selftest"] = campaign.selftest ? Json{{"passed", campaign.selftest->passed},
                                              {"sentence", campaign.selftest->sentence}}
                                       : Json();
  json["baselines"] = BaselinesJson(campaign);
  json["ladder"] = LadderJson(analysis);
  json["transport_comparisons"] = ComparisonsJson(analysis);
  return Dump(json);
}

}  // namespace kbench::analysis
