#include "controller/store/agent_result_file.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/evidence/run_summary.h"
#include "analysis/report/run_files.h"
#include "analysis/report/table.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr int kWidth = 120;

analysis::RunEvidence AsRun(const result::RunResult& result) {
  analysis::RunEvidence run{.run_id = result.run_id()};
  if (result.aborted()) {
    run.status = analysis::RunStatus::kAborted;
    run.status_text = result.abort_reason();
  }
  run.agents.push_back(result);
  return run;
}

std::string Time(const Histogram& histogram, double percentile) {
  if (histogram.count() == 0) return "-";
  return HumanDuration(static_cast<double>(histogram.Percentile(percentile).count()));
}

}  // namespace

absl::StatusOr<result::RunResult> ReadAgentResult(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  result::RunResult result;
  if (!result.ParseFromString(bytes) || result.run_id().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " is no result of an agent: those are RUN-AGENT.pb of 'kbench agents "
                     "collect', RUN.result of collect.yml, agents/*.pb of a result"));
  }
  return result;
}

std::string AgentResultText(const result::RunResult& result) {
  const analysis::RunEvidence run = AsRun(result);
  const analysis::RunSummary summary = analysis::Summarize(run);
  std::string text = absl::StrCat(
      "run        ", analysis::Printable(result.run_id()), "\nagent      ",
      analysis::Printable(result.agent()), " (", result.agent_index(), "), kbench-agent ",
      analysis::Printable(result.agent_version()), "\nstatus     ", analysis::Name(run.status),
      result.aborted() ? absl::StrCat(": ", analysis::Printable(result.abort_reason())) : "",
      "\ntransport  ", analysis::Printable(summary.transport), "\nmeasured   ",
      HumanDuration(static_cast<double>(result.measured_ns())), "\n\n");
  analysis::Table table{
      .header = {"op", "sent", "answered", "failed", "lost", "ops/s", "p50", "p99", "p99.9"},
      .rows = {}};
  for (const analysis::OpSummary& op : summary.ops) {
    table.rows.push_back({op.op, absl::StrCat(op.counts.sent), absl::StrCat(op.counts.answered),
                          absl::StrCat(op.counts.failed), absl::StrCat(op.counts.lost),
                          absl::StrFormat("%.1f", op.answered_per_s), Time(op.response, 50),
                          Time(op.response, 99), Time(op.response, 99.9)});
  }
  absl::StrAppend(&text, analysis::TextTable(table, kWidth),
                  "response time, from the intended instant; of this agent alone\n");
  for (const result::Caveat& caveat : analysis::AllCaveats(run, summary)) {
    absl::StrAppend(
        &text, analysis::Wrap(analysis::Printable(absl::StrCat(caveat.code(), ": ", caveat.text())),
                              kWidth, "! ", "  "));
  }
  return text;
}

std::string AgentResultJson(const result::RunResult& result) {
  return analysis::RunSummaryJson(AsRun(result));
}

}  // namespace kbench
