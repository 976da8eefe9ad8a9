#include "agent/run/runner.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>

#include "absl/strings/str_cat.h"
#include "agent/host/keep_awake.h"
#include "agent/load/request_set.h"
#include "agent/load/value_tag.h"
#include "agent/run/caveats.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr Nanos kIntervalLength = Seconds(1);
constexpr Nanos kStartSlack = Millis(1);

// CLOCK_MONOTONIC, as the standard library calls it on Linux.
std::chrono::steady_clock::time_point ToSteady(MonoTime t) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(t.ns()));
}

template <typename Result>
bool AllReady(const std::vector<std::future<Result>>& futures, MonoTime deadline) {
  return std::all_of(futures.begin(), futures.end(), [deadline](const auto& future) {
    return future.wait_until(ToSteady(deadline)) == std::future_status::ready;
  });
}

ProgressCounts Difference(const ProgressCounts& later, const ProgressCounts& earlier) {
  return {.due = later.due - earlier.due,
          .completed = later.completed - earlier.completed,
          .failed = later.failed - earlier.failed,
          .request_bytes = later.request_bytes - earlier.request_bytes,
          .response_bytes = later.response_bytes - earlier.response_bytes};
}

// How much the end of one worker tells of why all end: one that was only cancelled says nothing,
// and what the server said to one is why it ended others without a word (decision 055).
int Weight(const absl::Status& status) {
  if (status.ok()) return 0;
  if (absl::IsCancelled(status)) return 1;
  return absl::IsPermissionDenied(status) ? 3 : 2;
}

}  // namespace

Runner::Runner(RunSpec spec) : spec_(std::move(spec)) {}

Runner::~Runner() { Stop("the run is over"); }

void Runner::Stop(absl::string_view reason) {
  control_.Stop(RunControl::Why::kAsked, std::string(reason));
}

absl::Status Runner::Prepare() {
  if (spec_.transport != TransportKind::kNull) {
    absl::StatusOr<SocketAddress> address = Resolve(spec_.server);
    if (!address.ok()) {
      return absl::UnavailableError(
          absl::StrCat("server ", spec_.server.ToString(), ": ", address.status().message()));
    }
    server_ = *address;
  }
  if (spec_.inject.relay) {
    ASSIGN_OR_RETURN(relay_, DelayRelay::Start({.server = server_,
                                                .delay = spec_.inject.relay_delay,
                                                .rate = spec_.inject.relay_rate}));
  }
  if (spec_.client) return PrepareClient();
  values_ = std::make_unique<ValuePool>(spec_.key_seed, spec_.sizes(), spec_.compressible);
  const bool puts = std::any_of(spec_.ops.begin(), spec_.ops.end(),
                                [](const OpWeight& op) { return WritesValue(op.kind); });
  if (puts && spec_.tag.has_value() && !IsPrepared(*spec_.tag)) {
    tag_cost_ = TagCost(*spec_.tag, *values_);
  }
  for (uint32_t i = 0; i < spec_.workers; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(Worker::Options{.spec = &spec_,
                                                 .index = i,
                                                 .server = relay_ ? relay_->address() : server_,
                                                 .values = values_.get(),
                                                 .control = &control_}));
  }
  const absl::Status prepared = OfAll([](Worker* worker) { return worker->Prepare(); }, kNever);
  if (prepared.ok() && !spec_.load) StartObserver();
  if (prepared.ok() || relay_ == nullptr || relay_->failure().empty()) return prepared;
  // A flow saw the relay hang up; this is why.
  return absl::UnavailableError(absl::StrCat("server ", spec_.server.ToString(),
                                             ", from the relay on this host: ", relay_->failure()));
}

absl::StatusOr<LoadOutcome> Runner::Load(Nanos most) {
  const MonoTime start = MonoNow();
  LoadOutcome loaded = {.keys = spec_.keys};
  if (spec_.reuse) {
    loaded.looked = static_cast<uint32_t>(KeySample(spec_.keys, spec_.value_bytes).size());
    loaded.missing = workers_.front()->missing();
  }
  if (!spec_.reuse || !loaded.missing.empty()) {
    RETURN_IF_ERROR(WriteKeys(BoundOf(most)));
    loaded.written = spec_.keys;
    LoadUse use;
    for (const auto& worker : workers_) use.Add(worker->load_use());
    loaded.flows = use.flows;
    loaded.widest = use.widest;
    loaded.sent_again = use.sent_again;
    loaded.backed_off = use.backed_off;
  }
  loaded.took = MonoNow() - start;
  StartObserver();
  loaded_ = loaded;
  return loaded;
}

LoadBound Runner::BoundOf(Nanos most) const {
  const Nanos owners = spec_.load_most;
  if (owners == Nanos() && most == Nanos()) return {};
  const bool by_owner = owners > Nanos() && (most == Nanos() || owners <= most);
  const Nanos least = by_owner ? owners : most;
  return {
      .end = MonoNow() + least,
      .most = least,
      .whose = by_owner ? "this agent's --max-duration" : "the time that its controller gives it"};
}

absl::Status Runner::WriteKeys(const LoadBound& bound) {
  RETURN_IF_ERROR(OfAll([&](Worker* worker) { return worker->Load(bound); }, bound.end));
  RETURN_IF_ERROR(workers_.front()->Conclude(bound).get());
  return OfAll([](Worker* worker) { return worker->Reopen(); }, kNever);
}

absl::StatusOr<RunOutcome> Runner::Run(MonoTime at,
                                       const std::function<void(const Interval&)>& on_interval) {
  if (const Nanos late = MonoNow() - at; late > kStartSlack) {
    return absl::OutOfRangeError(absl::StrCat("the start was ", FormatDuration(late),
                                              " ago when the command to start came"));
  }
  std::optional<KeepAwake> awake;
  if (spec_.inject.keep_awake) awake.emplace();
  if (spec_.client) return RunClient(at);
  RunOutcome outcome;
  outcome.planned_start = at;
  outcome.clocks = ReadClockPair();
  const MonoTime measure_from = at + spec_.warmup;
  const MonoTime end = measure_from + spec_.duration;
  control_.PlanEnd(end);
  if (relay_ != nullptr) relay_->Forget();
  if (observer_ != nullptr) observer_->SetWindow(measure_from, end);
  std::vector<std::future<absl::StatusOr<WorkerYield>>> futures;
  for (const auto& worker : workers_) {
    futures.push_back(
        worker->Measure({.start = at, .measure_from = measure_from, .clocks = outcome.clocks}));
  }

  // The workers are on their way; what this reads of the host must not keep them.
  HostMonitor monitor(MonitorOptions(measure_from, end));

  ProgressCounts reported;
  Nanos offset;
  const auto report = [&](Nanos upto) {
    const ProgressCounts now = SumProgress();
    outcome.intervals.push_back(
        {.start_offset = offset, .length = upto - offset, .progress = Difference(now, reported)});
    on_interval(outcome.intervals.back());
    reported = now;
    offset = upto;
  };
  while (true) {
    const MonoTime tick = measure_from + offset + kIntervalLength;
    // In the drain there is no next tick, and nothing more to report.
    if (AllReady(futures, tick < end ? tick : kNever)) break;
    if (!control_.stopped()) {
      report(offset + kIntervalLength);
    } else if (AllReady(futures, kNever)) {
      break;
    }
  }
  const MonoTime finished = MonoNow();
  outcome.host_use = monitor.Finish();
  const MonoTime measured_until = std::min({end, MonoTime(control_.end_ns().load()), finished});
  outcome.measured = std::max(measured_until - measure_from, offset);
  outcome.drain = std::max(finished - measured_until, Nanos());
  if (outcome.measured > offset) report(outcome.measured);
  if (outcome.measured > Nanos()) outcome.measure_started = measure_from;

  std::vector<WorkerYield> yields;
  for (auto& future : futures) {
    ASSIGN_OR_RETURN(WorkerYield yield, future.get());
    yields.push_back(std::move(yield));
  }
  const ClockPair after = ReadClockPair();
  outcome.clock_step = (after.real - outcome.clocks.real) - (after.mono - outcome.clocks.mono);
  Merge(std::move(yields), &outcome);
  if (relay_ != nullptr) TakeRelay(&outcome);
  FinishObserver(&outcome);
  outcome.aborted = control_.why() != RunControl::Why::kNotStopped;
  outcome.abort_reason = control_.reason();
  if (control_.why() == RunControl::Why::kServerLost) {
    outcome.abort_reason = absl::StrCat("SERVER_LOST: ", outcome.abort_reason);
    outcome.server_trace.reason = "the server was lost";
  } else if (control_.why() == RunControl::Why::kServerRefused) {
    outcome.abort_reason = absl::StrCat("SERVER_REFUSED: ", outcome.abort_reason);
    outcome.server_trace.reason = "the server refused the run";
  } else if (spec_.transport == TransportKind::kNull) {
    outcome.server_trace.reason = "the null transport has no server";
  } else {
    outcome.server_trace = FetchServerTrace({.server = server_,
                                             .identity = spec_.identity,
                                             .hmac_key = spec_.hmac_key,
                                             .tls = spec_.tls,
                                             .timeout = spec_.connect_timeout},
                                            outcome.samples);
  }
  outcome.tag_cost = tag_cost_;
  outcome.host = ReadHostFacts();
  outcome.caveats = JudgeRun(spec_, outcome);
  return outcome;
}

absl::Status Runner::OfAll(const Phase& phase, MonoTime end) {
  control_.PlanEnd(end);
  std::vector<std::future<absl::Status>> futures;
  for (const auto& worker : workers_) futures.push_back(phase(worker.get()));
  absl::Status decisive;
  for (auto& future : futures) {
    absl::Status status = future.get();
    if (Weight(status) > Weight(decisive)) decisive = std::move(status);
  }
  return decisive;
}

void Runner::StartObserver() {
  if (!spec_.observe) return;
  if (spec_.transport == TransportKind::kNull) {
    no_observer_ = "the null transport sends no packets";
  } else if (spec_.tls.has_value()) {
    no_observer_ = "over TLS packets do not say whose request they carry";
  } else {
    const uint16_t port = relay_ != nullptr ? relay_->port() : spec_.server.port;
    absl::StatusOr<std::unique_ptr<observer::PacketObserver>> started =
        observer::PacketObserver::Start(
            {.port = port, .view = observer::View::kClient, .await_window = true});
    if (started.ok()) {
      observer_ = *std::move(started);
    } else {
      no_observer_ = std::string(started.status().message());
    }
  }
}

void Runner::TakeRelay(RunOutcome* outcome) const {
  outcome->relay = relay_->added();
  for (const auto& [name, added] : {std::pair("relay_added_up_ns", outcome->relay.up),
                                    std::pair("relay_added_down_ns", outcome->relay.down)}) {
    outcome->transport_facts.emplace_back(name, absl::StrCat(added.count()));
  }
}

void Runner::FinishObserver(RunOutcome* outcome) {
  outcome->wire.available = observer_ != nullptr;
  outcome->wire.reason = observer_ != nullptr ? "" : no_observer_;
  if (observer_ == nullptr) return;
  RequestSet wanted;
  for (const OpRecord& sample : outcome->samples) {
    wanted.Add(sample.connection_id, sample.sequence);
  }
  outcome->wire.seen = observer_->Finish([&wanted](int64_t connection_id, uint64_t sequence) {
    return wanted.Contains(connection_id, sequence);
  });
  observer_.reset();
}

HostMonitor::Options Runner::MonitorOptions(MonoTime from, MonoTime until) const {
  HostMonitor::Options options = {
      .server = {}, .cpus = spec_.worker_cpus, .from = from, .until = until};
  if (spec_.transport != TransportKind::kNull) options.server = server_;
  if (options.cpus.empty()) options.cpus = ReadHostFacts().cpus;
  return options;
}

ProgressCounts Runner::SumProgress() const {
  ProgressCounts sum;
  for (const auto& worker : workers_) {
    const SharedProgress& p = worker->progress();
    sum.completed += p.completed.load(std::memory_order_relaxed);
    sum.failed += p.failed.load(std::memory_order_relaxed);
    sum.due += p.due.load(std::memory_order_relaxed);
    sum.request_bytes += p.request_bytes.load(std::memory_order_relaxed);
    sum.response_bytes += p.response_bytes.load(std::memory_order_relaxed);
  }
  return sum;
}

void Runner::Merge(std::vector<WorkerYield> yields, RunOutcome* outcome) const {
  for (const OpWeight& op : spec_.ops) outcome->op_names.emplace_back(Name(op.kind));
  outcome->ops.resize(spec_.ops.size());
  outcome->workers = spec_.workers;
  outcome->load = loaded_;
  outcome->transport_facts = yields.front().transport_facts;
  MonoTime first = kNever, first_intended = kNever;
  for (const WorkerYield& yield : yields) {
    for (size_t i = 0; i < spec_.ops.size(); ++i) outcome->ops[i].Add(yield.recorder->ops()[i]);
    const std::vector<OpRecord>& samples = yield.recorder->samples();
    outcome->samples.insert(outcome->samples.end(), samples.begin(), samples.end());
    outcome->samples_dropped += yield.recorder->samples_dropped();
    outcome->use.threads.Add(yield.use);
    outcome->use.transport.Add(yield.counters);
    outcome->tcp.Add(yield.tcp);
    if (outcome->measured > Nanos()) {
      outcome->use.busiest_worker = std::max(
          outcome->use.busiest_worker, yield.use.cpu().seconds() / outcome->measured.seconds());
    }
    if (!spec_.worker_cpus.empty() && !yield.pinned) ++outcome->workers_unpinned;
    outcome->late_answers += yield.late_answers;
    outcome->protocol_errors += yield.protocol_errors;
    if (outcome->protocol_error_text.empty()) {
      outcome->protocol_error_text = yield.protocol_error_text;
    }
    outcome->backoffs += yield.backoffs;
    outcome->backed_off += yield.backed_off;
    outcome->losses += yield.losses;
    outcome->reconnects += yield.reconnects;
    outcome->disconnected += yield.disconnected;
    outcome->reopening += yield.reopening;
    outcome->unsolicited += yield.unsolicited;
    if (yield.unsolicited > 0) outcome->unsolicited_text = yield.unsolicited_text;
    if (yield.first_started.is_set() && yield.first_started < first) {
      first = yield.first_started;
      first_intended = yield.first_intended;
    }
  }
  for (const auto& [name, value] : outcome->transport_facts) {
    if (name == "congestion_control") outcome->tcp.congestion_control = value;
  }
  if (spec_.transport == TransportKind::kNull) {
    outcome->tcp.reason = "the null transport has no connections";
  } else if (outcome->tcp.flows == 0) {
    outcome->tcp.reason = "no connection was left at the window's end, or this kernel does not say";
  }
  // An open loop's first request is due some time after the start: that is no lateness.
  if (first != kNever) outcome->first_send_offset = first - first_intended;
}

}  // namespace kbench
