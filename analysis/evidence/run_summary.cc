#include "analysis/evidence/run_summary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace kbench::analysis {
namespace {

OpSummary& FindOrAdd(const std::string& op, std::vector<OpSummary>* ops) {
  for (OpSummary& summary : *ops) {
    if (summary.op == op) return summary;
  }
  ops->emplace_back();
  ops->back().op = op;
  return ops->back();
}

// Merges encoded bytes; an empty field is an empty histogram.
void Merge(const std::string& bytes, absl::string_view what, Histogram* into, RunSummary* run) {
  if (bytes.empty()) return;
  absl::StatusOr<Histogram> histogram = Histogram::Decode(bytes);
  if (histogram.ok()) {
    into->Add(*histogram);
    return;
  }
  run->caveats.push_back(MakeCaveat("histogram_unreadable",
                                    absl::StrCat(what, ": ", histogram.status().message(),
                                                 "; its samples are missing from every number")));
}

void AddRates(const result::OpResult& op, int64_t measured_ns, OpSummary* summary) {
  if (measured_ns <= 0) return;
  const double seconds = static_cast<double>(measured_ns) / 1e9;
  summary->answered_per_s += static_cast<double>(op.answered_in_window()) / seconds;
  summary->request_bytes_per_s += static_cast<double>(op.request_bytes()) / seconds;
  summary->response_bytes_per_s += static_cast<double>(op.response_bytes_in_window()) / seconds;
}

void AddOp(const result::RunResult& agent, const result::OpResult& op, OpSummary* summary,
           RunSummary* run) {
  const std::string where = absl::StrCat("agent ", agent.agent(), ", ", op.op());
  summary->counts.Add(op.counts());
  Merge(op.response_ns(), absl::StrCat(where, ", response"), &summary->answered, run);
  Merge(op.failed_ns(), absl::StrCat(where, ", failed"), &summary->failed, run);
  Merge(op.lost_ns(), absl::StrCat(where, ", lost"), &summary->lost, run);
  Merge(op.service_ns(), absl::StrCat(where, ", service"), &summary->service, run);
  for (const result::PhaseHistogram& phase : op.phases()) {
    Merge(phase.data(), absl::StrCat(where, ", phase ", phase.phase()),
          &summary->phases[phase.phase()], run);
  }
  for (const auto& [status, count] : op.statuses()) summary->statuses[status] += count;
  summary->request_bytes += op.request_bytes();
  summary->response_bytes += op.response_bytes();
  summary->answered_in_window += op.answered_in_window();
  for (const std::string& error : op.first_errors()) summary->first_errors.push_back(error);
  AddRates(op, agent.measured_ns(), summary);
}

void AddToAll(const OpSummary& op, OpSummary* all) {
  all->response.Add(op.response);
  all->answered.Add(op.answered);
  all->failed.Add(op.failed);
  all->lost.Add(op.lost);
  all->service.Add(op.service);
  for (const auto& [phase, histogram] : op.phases) all->phases[phase].Add(histogram);
  for (const auto& [status, count] : op.statuses) all->statuses[status] += count;
  all->request_bytes += op.request_bytes;
  all->response_bytes += op.response_bytes;
  all->answered_in_window += op.answered_in_window;
  all->answered_per_s += op.answered_per_s;
  all->request_bytes_per_s += op.request_bytes_per_s;
  all->response_bytes_per_s += op.response_bytes_per_s;
  all->first_errors.insert(all->first_errors.end(), op.first_errors.begin(), op.first_errors.end());
}

void AddUsage(const result::ResourceUse& use, result::ResourceUse* sum) {
  sum->set_workers(sum->workers() + use.workers());
  sum->set_user_ns(sum->user_ns() + use.user_ns());
  sum->set_system_ns(sum->system_ns() + use.system_ns());
  sum->set_voluntary_switches(sum->voluntary_switches() + use.voluntary_switches());
  sum->set_involuntary_switches(sum->involuntary_switches() + use.involuntary_switches());
  sum->set_system_calls(sum->system_calls() + use.system_calls());
  sum->set_waits(sum->waits() + use.waits());
  sum->set_short_sends(sum->short_sends() + use.short_sends());
  sum->set_run_queue_wait_ns(sum->run_queue_wait_ns() + use.run_queue_wait_ns());
}

void CheckCounts(const OpCounts& counts, absl::string_view where, RunSummary* run) {
  if (counts.AddUp()) return;
  run->caveats.push_back(
      MakeCaveat("counts_do_not_add_up",
                 absl::StrCat(where, ": due ", counts.due, ", sent ", counts.sent, " + unsent ",
                              counts.unsent, "; answered ", counts.answered, " + failed ",
                              counts.failed, " + lost ", counts.lost)));
}

bool SameCounts(const OpCounts& a, const OpCounts& b) {
  return a.due == b.due && a.sent == b.sent && a.unsent == b.unsent && a.answered == b.answered &&
         a.failed == b.failed && a.lost == b.lost;
}

}  // namespace

void OpCounts::Add(const result::Counts& counts) {
  due += counts.due();
  sent += counts.sent();
  unsent += counts.unsent();
  answered += counts.answered();
  failed += counts.failed();
  lost += counts.lost();
}

result::Caveat MakeCaveat(absl::string_view code, absl::string_view text) {
  result::Caveat caveat;
  caveat.set_code(std::string(code));
  caveat.set_text(std::string(text));
  return caveat;
}

RunSummary Summarize(const RunEvidence& run) {
  RunSummary summary;
  summary.all.op = "all";
  for (const result::RunResult& agent : run.agents) {
    OpCounts of_agent, of_ops;
    of_agent.Add(agent.counts());
    for (const result::OpResult& op : agent.ops()) {
      of_ops.Add(op.counts());
      AddOp(agent, op, &FindOrAdd(op.op(), &summary.ops), &summary);
    }
    CheckCounts(of_agent, absl::StrCat("agent ", agent.agent()), &summary);
    if (agent.ops_size() > 0 && !SameCounts(of_agent, of_ops)) {
      summary.caveats.push_back(
          MakeCaveat("counts_do_not_add_up",
                     absl::StrCat("agent ", agent.agent(), ": its ops count ", of_ops.due,
                                  " due and ", of_ops.answered, " answered, its total ",
                                  of_agent.due, " and ", of_agent.answered)));
    }
    summary.all.counts.Add(agent.counts());
    summary.measured_ns = std::max(summary.measured_ns, agent.measured_ns());
    if (summary.transport.empty()) summary.transport = agent.transport().transport();
    AddUsage(agent.usage(), &summary.usage);
  }
  for (OpSummary& op : summary.ops) {
    op.response.Add(op.answered);
    op.response.Add(op.lost);
    CheckCounts(op.counts, op.op, &summary);
    AddToAll(op, &summary.all);
  }
  summary.workers = summary.usage.workers();
  return summary;
}

}  // namespace kbench::analysis
