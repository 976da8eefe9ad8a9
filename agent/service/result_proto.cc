#include "agent/service/result_proto.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/service/client_proto.h"
#include "agent/service/wire_proto.h"
#include "base/version.h"

namespace kbench {
namespace {

// The kernel separates the numbers of a setting by tabs.
std::string OneLine(const std::string& value) {
  return PrintableText(absl::StrReplaceAll(value, {{"\t", " "}}));
}

void Fill(const Counts& from, result::Counts* to) {
  to->set_due(from.due);
  to->set_sent(from.sent);
  to->set_unsent(from.unsent);
  to->set_answered(from.answered);
  to->set_failed(from.failed);
  to->set_lost(from.lost);
}

void Fill(const std::string& name, const OpStats& from, result::OpResult* to) {
  to->set_op(name);
  Fill(from.counts, to->mutable_counts());
  to->set_response_ns(from.response.Encode());
  to->set_service_ns(from.service.Encode());
  if (from.failed.count() > 0) to->set_failed_ns(from.failed.Encode());
  if (from.lost.count() > 0) to->set_lost_ns(from.lost.Encode());
  to->set_answered_in_window(from.answered_in_window);
  to->set_response_bytes_in_window(from.response_bytes_in_window);
  for (int slot = 0; slot < kStatusSlots; ++slot) {
    if (from.statuses[slot] > 0)
      (*to->mutable_statuses())[StatusSlotName(slot)] = from.statuses[slot];
  }
  to->set_request_bytes(from.request_bytes);
  to->set_response_bytes(from.response_bytes);
  for (int i = 0; i < kPhaseCount; ++i) {
    if (from.phases[i].count() == 0) continue;
    result::PhaseHistogram* phase = to->add_phases();
    phase->set_phase(std::string(Name(static_cast<Phase>(i))));
    phase->set_data(from.phases[i].Encode());
  }
  for (const std::string& text : from.first_errors) to->add_first_errors(PrintableText(text));
}

void Fill(const OpRecord& from, const ClockPair& clocks, result::OpSample* to) {
  const auto mono = [&clocks](RealTime t) { return t.is_set() ? clocks.ToMono(t).ns() : 0; };
  to->set_op(from.op);
  to->set_connection_id(from.connection_id);
  to->set_sequence(from.sequence);
  to->set_flags(from.flags);
  to->set_intended(from.intended.ns());
  to->set_started(from.started.ns());
  to->set_encoded(from.encoded.ns());
  to->set_submitted(from.send.submitted.ns());
  to->set_send_returned(from.send.send_returned.ns());
  to->set_kernel_scheduled(mono(from.send.kernel_scheduled));
  to->set_kernel_sent(mono(from.send.kernel_sent));
  to->set_kernel_received(mono(from.kernel_received));
  to->set_woke(from.woke.ns());
  to->set_received(from.received.ns());
  to->set_decoded(from.decoded.ns());
  to->set_answered(from.outcome == OpOutcome::kAnswered);
  to->set_probed(from.probed);
  to->set_polled(from.polled.ns());
  to->set_send_blocked_ns(from.send_blocked().count());
}

void Fill(const ServerTrace& from, result::ServerTrace* to) {
  to->set_available(from.available);
  to->set_reason(PrintableText(from.reason));
  to->set_overwritten(from.overwritten);
  to->set_clock_step_ns(from.clock_step.count());
  to->set_service_spec(PrintableText(from.service_spec));
  for (const ServerTrace::Record& record : from.records) {
    result::ServerTrace::Record* out = to->add_records();
    out->set_connection_id(record.connection_id);
    out->set_sequence(record.residence.sequence);
    out->set_residence_ns(record.residence.duration().count());
    out->set_flags(record.residence.flags);
  }
}

void Fill(const HostUse& from, result::HostUse* to) {
  to->set_window_ns(from.window.count());
  to->set_busy_ns(from.busy.count());
  to->set_own_ns(from.own.count());
  to->set_steal_ns(from.steal.count());
  to->set_softirq_ns(from.softirq.count());
  to->set_pressure_ns(from.pressure.count());
  to->set_most_foreign(from.most_foreign);
  to->set_samples(from.samples);
  to->set_idle_state(PrintableText(from.idle_state));
  to->set_cpus(from.cpus);
  for (const LinkUse& link : from.links) {
    result::LinkUse* out = to->add_links();
    out->set_interface(PrintableText(link.interface));
    out->set_sent_bytes(link.sent_bytes);
    out->set_received_bytes(link.received_bytes);
    out->set_sent_packets(link.sent_packets);
    out->set_received_packets(link.received_packets);
    out->set_drops(link.drops);
    out->set_backlog_samples(link.backlog_samples);
    out->set_backlog_nonempty(link.backlog_nonempty);
    out->set_backlog_most_bytes(link.backlog_most_bytes);
  }
}

void Fill(const TcpUse& from, result::TcpUse* to) {
  to->set_flows(from.flows);
  to->set_min_rtt_ns(from.min_rtt.count());
  to->set_retransmits(from.retransmits);
  to->set_busy_ns(from.busy.count());
  to->set_receive_window_limited_ns(from.receive_window_limited.count());
  to->set_send_buffer_limited_ns(from.send_buffer_limited.count());
  to->set_congestion_control(PrintableText(from.congestion_control));
  to->set_reason(PrintableText(from.reason));
}

// Beside what the transport says of itself: facts of the run's set-up, by name.
void Fill(const LoadOutcome& from, result::TransportFacts* to) {
  auto& facts = *to->mutable_facts();
  facts["load_keys"] = absl::StrCat(from.keys);
  facts["load_written"] = absl::StrCat(from.written);
  facts["load_ns"] = absl::StrCat(from.took.count());
  facts["load_looked"] = absl::StrCat(from.looked);
  if (!from.missing.empty()) facts["load_missing"] = PrintableText(from.missing);
  if (from.written == 0) return;
  facts["load_flows"] = absl::StrCat(from.flows);
  facts["load_depth"] = absl::StrCat(from.widest);
  facts["load_sent_again"] = absl::StrCat(from.sent_again);
  facts["load_backed_off_ns"] = absl::StrCat(from.backed_off.count());
}

void Fill(const RunOutcome& from, result::ResourceUse* to) {
  to->set_workers(from.workers);
  to->set_user_ns(from.use.threads.user.count());
  to->set_system_ns(from.use.threads.system.count());
  to->set_voluntary_switches(from.use.threads.voluntary_switches);
  to->set_involuntary_switches(from.use.threads.involuntary_switches);
  to->set_system_calls(from.use.transport.system_calls);
  to->set_waits(from.use.transport.waits);
  to->set_short_sends(from.use.transport.short_sends);
  to->set_run_queue_wait_ns(static_cast<uint64_t>(from.use.threads.run_queue_wait.count()));
}

}  // namespace

std::string PrintableText(absl::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
}

result::RunResult ToProto(const RunSpec& spec, const RunOutcome& outcome,
                          const ResultNames& names) {
  result::RunResult to;
  to.set_run_id(spec.run_id);
  to.set_agent(names.agent);
  to.set_agent_index(spec.agent_index);
  to.set_aborted(outcome.aborted);
  to.set_abort_reason(PrintableText(outcome.abort_reason));
  to.set_planned_start(outcome.planned_start.ns());
  to.set_measure_started(outcome.measure_started.ns());
  to.set_measured_ns(outcome.measured.count());
  to.set_drain_ns(outcome.drain.count());
  to.set_protocol_errors(outcome.protocol_errors);
  to.set_backoffs(outcome.backoffs);
  to.set_backed_off_ns(outcome.backed_off.count());
  to.set_reconnects(outcome.reconnects);
  to.set_disconnected_ns(outcome.disconnected.count());
  to.set_first_send_offset_ns(outcome.first_send_offset.count());
  Fill(outcome.totals(), to.mutable_counts());
  for (size_t i = 0; i < outcome.ops.size(); ++i) {
    Fill(outcome.op_names[i], outcome.ops[i], to.add_ops());
  }
  for (const OpRecord& sample : outcome.samples) Fill(sample, outcome.clocks, to.add_samples());
  to.set_samples_dropped(outcome.samples_dropped);
  Fill(outcome.server_trace, to.mutable_server_trace());
  *to.mutable_host() = ToProto(outcome.host);
  to.mutable_transport()->set_transport(spec.client ? "external"
                                                    : std::string(Name(spec.transport)));
  if (outcome.client) *to.mutable_client() = ToProto(*outcome.client);
  for (const auto& [name, value] : outcome.transport_facts) {
    (*to.mutable_transport()->mutable_facts())[name] = PrintableText(value);
  }
  if (outcome.load) Fill(*outcome.load, to.mutable_transport());
  Fill(outcome, to.mutable_usage());
  Fill(outcome.tcp, to.mutable_tcp());
  Fill(outcome.host_use, to.mutable_host_use());
  if (outcome.wire.available) {
    Fill(outcome.wire.seen, observer::View::kClient, PrintableText(outcome.host.hostname),
         to.mutable_wire());
  } else {
    // Without a place: it was not asked for.
    if (spec.observe) to.mutable_wire()->set_place(result::WireTrace::CLIENT);
    to.mutable_wire()->set_reason(PrintableText(outcome.wire.reason));
  }
  for (const Interval& interval : outcome.intervals) *to.add_intervals() = ToProto(interval);
  for (const Caveat& caveat : outcome.caveats) {
    result::Caveat* out = to.add_caveats();
    out->set_code(caveat.code);
    out->set_text(PrintableText(caveat.text));
  }
  to.set_clock_step_ns(outcome.clock_step.count());
  to.set_agent_version(absl::StrCat(ReleaseVersion(), " ", BuildId()));
  to.set_spec_sha256(names.spec_sha256);
  return to;
}

result::HostFacts ToProto(const HostFacts& facts) {
  result::HostFacts to;
  to.set_hostname(PrintableText(facts.hostname));
  to.set_kernel(PrintableText(facts.kernel));
  to.set_cpu_model(PrintableText(facts.cpu_model));
  to.set_cpus(static_cast<uint32_t>(facts.cpus.size()));
  to.mutable_cpu_numbers()->Add(facts.cpus.begin(), facts.cpus.end());
  to.set_memory_bytes(facts.memory_bytes);
  to.set_clocksource(PrintableText(facts.clocksource));
  to.set_governor(PrintableText(facts.governor));
  to.set_idle_driver(PrintableText(facts.idle_driver));
  to.set_congestion_control(PrintableText(facts.congestion_control));
  to.set_open_files_limit(facts.open_files_limit);
  to.set_io_uring_allowed(facts.io_uring_allowed);
  to.set_mitigations(PrintableText(facts.mitigations));
  for (const auto& [name, value] : facts.sysctls)
    (*to.mutable_sysctls())[name] = PrintableText(value);
  *to.mutable_tuning() = ToProto(facts.tuning);
  return to;
}

result::HostTuning ToProto(const HostTuning& tuning) {
  result::HostTuning to;
  to.set_state(tuning.state);
  to.set_changed_at(PrintableText(tuning.changed_at));
  to.set_problem(PrintableText(tuning.problem));
  for (const TunedSetting& from : tuning.settings) {
    result::HostTuning::Setting& setting = *to.add_settings();
    setting.set_setting(PrintableText(from.setting));
    setting.set_status(PrintableText(from.status));
    setting.set_wanted(OneLine(from.wanted));
    setting.set_before(OneLine(from.before));
    setting.set_now(OneLine(from.now));
    setting.set_reason(PrintableText(from.reason));
    if (from.Undone()) to.set_undone(to.undone() + 1);
  }
  return to;
}

result::Interval ToProto(const Interval& interval) {
  result::Interval to;
  to.set_start_offset_ns(interval.start_offset.count());
  to.set_length_ns(interval.length.count());
  to.set_due(interval.progress.due);
  to.set_completed(interval.progress.completed);
  to.set_failed(interval.progress.failed);
  to.set_request_bytes(interval.progress.request_bytes);
  to.set_response_bytes(interval.progress.response_bytes);
  return to;
}

}  // namespace kbench
