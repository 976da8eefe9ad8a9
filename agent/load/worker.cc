#include "agent/load/worker.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "agent/load/flow_tender.h"
#include "agent/load/server_limits.h"
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

// A server that is silent when it is first asked is one that cannot be reached.
absl::Status AtFirst(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) ? absl::UnavailableError(status.message()) : status;
}

// One that was reached before has gone away.
absl::Status Later(const absl::Status& status) {
  return absl::IsUnavailable(status) ? absl::AbortedError(status.message()) : status;
}

}  // namespace

Worker::Worker(const Options& options)
    : options_(options),
      spec_(*options.spec),
      key_(options.spec->hmac_key),
      loader_(OfFlows(), options.index) {
  for (uint32_t flow = options.index; flow < spec_.flows; flow += spec_.workers) {
    flow_numbers_.push_back(flow);
  }
  thread_ = std::thread([this] { Live(); });
}

Worker::~Worker() {
  {
    MutexLock lock(&mutex_);
    leaving_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

FlowSet::Options Worker::OfFlows() const {
  return {.spec = &spec_,
          .server = options_.server,
          .key = &key_,
          .values = options_.values,
          .control = options_.control};
}

std::future<absl::Status> Worker::Prepare() {
  return Post<absl::Status>([this] {
    if (options_.index == 0 && spec_.reuse) RETURN_IF_ERROR(AtFirst(Look()));
    return AtFirst(OpenFlows(&FlowSet::Open));
  });
}

std::future<absl::Status> Worker::Load(const LoadBound& bound) {
  return Post<absl::Status>([this, bound] {
    flows_.reset();
    return Later(loader_.Write(bound));
  });
}

std::future<absl::Status> Worker::Conclude(const LoadBound& bound) {
  return Post<absl::Status>([this, bound] { return loader_.Conclude(bound); });
}

std::future<absl::Status> Worker::Reopen() {
  return Post<absl::Status>([this] {
    loader_.Close();
    return Later(Annotate(OpenFlows(&FlowSet::OpenInstead), "after the load"));
  });
}

std::future<absl::StatusOr<WorkerYield>> Worker::Measure(const Window& window) {
  return Post<absl::StatusOr<WorkerYield>>([this, window] { return RunWindow(window); });
}

template <typename Result>
std::future<Result> Worker::Post(std::function<Result()> work) {
  auto task = std::make_shared<std::packaged_task<Result()>>(std::move(work));
  std::future<Result> result = task->get_future();
  {
    MutexLock lock(&mutex_);
    work_ = [task] { (*task)(); };
  }
  changed_.NotifyAll();
  return result;
}

void Worker::Live() {
  if (!spec_.worker_cpus.empty()) pinned_ = PinTo(spec_.worker_cpus[options_.index]);
  prctl(PR_SET_TIMERSLACK, 1);  // sleeps end when asked, not 50 us later
  while (const std::function<void()> work = NextWork()) work();
  loader_.Close();  // on the thread that made it
  flows_.reset();
}

std::function<void()> Worker::NextWork() {
  MutexLock lock(&mutex_);
  while (!leaving_ && !work_) changed_.Wait(&mutex_);
  return std::exchange(work_, nullptr);
}

absl::Status Worker::Look() {
  ASSIGN_OR_RETURN(missing_, loader_.Look());
  return absl::OkStatus();
}

absl::Status Worker::OpenFlows(absl::Status (FlowSet::*open)(const FlowSet::Shape&)) {
  flows_ = std::make_unique<FlowSet>(OfFlows());
  RETURN_IF_ERROR(
      (flows_.get()->*open)({.flows = flow_numbers_, .depth = spec_.depth, .measured = true}));
  RETURN_IF_ERROR(CheckServerLimits(spec_, flows_->limits()));
  return flows_->Prove();
}

Worker::Streams Worker::MakeStreams(const Window& window) const {
  Streams streams;
  for (const uint32_t flow : flow_numbers_) {
    const uint64_t seed = SessionSeed(spec_.seed, spec_.agent_index, flow);
    const auto first_key =
        static_cast<uint64_t>(static_cast<unsigned __int128>(spec_.keys) * flow / spec_.flows);
    streams.ops.push_back(
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
    if (!spec_.open.has_value()) continue;
    // The flows' streams together are the agent's, and the agents' are the run's: evenly
    // interleaved, bursts and ramps of one, or a Poisson process.
    streams.arrivals.push_back(std::make_unique<Arrival>(
        Arrival::StreamOf(*spec_.open,
                          {.flow = flow,
                           .flows = spec_.flows,
                           .agent = spec_.agent_index,
                           .agents = spec_.agent_count},
                          Mix64(seed ^ 0x617272697661),  // "arriva": a stream of its own
                          window.start, window.measure_from - window.start)));
  }
  return streams;
}

void Worker::BeginSessions(const Window& window, const Streams& streams, Recorder* recorder) {
  const std::vector<std::unique_ptr<Session>>& sessions = flows_->sessions();
  for (size_t i = 0; i < sessions.size(); ++i) {
    sessions[i]->Begin(
        {.ops = streams.ops[i].get(),
         .arrival = streams.arrivals.empty() ? nullptr : streams.arrivals[i].get(),
         .depth = spec_.depth,
         .reopens = spec_.reconnects > 0,
         .max_ops = spec_.max_ops_per_flow == 0 ? UINT64_MAX : spec_.max_ops_per_flow,
         .encode_burn = spec_.inject.encode,
         .decode_burn = spec_.inject.decode,
         .start = window.start,
         .measure_from = window.measure_from,
         .recorder = recorder});
  }
}

absl::StatusOr<WorkerYield> Worker::RunWindow(const Window& window) {
  WorkerYield yield;
  yield.recorder = std::make_unique<Recorder>(
      Recorder::Options{.ops = spec_.ops.size(),
                        .samples_max = (spec_.samples_max + spec_.workers - 1) / spec_.workers,
                        .clocks = window.clocks,
                        .window_from = window.measure_from,
                        .window_until = window.measure_from + spec_.duration});
  const Streams streams = MakeStreams(window);
  BeginSessions(window, streams, yield.recorder.get());
  Transport* const transport = flows_->transport();
  FlowTender tender(&spec_, options_.server, options_.control, transport, &flows_->sessions());
  TcpMeter tcp(transport, &flows_->sessions());
  bool measuring = false;
  ThreadUse use_before;
  TransportCounters counters_before;
  const auto begin_window = [&] {
    measuring = true;
    use_before = ReadThreadUse();
    counters_before = transport->counters();
  };
  const auto end_window = [&] {
    yield.tcp = tcp.Read();
    if (!measuring) return;
    yield.use = ReadThreadUse().Since(use_before);
    yield.counters = transport->counters().Since(counters_before);
  };
  const bool reconnects = spec_.reconnects > 0;
  flows_->pump()->Run({.start = window.start,
                       .measure_from = window.measure_from,
                       .end_ns = &options_.control->end_ns(),
                       .recorder = yield.recorder.get(),
                       .progress = &progress_,
                       .on_measure = begin_window,
                       .on_end = end_window,
                       .on_lost =
                           [&] {
                             if (!reconnects) flows_->TellLost();
                           },
                       .on_tick =
                           [&](MonoTime now) {
                             if (reconnects) tender.Tend(now);
                           }});
  if (spec_.reconnects > 0) tender.Conclude();
  yield.reopening = tender.reopening();
  Collect(&yield);
  return yield;
}

void Worker::Collect(WorkerYield* yield) const {
  yield->transport_facts = flows_->transport()->facts();
  yield->pinned = pinned_;
  for (const auto& session : flows_->sessions()) {
    const MonoTime first = session->first_started();
    if (first.is_set() && (!yield->first_started.is_set() || first < yield->first_started)) {
      yield->first_started = first;
      yield->first_intended = session->first_intended();
    }
    const SessionFindings& findings = session->findings();
    yield->late_answers += findings.late_answers;
    yield->protocol_errors += findings.protocol_errors;
    if (yield->protocol_error_text.empty()) {
      yield->protocol_error_text = findings.protocol_error_text;
    }
    yield->backoffs += findings.backoffs;
    yield->backed_off += findings.backed_off;
    yield->losses += findings.losses;
    yield->reconnects += findings.reopened;
    yield->disconnected += findings.down;
    yield->unsolicited += findings.unsolicited;
    if (findings.unsolicited > 0) yield->unsolicited_text = findings.unsolicited_text;
  }
}

}  // namespace kbench
