#include "analysis/report/run_files.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/evidence/caveats.h"
#include "analysis/evidence/run_summary.h"
#include "analysis/report/hdr_log.h"
#include "analysis/report/json_forms.h"
#include "analysis/split/decomposition.h"

namespace kbench::analysis {
namespace {

// Protobuf's maps have another order in every process, and the same result is to be the same bytes.
Json InOrder(const google::protobuf::Map<std::string, std::string>& facts) {
  Json json = Json::object();
  const std::map<std::string, std::string> sorted(facts.begin(), facts.end());
  for (const auto& [name, value] : sorted) json[name] = value;
  return json;
}

constexpr absl::string_view kMethod =
    "parts in integer ns of the client's clock; of the server's clock only the residence's length; "
    "docs/measurement.md";

Json Identity(const RunEvidence& run) {
  Json json;
  json["schema"] = 1;
  json["run_id"] = run.run_id;
  json["cell"] = run.cell;
  json["repetition"] = run.repetition;
  json["pass"] = std::string(Name(run.pass));
  json["status"] = std::string(Name(run.status));
  json["status_text"] = run.status_text;
  return json;
}

double PerOp(double sum, uint64_t ops) { return ops == 0 ? 0 : sum / static_cast<double>(ops); }

Json UsageJson(const result::ResourceUse& use, uint64_t sent) {
  return {
      {"workers", use.workers()},
      {"user_ns", use.user_ns()},
      {"system_ns", use.system_ns()},
      {"voluntary_switches", use.voluntary_switches()},
      {"involuntary_switches", use.involuntary_switches()},
      {"system_calls", use.system_calls()},
      {"waits", use.waits()},
      {"short_sends", use.short_sends()},
      {"run_queue_wait_ns", use.run_queue_wait_ns()},
      {"cpu_per_op_ns", PerOp(static_cast<double>(use.user_ns() + use.system_ns()), sent)},
      {"system_calls_per_op", PerOp(static_cast<double>(use.system_calls()), sent)},
      {"waits_per_op", PerOp(static_cast<double>(use.waits()), sent)},
      {"voluntary_switches_per_op", PerOp(static_cast<double>(use.voluntary_switches()), sent)}};
}

Json TuningJson(const result::HostTuning& tuning) {
  Json json = {{"state", tuning.state()},
               {"changed_at", tuning.changed_at()},
               {"problem", tuning.problem()},
               {"undone", tuning.undone()}};
  json["settings"] = Json::array();
  for (const result::HostTuning::Setting& s : tuning.settings()) {
    json["settings"].push_back({{"setting", s.setting()},
                                {"status", s.status()},
                                {"wanted", s.wanted()},
                                {"before", s.before()},
                                {"now", s.now()},
                                {"reason", s.reason()}});
  }
  return json;
}

Json HostJson(const result::HostFacts& host) {
  Json json = {{"hostname", host.hostname()},
               {"kernel", host.kernel()},
               {"cpu_model", host.cpu_model()},
               {"cpus", host.cpus()},
               {"memory_bytes", host.memory_bytes()},
               {"clocksource", host.clocksource()},
               {"governor", host.governor()},
               {"idle_driver", host.idle_driver()},
               {"congestion_control", host.congestion_control()},
               {"open_files_limit", host.open_files_limit()},
               {"io_uring_allowed", host.io_uring_allowed()},
               {"mitigations", host.mitigations()}};
  json["sysctls"] = InOrder(host.sysctls());
  json["tuning"] = TuningJson(host.tuning());
  return json;
}

Json ClientJson(const result::ExternalClient& client) {
  Json json = {{"name", client.name()},
               {"ended", result::ExternalClient::End_Name(client.end())},
               {"exit_code", client.exit_code()},
               {"signal", client.signal()},
               {"wall_ns", client.wall_ns()},
               {"user_ns", client.user_ns()},
               {"system_ns", client.system_ns()},
               {"most_memory_bytes", client.most_memory_bytes()},
               {"left_behind", client.left_behind()},
               {"to_first_request_ns", client.to_first_request_ns()},
               {"requests", client.requests()},
               {"connections", client.connections()},
               {"requests_of_others", client.foreign()},
               {"pipelined", client.pipelined()},
               {"gaps_known", client.gaps_known()},
               {"figures_of_window", client.figures_of_window()},
               {"figures_problem", client.figures_problem()},
               {"output_bytes", client.output_bytes()},
               {"output_begin", client.output_begin()},
               {"output_end", client.output_end()},
               {"errors_end", client.errors_end()}};
  json["command"] = Json::array();
  for (const std::string& word : client.command()) json["command"].push_back(word);
  json["figures"] = Json::array();
  for (const result::ExternalClient::Figure& figure : client.figures()) {
    json["figures"].push_back({{"op", figure.op()},
                               {"count", figure.count()},
                               {"mean_ns", figure.mean_ns()},
                               {"p50_ns", figure.has_p50_ns() ? Json(figure.p50_ns()) : Json()},
                               {"p99_ns", figure.has_p99_ns() ? Json(figure.p99_ns()) : Json()},
                               {"source", figure.source()}});
  }
  return json;
}

Json AgentJson(const result::RunResult& agent) {
  OpCounts counts;
  counts.Add(agent.counts());
  Json json = {{"agent", agent.agent()},
               {"agent_index", agent.agent_index()},
               {"agent_version", agent.agent_version()},
               {"spec_sha256", agent.spec_sha256()},
               {"aborted", agent.aborted()},
               {"abort_reason", agent.abort_reason()},
               {"measured_ns", agent.measured_ns()},
               {"first_send_offset_ns", agent.first_send_offset_ns()},
               {"clock_step_ns", agent.clock_step_ns()},
               {"samples", agent.samples_size()},
               {"samples_dropped", agent.samples_dropped()}};
  json["counts"] = ToJson(counts);
  json["usage"] = UsageJson(agent.usage(), counts.sent);
  json["transport"] = agent.transport().transport();
  json["transport_facts"] = InOrder(agent.transport().facts());
  json["host"] = HostJson(agent.host());
  if (agent.has_client()) json["client"] = ClientJson(agent.client());
  return json;
}

// CPU time over the time that the workers had, from 0 to 1.
double ClientUtilisation(const RunSummary& summary) {
  const double available =
      static_cast<double>(summary.measured_ns) * static_cast<double>(summary.workers);
  if (available <= 0) return 0;
  return static_cast<double>(summary.usage.user_ns() + summary.usage.system_ns()) / available;
}

std::vector<std::string> SuspectCodes(const std::vector<result::Caveat>& caveats) {
  std::vector<std::string> codes;
  for (const result::Caveat& caveat : caveats) {
    if (MakesSuspect(caveat.code()) &&
        std::find(codes.begin(), codes.end(), caveat.code()) == codes.end()) {
      codes.push_back(caveat.code());
    }
  }
  return codes;
}

}  // namespace

std::vector<result::Caveat> AllCaveats(const RunEvidence& run, const RunSummary& summary) {
  std::vector<result::Caveat> caveats = run.caveats;
  for (const result::RunResult& agent : run.agents) {
    caveats.insert(caveats.end(), agent.caveats().begin(), agent.caveats().end());
  }
  caveats.insert(caveats.end(), summary.caveats.begin(), summary.caveats.end());
  return caveats;
}

std::vector<std::string> SuspectCodes(const RunEvidence& run) {
  return SuspectCodes(AllCaveats(run, Summarize(run)));
}

std::string RunSummaryJson(const RunEvidence& run) {
  const RunSummary summary = Summarize(run);
  Json json = Identity(run);
  json["caveats"] = ToJson(AllCaveats(run, summary));
  json["transport"] = summary.transport;
  json["measured_ns"] = summary.measured_ns;
  json["first_send_skew_ns"] = run.first_send_skew_ns;
  json["clock_error_bound_ns"] = run.clock_error_bound_ns;
  json["all"] = ToJson(summary.all);
  json["ops"] = Json::array();
  for (const OpSummary& op : summary.ops) json["ops"].push_back(ToJson(op));
  json["usage"] = UsageJson(summary.usage, summary.all.counts.sent);
  json["agents"] = Json::array();
  for (const result::RunResult& agent : run.agents) json["agents"].push_back(AgentJson(agent));
  return Dump(json);
}

std::string DecompositionJson(const RunEvidence& run) {
  const RunSummary summary = Summarize(run);
  Json json = Identity(run);
  json["method"] = std::string(kMethod);
  json["server_service_spec"] = Json::array();
  for (const result::RunResult& agent : run.agents) {
    json["server_service_spec"].push_back(agent.server_trace().service_spec());
  }
  json["all"] = ToJson(Decompose(run, summary, "all"));
  json["ops"] = Json::array();
  for (const OpSummary& op : summary.ops) {
    json["ops"].push_back(ToJson(Decompose(run, summary, op.op)));
  }
  return Dump(json);
}

std::string HealthJson(const RunEvidence& run) {
  const RunSummary summary = Summarize(run);
  const std::vector<result::Caveat> caveats = AllCaveats(run, summary);
  const std::vector<std::string> suspect = SuspectCodes(caveats);
  const OpCounts& counts = summary.all.counts;
  Json json = Identity(run);
  json["verdict"] = suspect.empty() ? "ok" : "suspect";
  json["suspect_because"] = suspect;
  json["caveats"] = ToJson(caveats);
  json["counts"] = ToJson(counts);
  json["counts_add_up"] = counts.AddUp();
  json["sent_of_due"] =
      counts.due == 0 ? Json() : Json(PerOp(static_cast<double>(counts.sent), counts.due));
  json["client_cpu_utilisation"] = ClientUtilisation(summary);
  json["first_send_skew_ns"] = run.first_send_skew_ns;
  json["clock_error_bound_ns"] = run.clock_error_bound_ns;
  json["usage"] = UsageJson(summary.usage, counts.sent);
  json["agents"] = Json::array();
  for (const result::RunResult& agent : run.agents) {
    json["agents"].push_back({{"agent", agent.agent()},
                              {"clock_step_ns", agent.clock_step_ns()},
                              {"first_send_offset_ns", agent.first_send_offset_ns()},
                              {"samples_dropped", agent.samples_dropped()},
                              {"involuntary_switches", agent.usage().involuntary_switches()},
                              {"run_queue_wait_ns", agent.usage().run_queue_wait_ns()}});
  }
  return Dump(json);
}

std::string IntervalsCsv(const RunEvidence& run) {
  std::string out =
      "agent_index,start_offset_ns,length_ns,completed,failed,request_bytes,response_bytes,"
      "completed_per_s,due,due_per_s\n";
  for (const result::RunResult& agent : run.agents) {
    for (const result::Interval& i : agent.intervals()) {
      const double seconds = static_cast<double>(i.length_ns()) / 1e9;
      absl::StrAppendFormat(&out, "%d,%d,%d,%d,%d,%d,%d,%.3f,%d,%.3f\n", agent.agent_index(),
                            i.start_offset_ns(), i.length_ns(), i.completed(), i.failed(),
                            i.request_bytes(), i.response_bytes(),
                            seconds > 0 ? static_cast<double>(i.completed()) / seconds : 0.0,
                            i.due(), seconds > 0 ? static_cast<double>(i.due()) / seconds : 0.0);
    }
  }
  return out;
}

std::string LatencyHlog(const RunEvidence& run, absl::string_view started_utc) {
  const RunSummary summary = Summarize(run);
  std::string out = HdrLogHeader(started_utc);
  for (const OpSummary& op : summary.ops) {
    out += HdrLogLine(op.op, Nanos(0), Nanos(summary.measured_ns), op.response);
  }
  return out;
}

}  // namespace kbench::analysis
