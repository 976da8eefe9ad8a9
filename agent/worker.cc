#include "agent/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "agent/flow_tender.h"
#include "agent/server_limits.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

bool PinTo(uint32_t cpu) {
  if (cpu >= CPU_SETSIZE) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

// A refusal is what the server says of us; anything else is trouble on the way.
bool IsRefusal(kinetic::StatusCode status) {
  using kinetic::StatusCode;
  return status == StatusCode::kHmacFailure || status == StatusCode::kNotAuthorized ||
         status == StatusCode::kVersionFailure || status == StatusCode::kDeviceLocked ||
         status == StatusCode::kNoSuchHmacAlgorithm || status == StatusCode::kHibernate ||
         status == StatusCode::kShutdown;
}

// Runs of one campaign share their keys' names; what is new in a run must not.
uint64_t NumberOf(absl::string_view run_id) {
  uint64_t number = 0;
  for (const char c : run_id) number = Mix64(number ^ static_cast<uint8_t>(c));
  return number;
}

// What to look at, by how the server refused the first NOOP of this session.
std::string HintFor(const RunSpec& spec, const OpStats& noops, const Session& session) {
  using kinetic::StatusCode;
  const auto said = [&noops](StatusCode status) {
    return noops.statuses[StatusSlot(status, Verdict::kByStatus)] > 0;
  };
  const SessionFindings& findings = session.findings();
  if (findings.commandless > 0) {
    return absl::StrCat("; does the server know identity ", spec.identity, "?");
  }
  if (said(StatusCode::kHmacFailure)) return "; is the HMAC key right?";
  if (!said(StatusCode::kVersionFailure)) return "";
  const std::string greeted =
      absl::StrCat("its greeting said ", session.greeted_cluster_version(),
                   ", which is what requests say: run it again when the two agree");
  if (!findings.cluster_version.has_value()) {
    return absl::StrCat("; the answer names no cluster version, and ", greeted);
  }
  return absl::StrCat("; the server's cluster version is ", *findings.cluster_version, ", and ",
                      greeted);
}

std::string FirstError(const Recorder& recorder) {
  for (const OpStats& stats : recorder.ops()) {
    if (!stats.first_errors.empty() && !stats.first_errors[0].empty()) return stats.first_errors[0];
  }
  return "no reason was given";
}

}  // namespace

Worker::Worker(const Options& options)
    : options_(options), spec_(*options.spec), key_(options.spec->hmac_key) {
  for (uint32_t flow = options.index; flow < spec_.flows; flow += spec_.workers) {
    flow_numbers_.push_back(flow);
  }
  thread_ = std::thread([this] { Live(); });
}

Worker::~Worker() {
  {
    std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::future<absl::Status> Worker::Prepare() {
  return Post<absl::Status>([this] {
    RETURN_IF_ERROR(Connect());
    return Prove();
  });
}

std::future<absl::Status> Worker::Load() {
  return Post<absl::Status>([this] { return WriteKeys(); });
}

std::future<absl::StatusOr<WorkerYield>> Worker::Measure(const Window& window) {
  return Post<absl::StatusOr<WorkerYield>>([this, window] { return RunWindow(window); });
}

template <typename Result>
std::future<Result> Worker::Post(std::function<Result()> work) {
  auto task = std::make_shared<std::packaged_task<Result()>>(std::move(work));
  std::future<Result> result = task->get_future();
  {
    std::lock_guard lock(mutex_);
    work_ = [task] { (*task)(); };
  }
  changed_.notify_all();
  return result;
}

void Worker::Live() {
  if (!spec_.worker_cpus.empty()) pinned_ = PinTo(spec_.worker_cpus[options_.index]);
  prctl(PR_SET_TIMERSLACK, 1);  // sleeps end when asked, not 50 us later
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return leaving_ || work_; });
    if (!work_) break;
    const std::function<void()> work = std::exchange(work_, nullptr);
    lock.unlock();
    work();
    lock.lock();
  }
  transport_.reset();  // on the thread that made it
}

absl::Status Worker::Connect() {
  const uint32_t flows = static_cast<uint32_t>(flow_numbers_.size());
  // One flow in a closed loop has nothing to do but wait for its answer: the classic client.
  const bool plain = flows == 1 && !spec_.open.has_value() && spec_.poll == PollMode::kBlock;
  absl::StatusOr<std::unique_ptr<Transport>> transport = MakeTransport(
      spec_.transport,
      {.flows_max = flows,
       .frames_max = flows * SlotTable::SizeFor(spec_.depth) * (spec_.batch_parts() + 1),
       .poll = spec_.poll,
       .flush = spec_.flush,
       .kernel_stamps = spec_.sample_every > 0,
       .send_buffer_bytes = spec_.send_buffer_bytes,
       .receive_buffer_bytes = spec_.receive_buffer_bytes,
       .congestion_control = spec_.congestion_control,
       .tls = spec_.tls,
       .deadline_slack = plain ? Pump::kTick : Nanos(),
       .cancelled = &options_.control->stopped(),
       .max_bytes_per_call = spec_.max_bytes_per_call,
       .leave_stamps = spec_.leave_stamps,
       .null_value_bytes = spec_.value_bytes,
       .null_hmac_key = spec_.hmac_key});
  // This machine refuses, not the server: the run asks for what cannot be here.
  if (!transport.ok()) return absl::InvalidArgumentError(transport.status().message());
  transport_ = *std::move(transport);
  for (uint32_t number : flow_numbers_) {
    if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
    absl::StatusOr<FlowId> flow = transport_->Connect(options_.server, spec_.connect_timeout);
    if (!flow.ok()) {
      const absl::Status status =
          Annotate(flow.status(), absl::StrCat("server ", spec_.server.ToString()));
      const bool silent = absl::IsDeadlineExceeded(status);
      return silent ? absl::UnavailableError(status.message()) : status;
    }
    const uint64_t seed = SessionSeed(spec_.seed, spec_.agent_index, number);
    sessions_.push_back(std::make_unique<Session>(
        Session::Options{.flow = *flow,
                         .depth_max = spec_.depth,
                         .op_timeout = spec_.op_timeout,
                         .sample_every = spec_.sample_every,
                         .sample_seed = Mix64(seed),
                         .batch_parts = spec_.batch_parts(),
                         .verify = spec_.verify,
                         .value_bytes = spec_.value_bytes,
                         .requests = {.identity = spec_.identity,
                                      .synchronization = spec_.synchronization,
                                      .tag = spec_.tag,
                                      .keys = KeyGenerator(spec_.key_seed, spec_.agent_index,
                                                           spec_.key_bytes, NumberOf(spec_.run_id)),
                                      .range_keys = spec_.range_keys,
                                      .key_count = spec_.keys,
                                      .batch_ops = spec_.batch_ops,
                                      .flow = number,
                                      .key = &key_,
                                      .values = options_.values}},
        transport_.get()));
  }
  pump_ = std::make_unique<Pump>(Pump::Options{.poll = spec_.poll}, transport_.get(), &sessions_);
  pump_->AwaitHandshakes(MonoNow() + spec_.connect_timeout, options_.control->stopped());
  for (const auto& session : sessions_) {
    if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
    const SessionFindings& findings = session->findings();
    if (session->ready()) continue;
    if (findings.unsolicited > 0) {
      return absl::PermissionDeniedError(
          absl::StrCat("server ", spec_.server.ToString(),
                       " refused the connection: ", findings.unsolicited_text));
    }
    if (session->closed()) {
      return absl::UnavailableError(absl::StrCat("server ", spec_.server.ToString(),
                                                 " accepted the connection but sent no ",
                                                 "Kinetic handshake: ", session->closed_text()));
    }
    return absl::UnavailableError(
        absl::StrCat("server ", spec_.server.ToString(), " accepted the connection but sent no ",
                     "Kinetic handshake within ", FormatDuration(spec_.connect_timeout),
                     " (is it a Kinetic server?)"));
  }
  return sessions_.empty() ? absl::OkStatus()
                           : CheckServerLimits(spec_, sessions_.front()->limits());
}

absl::Status Worker::Prove() {
  Recorder recorder(Recorder::Options{.ops = 1});
  OpStream noops({.ops = {{.kind = OpKind::kNoop}}});
  for (const auto& session : sessions_) {
    session->Begin({.ops = &noops, .max_ops = 1, .recorder = &recorder});
  }
  // A flow that goes away now ends nothing yet: the reason is found below.
  pump_->Run({.end_ns = &options_.control->end_ns(), .recorder = &recorder});
  const std::string server = absl::StrCat("server ", spec_.server.ToString());
  for (const auto& session : sessions_) {
    const SessionFindings& findings = session->findings();
    if (findings.unsolicited > 0 && IsRefusal(findings.unsolicited_status)) {
      const bool hmac = findings.unsolicited_status == kinetic::StatusCode::kHmacFailure;
      return absl::PermissionDeniedError(
          absl::StrCat(server, " refused us: ", findings.unsolicited_text,
                       hmac ? absl::StrCat("; does the server know identity ", spec_.identity,
                                           ", and is its HMAC key right?")
                            : ""));
    }
    if (session->closed()) {
      return absl::AbortedError(absl::StrCat(FlowName(spec_, *session),
                                             ", during its first NOOP: ", session->closed_text()));
    }
  }
  if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
  const Counts counts = recorder.totals();
  if (counts.failed > 0) {
    std::string hint;
    for (const auto& session : sessions_) {
      if (hint.empty()) hint = HintFor(spec_, recorder.ops()[0], *session);
    }
    return absl::PermissionDeniedError(absl::StrCat(server, " refused a NOOP of identity ",
                                                    spec_.identity, " with ", FirstError(recorder),
                                                    hint));
  }
  if (counts.lost > 0) {
    return absl::UnavailableError(
        absl::StrCat(server, " did not answer a NOOP within ", FormatDuration(spec_.op_timeout)));
  }
  return absl::OkStatus();
}

absl::Status Worker::WriteKeys() {
  Recorder recorder(Recorder::Options{.ops = 1});
  std::vector<std::unique_ptr<OpStream>> streams;
  uint64_t share = 0;  // of the keys, of all this worker's flows
  const MonoTime start = MonoNow();
  for (size_t i = 0; i < sessions_.size(); ++i) {
    const unsigned __int128 keys = spec_.keys;
    const auto from = static_cast<uint64_t>(keys * flow_numbers_[i] / spec_.flows);
    const auto upto = static_cast<uint64_t>(keys * (flow_numbers_[i] + 1) / spec_.flows);
    share += upto - from;
    streams.push_back(std::make_unique<OpStream>(OpStream::Options{.ops = {{.kind = OpKind::kPut}},
                                                                   .keys = spec_.keys,
                                                                   .order = KeyOrder::kSequential,
                                                                   .first_key = from}));
    sessions_[i]->Begin({.ops = streams.back().get(),
                         .depth = spec_.depth,
                         .max_ops = upto - from,
                         .pace = spec_.load_pace,
                         .start = start,
                         .recorder = &recorder});
  }
  // One key that is not there fails the load: a server that has gone silent is not asked for each
  // of the others in turn.
  pump_->Run({.end_ns = &options_.control->end_ns(),
              .recorder = &recorder,
              .on_lost = [this] { TellLost(); },
              .on_tick =
                  [&](MonoTime now) {
                    const Counts counts = recorder.totals();
                    if (counts.failed + counts.lost > 0) options_.control->PlanEnd(now);
                  }});
  const Counts counts = recorder.totals();
  if (options_.control->why() == RunControl::Why::kServerLost) {
    return absl::AbortedError(options_.control->reason());
  }
  if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
  if (counts.failed + counts.lost == 0 && counts.sent < share) {
    const bool in_time = spec_.load_most == Nanos() || MonoNow() < start + spec_.load_most;
    if (in_time) return absl::CancelledError("another worker's part of the load failed");
    return absl::DeadlineExceededError(absl::StrCat(
        "the load was not over within this agent's --max-duration: ", counts.sent, " of ", share,
        " keys were written; give it fewer keys, or load them from elsewhere (workload.load: "
        "false)"));
  }
  if (counts.failed > 0) {
    const std::string first = FirstError(recorder);
    return absl::PermissionDeniedError(
        absl::StrCat("server ", spec_.server.ToString(), " refused ", counts.failed, " of ",
                     counts.sent, " keys to be loaded: ", first, TagRemedy(spec_, first)));
  }
  if (counts.lost > 0) {
    return absl::DeadlineExceededError(
        absl::StrCat("server ", spec_.server.ToString(), " did not answer ", counts.lost, " of ",
                     counts.sent, " puts of the load within ", FormatDuration(spec_.op_timeout)));
  }
  return absl::OkStatus();
}

absl::StatusOr<WorkerYield> Worker::RunWindow(const Window& window) {
  WorkerYield yield;
  yield.recorder = std::make_unique<Recorder>(
      Recorder::Options{.ops = spec_.ops.size(),
                        .samples_max = (spec_.samples_max + spec_.workers - 1) / spec_.workers,
                        .clocks = window.clocks,
                        .window_from = window.measure_from,
                        .window_until = window.measure_from + spec_.duration});
  std::vector<std::unique_ptr<OpStream>> streams;
  std::vector<std::unique_ptr<Arrival>> arrivals;
  for (size_t i = 0; i < sessions_.size(); ++i) {
    const uint32_t flow = flow_numbers_[i];
    const uint64_t seed = SessionSeed(spec_.seed, spec_.agent_index, flow);
    const auto first_key =
        static_cast<uint64_t>(static_cast<unsigned __int128>(spec_.keys) * flow / spec_.flows);
    streams.push_back(
        std::make_unique<OpStream>(OpStream::Options{.ops = spec_.ops,
                                                     .keys = spec_.keys,
                                                     .order = spec_.key_order,
                                                     .zipf_theta = spec_.zipf_theta,
                                                     .hot_keys = spec_.hot_keys,
                                                     .hot_requests = spec_.hot_requests,
                                                     .seed = seed,
                                                     .first_key = first_key,
                                                     .batch_ops = spec_.batch_ops,
                                                     .flow = flow,
                                                     .flows = spec_.flows}));
    if (spec_.open.has_value()) {
      // The flows' streams together are the agent's, and the agents' are the run's: evenly
      // interleaved, bursts and ramps of one, or a Poisson process.
      arrivals.push_back(std::make_unique<Arrival>(
          Arrival::StreamOf(*spec_.open,
                            {.flow = flow,
                             .flows = spec_.flows,
                             .agent = spec_.agent_index,
                             .agents = spec_.agent_count},
                            Mix64(seed ^ 0x617272697661),  // "arriva": a stream of its own
                            window.start, window.measure_from - window.start)));
    }
    const uint64_t max_ops = spec_.max_ops_per_flow == 0 ? UINT64_MAX : spec_.max_ops_per_flow;
    sessions_[i]->Begin({.ops = streams.back().get(),
                         .arrival = arrivals.empty() ? nullptr : arrivals.back().get(),
                         .depth = spec_.depth,
                         .reopens = spec_.reconnects > 0,
                         .max_ops = max_ops,
                         .encode_burn = spec_.inject.encode,
                         .decode_burn = spec_.inject.decode,
                         .start = window.start,
                         .measure_from = window.measure_from,
                         .recorder = yield.recorder.get()});
  }
  FlowTender tender(&spec_, options_.server, options_.control, transport_.get(), &sessions_);
  TcpMeter tcp(transport_.get(), &sessions_);
  bool measuring = false;
  ThreadUse use_before;
  TransportCounters counters_before;
  pump_->Run({.start = window.start,
              .measure_from = window.measure_from,
              .end_ns = &options_.control->end_ns(),
              .recorder = yield.recorder.get(),
              .progress = &progress_,
              .on_measure =
                  [&] {
                    measuring = true;
                    use_before = ReadThreadUse();
                    counters_before = transport_->counters();
                  },
              .on_end =
                  [&] {
                    yield.tcp = tcp.Read();
                    if (!measuring) return;
                    yield.use = ReadThreadUse().Since(use_before);
                    yield.counters = transport_->counters().Since(counters_before);
                  },
              .on_lost =
                  [this] {
                    if (spec_.reconnects == 0) TellLost();
                  },
              .on_tick =
                  [&](MonoTime now) {
                    if (spec_.reconnects > 0) tender.Tend(now);
                  }});
  yield.reopening = tender.reopening();
  yield.transport_facts = transport_->facts();
  yield.pinned = pinned_;
  for (const auto& session : sessions_) {
    const MonoTime first = session->first_started();
    if (first.is_set() && (!yield.first_started.is_set() || first < yield.first_started)) {
      yield.first_started = first;
      yield.first_intended = session->first_intended();
    }
    const SessionFindings& findings = session->findings();
    yield.late_answers += findings.late_answers;
    yield.protocol_errors += findings.protocol_errors;
    if (yield.protocol_error_text.empty()) yield.protocol_error_text = findings.protocol_error_text;
    yield.backoffs += findings.backoffs;
    yield.backed_off += findings.backed_off;
    yield.losses += findings.losses;
    yield.reconnects += findings.reopened;
    yield.disconnected += findings.down;
    yield.unsolicited += findings.unsolicited;
    if (findings.unsolicited > 0) yield.unsolicited_text = findings.unsolicited_text;
  }
  return yield;
}

void Worker::TellLost() {
  for (const auto& session : sessions_) {
    if (!session->closed()) continue;
    const std::string& why = session->closed_text();
    options_.control->Stop(
        RunControl::Why::kServerLost,
        absl::StrCat(FlowName(spec_, *session), ": ", why, TagRemedy(spec_, why)));
    return;
  }
}

}  // namespace kbench
