#include "agent/run_proto.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/tls.h"
#include "base/version.h"
#include "kinetic/frame.h"

namespace kbench {
namespace {

constexpr uint32_t kMostWorkers = 1024;
constexpr uint32_t kMostFlows = 1u << 20;
constexpr uint32_t kMostDepth = 1u << 16;
constexpr uint64_t kMostInFlight = 1u << 20;  // flows x depth: about 1 KiB of memory each
constexpr uint32_t kMostKeyBytes = 4096;
constexpr uint32_t kMostRangeKeys = 1'000'000;
constexpr uint32_t kMostReconnects = 1'000'000;
constexpr uint32_t kMostBatchOps = 100'000;
constexpr uint32_t kMostSocketBuffer = 1u << 30;
constexpr uint32_t kMostSamples = 1u << 24;
constexpr double kMostRate = 1e9;
constexpr int64_t kMostInjected = 1'000'000'000;  // ns

absl::Status BadField(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

template <typename Number>
absl::Status CheckRange(absl::string_view field, Number value, Number least, Number most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return BadField(field, absl::StrCat(value, " is not between ", least, " and ", most));
}

absl::Status CheckPositive(absl::string_view field, int64_t ns) {
  return ns > 0 ? absl::OkStatus() : BadField(field, absl::StrCat(ns, " ns is not above zero"));
}

absl::StatusOr<kinetic::Synchronization> ParseSynchronization(absl::string_view name) {
  if (name == "writethrough") return kinetic::Synchronization::kWriteThrough;
  if (name == "writeback") return kinetic::Synchronization::kWriteBack;
  if (name == "flush") return kinetic::Synchronization::kFlush;
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no synchronization; there are writethrough, writeback and flush"));
}

absl::StatusOr<PollMode> ParsePollMode(absl::string_view name) {
  if (name == "block") return PollMode::kBlock;
  if (name == "spin") return PollMode::kSpin;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no way to poll; there are block and spin"));
}

absl::StatusOr<FlushMode> ParseFlushMode(absl::string_view name) {
  if (name == "batch") return FlushMode::kBatch;
  if (name == "op") return FlushMode::kOp;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no way to flush; there are batch and op"));
}

// *out = what `parsed` holds, or the reason why not, with the field's name.
template <typename T>
absl::Status Assign(absl::string_view field, absl::StatusOr<T> parsed, T* out) {
  if (!parsed.ok()) return BadField(field, parsed.status().message());
  *out = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status TakeTarget(const control::RunSpec& from, RunSpec* to) {
  if (from.run_id().empty()) return BadField("run_id", "is empty");
  to->run_id = from.run_id();
  RETURN_IF_ERROR(CheckRange("agent_count", from.agent_count(), 1u, KeyGenerator::kMostAgents));
  RETURN_IF_ERROR(CheckRange("agent_index", from.agent_index(), 0u, from.agent_count() - 1));
  to->agent_count = from.agent_count();
  to->agent_index = from.agent_index();
  RETURN_IF_ERROR(Assign("transport", ParseTransportKind(from.transport()), &to->transport));
  if (to->transport != TransportKind::kNull || !from.server().empty()) {
    RETURN_IF_ERROR(Assign("server", ParseHostPort(from.server()), &to->server));
    if (to->server.port == 0) return BadField("server", "port 0 is no port to connect to");
  }
  to->identity = from.identity();
  if (from.hmac_key().empty()) return BadField("hmac_key", "is empty");
  to->hmac_key = from.hmac_key();
  return absl::OkStatus();
}

absl::Status TakeTls(const control::RunSpec& from, RunSpec* to) {
  if (!from.tls()) {
    return from.tls_ca().empty() ? absl::OkStatus()
                                 : BadField("tls_ca", "is of no use without tls");
  }
  if (to->transport == TransportKind::kNull) {
    return BadField("tls", "the null transport has no server to speak it with");
  }
  to->tls = TlsOptions{.ca_pem = from.tls_ca(), .server_name = to->server.host};
  return Annotate(TlsContext::ClientOfPem(from.tls_ca()).status(), "tls_ca");
}

absl::Status TakeShape(const control::RunSpec& from, RunSpec* to) {
  RETURN_IF_ERROR(CheckRange("workers", from.workers(), 1u, kMostWorkers));
  RETURN_IF_ERROR(CheckRange("flows", from.flows(), 1u, kMostFlows));
  RETURN_IF_ERROR(CheckRange("depth", from.depth(), 1u, kMostDepth));
  if (uint64_t{from.flows()} * from.depth() > kMostInFlight) {
    return BadField(
        "depth", absl::StrCat(from.flows(), " flows of ", from.depth(), " requests each are above ",
                              kMostInFlight, " requests in flight on one agent"));
  }
  if (from.workers() > from.flows()) {
    return BadField("workers", absl::StrCat(from.workers(), " workers for ", from.flows(),
                                            " flows leave some without any"));
  }
  const auto cpus = static_cast<uint32_t>(from.worker_cpus_size());
  if (cpus != 0 && cpus != from.workers()) {
    return BadField("worker_cpus", absl::StrCat(cpus, " CPUs for ", from.workers(),
                                                " workers; give one each, or none"));
  }
  to->workers = from.workers();
  to->flows = from.flows();
  to->depth = from.depth();
  to->worker_cpus.assign(from.worker_cpus().begin(), from.worker_cpus().end());
  RETURN_IF_ERROR(Assign("poll", ParsePollMode(from.poll()), &to->poll));
  return Assign("flush", ParseFlushMode(from.flush()), &to->flush);
}

absl::Status TakeLoop(const control::RunSpec& from, RunSpec* to) {
  switch (from.mode_case()) {
    case control::RunSpec::kClosed:
      return absl::OkStatus();
    case control::RunSpec::kOpen: {
      OpenLoop open;
      RETURN_IF_ERROR(
          Assign("open.arrival", ParseArrivalKind(from.open().arrival()), &open.arrival));
      open.rate = from.open().rate();
      if (!(open.rate > 0 && open.rate <= kMostRate)) {
        return BadField("open.rate", absl::StrCat(open.rate, " is not above 0 and at most ",
                                                  kMostRate, " requests per second"));
      }
      to->open = open;
      return absl::OkStatus();
    }
    case control::RunSpec::MODE_NOT_SET:
      break;
  }
  return BadField("mode", "is neither closed nor open");
}

absl::Status TakeWorkload(const control::RunSpec& from, RunSpec* to) {
  if (from.ops_size() == 0) return BadField("ops", "is empty");
  std::set<OpKind> seen;
  for (int i = 0; i < from.ops_size(); ++i) {
    const std::string field = absl::StrCat("ops[", i, "]");
    OpWeight op;
    RETURN_IF_ERROR(Assign(field + ".op", ParseOpKind(from.ops(i).op()), &op.kind));
    op.weight = from.ops(i).weight();
    if (!(op.weight > 0 && std::isfinite(op.weight))) {
      return BadField(field + ".weight", absl::StrCat(op.weight, " is not above zero"));
    }
    if (!seen.insert(op.kind).second) {
      return BadField(field + ".op", absl::StrCat(Name(op.kind), " is there twice"));
    }
    if (op.kind == OpKind::kGetMiss && to->transport == TransportKind::kNull) {
      return BadField(field + ".op", "is get_miss, but the null transport has every key");
    }
    if (op.kind == OpKind::kBatch && to->transport == TransportKind::kNull) {
      return BadField(field + ".op", "is batch, but the null transport keeps no batches");
    }
    to->ops.push_back(op);
  }
  RETURN_IF_ERROR(CheckRange("keys", from.keys(), uint64_t{1}, KeyGenerator::kMostKeys));
  RETURN_IF_ERROR(
      CheckRange("key_bytes", from.key_bytes(), KeyGenerator::kSmallestKey, kMostKeyBytes));
  RETURN_IF_ERROR(CheckRange("value_bytes", from.value_bytes(), 0u, kinetic::kSpecMaxValueSize));
  RETURN_IF_ERROR(CheckRange("range_keys", from.range_keys(), 1u, kMostRangeKeys));
  to->range_keys = from.range_keys();
  RETURN_IF_ERROR(CheckRange("batch_ops", from.batch_ops(), 1u, kMostBatchOps));
  if (seen.contains(OpKind::kBatch) &&
      uint64_t{to->flows} * to->depth * (from.batch_ops() + 1) > kMostInFlight) {
    return BadField("batch_ops", absl::StrCat(to->flows, " flows of ", to->depth, " batches of ",
                                              from.batch_ops(), " puts each are above ",
                                              kMostInFlight, " messages in flight on one agent"));
  }
  to->batch_ops = from.batch_ops();
  to->verify = from.verify();
  if (to->verify && from.value_bytes() < kValueLabelSize) {
    return BadField("verify", absl::StrCat("values of ", from.value_bytes(),
                                           " bytes are too short to say what they are; it takes ",
                                           kValueLabelSize));
  }
  if (to->verify && to->transport == TransportKind::kNull) {
    return BadField("verify", "is set, but the null transport keeps no values");
  }
  to->keys = from.keys();
  to->key_bytes = from.key_bytes();
  to->value_bytes = from.value_bytes();
  to->seed = from.seed();
  to->key_seed = from.key_seed();
  to->load = from.load();
  RETURN_IF_ERROR(Assign("key_order", ParseKeyOrder(from.key_order()), &to->key_order));
  return Assign("synchronization", ParseSynchronization(from.synchronization()),
                &to->synchronization);
}

absl::Status TakeTimes(const control::RunSpec& from, RunSpec* to) {
  if (from.warmup_ns() < 0) return BadField("warmup_ns", "is below zero");
  RETURN_IF_ERROR(CheckPositive("duration_ns", from.duration_ns()));
  RETURN_IF_ERROR(CheckPositive("op_timeout_ns", from.op_timeout_ns()));
  RETURN_IF_ERROR(CheckPositive("connect_timeout_ns", from.connect_timeout_ns()));
  to->warmup = Nanos(from.warmup_ns());
  to->duration = Nanos(from.duration_ns());
  RETURN_IF_ERROR(CheckRange("reconnects", from.reconnects(), 0u, kMostReconnects));
  to->reconnects = from.reconnects();
  to->op_timeout = Nanos(from.op_timeout_ns());
  to->connect_timeout = Nanos(from.connect_timeout_ns());
  return absl::OkStatus();
}

absl::Status TakeProbesAndSockets(const control::RunSpec& from, RunSpec* to) {
  RETURN_IF_ERROR(CheckRange("samples_max", from.samples_max(), 0u, kMostSamples));
  RETURN_IF_ERROR(CheckRange("sample_every", from.sample_every(), 0u, 1u << 30));
  to->sample_every = from.sample_every();
  to->samples_max = from.samples_max();
  const control::SocketOptions& options = from.socket_options();
  RETURN_IF_ERROR(CheckRange("socket_options.send_buffer_bytes", options.send_buffer_bytes(), 0u,
                             kMostSocketBuffer));
  RETURN_IF_ERROR(CheckRange("socket_options.receive_buffer_bytes", options.receive_buffer_bytes(),
                             0u, kMostSocketBuffer));
  to->send_buffer_bytes = static_cast<int>(options.send_buffer_bytes());
  to->receive_buffer_bytes = static_cast<int>(options.receive_buffer_bytes());
  to->congestion_control = options.congestion_control();
  return absl::OkStatus();
}

absl::Status TakeInject(const control::RunSpec& from, RunSpec* to) {
  to->observe = from.observe();
  const control::Inject& inject = from.inject();
  RETURN_IF_ERROR(CheckRange("inject.encode_ns", inject.encode_ns(), int64_t{0}, kMostInjected));
  RETURN_IF_ERROR(CheckRange("inject.decode_ns", inject.decode_ns(), int64_t{0}, kMostInjected));
  RETURN_IF_ERROR(CheckRange("inject.relay_ns", inject.relay_ns(), int64_t{0}, kMostInjected));
  to->inject = {.encode = Nanos(inject.encode_ns()),
                .decode = Nanos(inject.decode_ns()),
                .relay = inject.relay() || inject.relay_ns() > 0,
                .relay_delay = Nanos(inject.relay_ns())};
  if (to->inject.relay && to->transport == TransportKind::kNull) {
    return BadField("inject.relay", "the null transport has no server to relay to");
  }
  const Nanos whole = to->inject.encode + to->inject.decode + to->inject.relay_delay * 2;
  if (whole >= to->op_timeout) {
    return BadField("inject", absl::StrCat("its delays make ", whole.count(),
                                           " ns of every request, and op_timeout_ns is ",
                                           to->op_timeout.count(), ": none would be answered"));
  }
  return absl::OkStatus();
}

void Fill(const Counts& from, result::Counts* to) {
  to->set_due(from.due);
  to->set_sent(from.sent);
  to->set_unsent(from.unsent);
  to->set_answered(from.answered);
  to->set_failed(from.failed);
  to->set_lost(from.lost);
}

// A server's text may be any bytes; a proto3 string may not.
std::string Printable(absl::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
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
  for (const std::string& text : from.first_errors) to->add_first_errors(Printable(text));
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
  to->set_reason(Printable(from.reason));
  to->set_overwritten(from.overwritten);
  to->set_clock_step_ns(from.clock_step.count());
  to->set_service_spec(Printable(from.service_spec));
  for (const ServerTrace::Record& record : from.records) {
    result::ServerTrace::Record* out = to->add_records();
    out->set_connection_id(record.connection_id);
    out->set_sequence(record.residence.sequence);
    out->set_residence_ns(record.residence.duration().count());
    out->set_flags(record.residence.flags);
  }
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

absl::StatusOr<RunSpec> FromProto(const control::RunSpec& spec) {
  RunSpec plain;
  for (auto* take : {TakeTarget, TakeTls, TakeShape, TakeLoop, TakeWorkload, TakeTimes,
                     TakeProbesAndSockets, TakeInject}) {
    RETURN_IF_ERROR(Annotate(take(spec, &plain), "run spec"));
  }
  return plain;
}

result::RunResult ToProto(const RunSpec& spec, const RunOutcome& outcome,
                          const ResultNames& names) {
  result::RunResult to;
  to.set_run_id(spec.run_id);
  to.set_agent(names.agent);
  to.set_agent_index(spec.agent_index);
  to.set_aborted(outcome.aborted);
  to.set_abort_reason(Printable(outcome.abort_reason));
  to.set_planned_start(outcome.planned_start.ns());
  to.set_measure_started(outcome.measure_started.ns());
  to.set_measured_ns(outcome.measured.count());
  to.set_drain_ns(outcome.drain.count());
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
  to.mutable_transport()->set_transport(std::string(Name(spec.transport)));
  for (const auto& [name, value] : outcome.transport_facts) {
    (*to.mutable_transport()->mutable_facts())[name] = Printable(value);
  }
  Fill(outcome, to.mutable_usage());
  for (const Interval& interval : outcome.intervals) *to.add_intervals() = ToProto(interval);
  for (const Caveat& caveat : outcome.caveats) {
    result::Caveat* out = to.add_caveats();
    out->set_code(caveat.code);
    out->set_text(Printable(caveat.text));
  }
  to.set_clock_step_ns(outcome.clock_step.count());
  to.set_agent_version(absl::StrCat(ReleaseVersion(), " ", BuildId()));
  to.set_spec_sha256(names.spec_sha256);
  return to;
}

result::HostFacts ToProto(const HostFacts& facts) {
  result::HostFacts to;
  to.set_hostname(Printable(facts.hostname));
  to.set_kernel(Printable(facts.kernel));
  to.set_cpu_model(Printable(facts.cpu_model));
  to.set_cpus(static_cast<uint32_t>(facts.cpus.size()));
  to.mutable_cpu_numbers()->Add(facts.cpus.begin(), facts.cpus.end());
  to.set_memory_bytes(facts.memory_bytes);
  to.set_clocksource(Printable(facts.clocksource));
  to.set_governor(Printable(facts.governor));
  to.set_idle_driver(Printable(facts.idle_driver));
  to.set_congestion_control(Printable(facts.congestion_control));
  to.set_open_files_limit(facts.open_files_limit);
  to.set_io_uring_allowed(facts.io_uring_allowed);
  to.set_mitigations(Printable(facts.mitigations));
  for (const auto& [name, value] : facts.sysctls) (*to.mutable_sysctls())[name] = Printable(value);
  return to;
}

result::Interval ToProto(const Interval& interval) {
  result::Interval to;
  to.set_start_offset_ns(interval.start_offset.count());
  to.set_length_ns(interval.length.count());
  to.set_completed(interval.progress.completed);
  to.set_failed(interval.progress.failed);
  to.set_request_bytes(interval.progress.request_bytes);
  to.set_response_bytes(interval.progress.response_bytes);
  return to;
}

control::Failed ToProto(const absl::Status& failure) {
  static const std::pair<absl::StatusCode, control::Failed::Kind> kKinds[] = {
      {absl::StatusCode::kUnavailable, control::Failed::SERVER_UNREACHABLE},
      {absl::StatusCode::kPermissionDenied, control::Failed::SERVER_REFUSED},
      {absl::StatusCode::kAborted, control::Failed::SERVER_LOST},
      {absl::StatusCode::kDeadlineExceeded, control::Failed::PHASE_TIMEOUT},
      {absl::StatusCode::kOutOfRange, control::Failed::MISSED_START},
      {absl::StatusCode::kInvalidArgument, control::Failed::BAD_SPEC},
      {absl::StatusCode::kFailedPrecondition, control::Failed::BAD_SPEC},
      {absl::StatusCode::kInternal, control::Failed::INTERNAL},
  };
  control::Failed to;
  to.set_text(Printable(failure.message()));
  for (const auto& [code, kind] : kKinds) {
    if (code == failure.code()) to.set_kind(kind);
  }
  return to;
}

}  // namespace kbench
