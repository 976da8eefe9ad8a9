#include "controller/store/manifest.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "controller/campaign/gate_syntax.h"

namespace kbench {
namespace {

using Json = nlohmann::ordered_json;

Json CaveatsJson(const std::vector<result::Caveat>& caveats) {
  Json list = Json::array();
  for (const result::Caveat& caveat : caveats) {
    list.push_back({{"code", caveat.code()}, {"text", caveat.text()}});
  }
  return list;
}

std::vector<result::Caveat> CaveatsFrom(const Json& list) {
  std::vector<result::Caveat> caveats;
  for (const Json& item : list) {
    result::Caveat& caveat = caveats.emplace_back();
    caveat.set_code(item.at("code").get<std::string>());
    caveat.set_text(item.at("text").get<std::string>());
  }
  return caveats;
}

Json CellsJson(const std::vector<analysis::CellInfo>& cells) {
  Json list = Json::array();
  for (const analysis::CellInfo& cell : cells) {
    Json levels = Json::array();
    for (const analysis::Level& level : cell.levels) {
      levels.push_back({{"axis", level.axis}, {"value", level.value}});
    }
    list.push_back({{"index", cell.index}, {"label", cell.Label()}, {"levels", levels}});
  }
  return list;
}

std::vector<analysis::CellInfo> CellsFrom(const Json& list) {
  std::vector<analysis::CellInfo> cells;
  for (const Json& item : list) {
    analysis::CellInfo& cell = cells.emplace_back();
    cell.index = item.at("index").get<int>();
    for (const Json& level : item.at("levels")) {
      cell.levels.push_back({.axis = level.at("axis").get<std::string>(),
                             .value = level.at("value").get<std::string>()});
    }
  }
  return cells;
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

absl::StatusOr<analysis::RunStatus> ParseStatus(const std::string& name) {
  for (auto status : {analysis::RunStatus::kComplete, analysis::RunStatus::kDegraded,
                      analysis::RunStatus::kAborted, analysis::RunStatus::kFailed}) {
    if (analysis::Name(status) == name) return status;
  }
  return absl::InternalError(absl::StrCat("unknown run status '", name, "'"));
}

// Results from before there were passes have none: kernel stamps on some requests was all there
// was.
absl::StatusOr<analysis::Pass> PassFrom(const Json& json) {
  if (!json.contains("pass")) return analysis::Pass::kSampled;
  const auto name = json.at("pass").get<std::string>();
  for (analysis::Pass pass : analysis::kPasses) {
    if (analysis::Name(pass) == name) return pass;
  }
  return absl::InternalError(absl::StrCat("unknown pass '", name, "'"));
}

// nlohmann throws on a missing key or a wrong type; here that becomes a status, at this one place.
template <typename Parse>
auto Guarded(absl::string_view text, Parse parse) -> decltype(parse(Json())) {
  try {
    const Json json = Json::parse(text.begin(), text.end());
    if (const int version = json.at("schema_version").get<int>(); version != kResultSchemaVersion) {
      return absl::FailedPreconditionError(
          absl::StrCat("it has schema version ", version, ", this kbench reads ",
                       kResultSchemaVersion, "; use the release that wrote it"));
    }
    return parse(json);
  } catch (const nlohmann::json::exception& e) {
    return absl::InternalError(
        absl::StrCat("it is damaged (", e.what(), "); restore the result directory from a copy"));
  }
}

absl::StatusOr<Manifest> ManifestFrom(const Json& json) {
  Manifest m;
  analysis::CampaignEvidence& c = m.campaign;
  json.at("name").get_to(c.name);
  json.at("run_id").get_to(c.run_id);
  json.at("status").get_to(c.status);
  json.at("started_utc").get_to(c.started_utc);
  json.at("ended_utc").get_to(m.ended_utc);
  json.at("label").get_to(m.label);
  m.resumed_from = json.value("resumed_from", "");
  json.at("exit_code").get_to(m.exit_code);
  json.at("exit_text").get_to(m.exit_text);
  json.at("controller_version").get_to(c.version);
  json.at("server").get_to(c.server);
  json.at("seed").get_to(c.seed);
  json.at("repetitions").get_to(c.repetitions);
  json.at("runs_planned").get_to(m.runs_planned);
  json.at("campaign_sha256").get_to(m.campaign_sha256);
  json.at("plan_sha256").get_to(m.plan_sha256);
  m.baselines_sha256 = json.value("baselines_sha256", "");
  if (json.contains("selftest")) {
    const Json& selftest = json.at("selftest");
    c.selftest = {.passed = selftest.at("passed").get<bool>(),
                  .sentence = selftest.at("sentence").get<std::string>()};
  }
  json.at("axes").get_to(c.axes);
  json.at("constants").get_to(c.constants);
  c.cells = CellsFrom(json.at("cells"));
  c.caveats = CaveatsFrom(json.at("caveats"));
  if (json.contains("gates")) {
    for (const Json& text : json.at("gates")) {
      ASSIGN_OR_RETURN(analysis::Gate gate, ParseGate(text.get<std::string>()));
      c.gates.push_back(std::move(gate));
    }
  }
  for (const Json& run : json.at("runs")) {
    ASSIGN_OR_RETURN(const analysis::Pass pass, PassFrom(run));
    m.runs.push_back({.ordinal = run.at("ordinal").get<int>(),
                      .cell = run.at("cell").get<int>(),
                      .repetition = run.at("repetition").get<int>(),
                      .pass = pass,
                      .run_id = run.at("run_id").get<std::string>(),
                      .status = run.at("status").get<std::string>(),
                      .directory = run.at("directory").get<std::string>()});
  }
  return m;
}

EvidenceFile EvidenceFileFrom(const Json& json) {
  return {.name = json.at("file").get<std::string>(),
          .sha256 = json.at("sha256").get<std::string>()};
}

Json EvidenceFileJson(const EvidenceFile& file) {
  return {{"file", file.name}, {"sha256", file.sha256}};
}

absl::StatusOr<RunRecord> RunRecordFrom(const Json& json) {
  RunRecord record;
  analysis::RunEvidence& e = record.evidence;
  json.at("ordinal").get_to(record.ordinal);
  json.at("cell").get_to(e.cell);
  json.at("repetition").get_to(e.repetition);
  ASSIGN_OR_RETURN(e.pass, PassFrom(json));
  json.at("run_id").get_to(e.run_id);
  ASSIGN_OR_RETURN(e.status, ParseStatus(json.at("status").get<std::string>()));
  json.at("status_text").get_to(e.status_text);
  json.at("first_send_skew_ns").get_to(e.first_send_skew_ns);
  json.at("clock_error_bound_ns").get_to(e.clock_error_bound_ns);
  json.at("spec_sha256").get_to(record.spec_sha256);
  e.caveats = CaveatsFrom(json.at("caveats"));
  for (const Json& file : json.at("agents")) {
    record.agent_files.push_back(EvidenceFileFrom(file));
  }
  if (json.contains("server_wire")) {
    record.server_wire_file = EvidenceFileFrom(json.at("server_wire"));
  }
  return record;
}

}  // namespace

std::string ManifestJson(const Manifest& m) {
  const analysis::CampaignEvidence& c = m.campaign;
  Json runs = Json::array();
  for (const ManifestRun& run : m.runs) {
    runs.push_back({{"ordinal", run.ordinal},
                    {"cell", run.cell},
                    {"repetition", run.repetition},
                    {"pass", std::string(analysis::Name(run.pass))},
                    {"run_id", run.run_id},
                    {"status", run.status},
                    {"directory", run.directory}});
  }
  Json json = {{"schema_version", kResultSchemaVersion},
               {"name", c.name},
               {"run_id", c.run_id},
               {"label", m.label},
               {"resumed_from", m.resumed_from},
               {"status", c.status},
               {"exit_code", m.exit_code},
               {"exit_text", m.exit_text},
               {"started_utc", c.started_utc},
               {"ended_utc", m.ended_utc},
               {"controller_version", c.version},
               {"server", c.server},
               {"seed", c.seed},
               {"repetitions", c.repetitions},
               {"campaign_sha256", m.campaign_sha256},
               {"plan_sha256", m.plan_sha256}};
  if (!m.baselines_sha256.empty()) json["baselines_sha256"] = m.baselines_sha256;
  if (c.selftest) {
    json["selftest"] = {{"passed", c.selftest->passed}, {"sentence", c.selftest->sentence}};
  }
  json["axes"] = c.axes;
  json["constants"] = c.constants;
  json["cells"] = CellsJson(c.cells);
  if (!c.gates.empty()) {
    json["gates"] = Json::array();
    for (const analysis::Gate& gate : c.gates) json["gates"].push_back(gate.text);
  }
  json["caveats"] = CaveatsJson(c.caveats);
  json["runs_planned"] = m.runs_planned;
  json["runs"] = std::move(runs);
  return Dump(json);
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view json) {
  return Guarded(json, ManifestFrom);
}

std::string RunRecordJson(const RunRecord& record) {
  const analysis::RunEvidence& e = record.evidence;
  Json agents = Json::array();
  for (const EvidenceFile& file : record.agent_files) agents.push_back(EvidenceFileJson(file));
  Json json = {{"schema_version", kResultSchemaVersion},
               {"ordinal", record.ordinal},
               {"cell", e.cell},
               {"repetition", e.repetition},
               {"pass", std::string(analysis::Name(e.pass))},
               {"run_id", e.run_id},
               {"status", std::string(analysis::Name(e.status))},
               {"status_text", e.status_text},
               {"first_send_skew_ns", e.first_send_skew_ns},
               {"clock_error_bound_ns", e.clock_error_bound_ns}};
  json["spec_sha256"] = record.spec_sha256;
  json["agents"] = std::move(agents);
  if (record.server_wire_file) json["server_wire"] = EvidenceFileJson(*record.server_wire_file);
  json["caveats"] = CaveatsJson(e.caveats);
  return Dump(json);
}

absl::StatusOr<RunRecord> ParseRunRecord(absl::string_view json) {
  return Guarded(json, RunRecordFrom);
}

}  // namespace kbench
