#include "controller/run/run_attempt.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "controller/fleet/hello.h"
#include "controller/fleet/in_parallel.h"
#include "controller/store/live_status.h"

namespace kbench {
namespace {

constexpr Nanos kSlice = Millis(20);
// More would measure each other: a round trip that waits for a thread of ours is a clock known
// worse.
constexpr size_t kClocksAtOnce = 4;
constexpr size_t kResultBytesMax = size_t{2} << 30;

// In the controller's meaning (exit_codes.h).
absl::Status FromFailed(const control::Failed& failed, const std::string& address) {
  using control::Failed;
  const std::string text = absl::StrCat("agent ", address, ": ", failed.text());
  switch (failed.kind()) {
    case Failed::BAD_SPEC:
      return absl::InvalidArgumentError(text);
    case Failed::SERVER_UNREACHABLE:
    case Failed::SERVER_REFUSED:
      return absl::UnavailableError(text);
    case Failed::PHASE_TIMEOUT:
      return absl::DeadlineExceededError(text);
    case Failed::MISSED_START:
      return absl::DataLossError(absl::StrCat(text, " (missed start)"));
    default:
      return absl::DataLossError(text);
  }
}

Nanos TimeToLoad(const control::RunSpec& spec, const PhaseLimits& limits) {
  const auto keys = static_cast<double>(spec.keys());
  const double bytes = keys * spec.value_bytes();
  const double seconds = bytes / static_cast<double>(limits.load_bytes_per_second) +
                         keys / static_cast<double>(limits.load_keys_per_second);
  return limits.load + Nanos(static_cast<int64_t>(std::min(seconds, 1e6) * 1e9));
}

// An agent connects, waits for the handshake, and proves the path by a NOOP; or looks at its keys.
Nanos ConnectTime(const control::RunSpec& spec) {
  return Nanos(spec.connect_timeout_ns()) * 2 + Nanos(spec.op_timeout_ns());
}

// What a client program may take beyond its run, with its end by force.
Nanos ClientTime(const control::RunSpec& spec) {
  constexpr Nanos kEndTime = Seconds(15);
  return spec.has_client() ? Nanos(spec.client().grace_ns()) + kEndTime : Nanos();
}

}  // namespace

Nanos RunAttempt::TimeFor(const control::RunSpec& spec, const PhaseLimits& limits) {
  return ConnectTime(spec) * 3 + Nanos(spec.warmup_ns()) + Nanos(spec.duration_ns()) +
         Nanos(spec.op_timeout_ns()) * 3 + TimeToLoad(spec, limits) + limits.prepare * 2 +
         ClientTime(spec) + limits.clock + limits.measure + limits.stop + limits.goodbye;
}

RunAttempt::RunAttempt(const PhaseLimits& limits, const Interrupts* interrupts, Progress* progress,
                       const RunRequest& request, ServerObservation* observation, int arming)
    : limits_(limits),
      interrupts_(interrupts),
      progress_(progress),
      request_(request),
      observation_(observation),
      arming_(arming),
      agents_(request.agents.size()) {
  for (size_t i = 0; i < agents_.size(); ++i) {
    agents_[i].link = request.agents[i];
    // Whoever has the rest of a spec could try out keys against its hash: the key travels beside.
    control::RunSpec spec = request.specs[i];
    spec.clear_hmac_key();
    agents_[i].spec = spec.SerializeAsString();
    agents_[i].spec_sha256 = Sha256Hex(agents_[i].spec);
  }
}

absl::Status RunAttempt::Run() {
  absl::Status status = Phases();
  if (started_ && (enough_ || !status.ok())) Salvage();
  // Of a server that one agent finds gone without a word, another one may have heard why.
  if (server_lost_ && !refusal_.ok()) status = refusal_;
  SayGoodbye();
  for (AgentState& agent : agents_) agent.stream.reset();
  return status;
}

absl::Status RunAttempt::Phases() {
  RETURN_IF_ERROR(Prepare());
  if (request_.specs[0].load()) RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(MeasureClocks());
  return Start();
}

absl::Status RunAttempt::Prepare() {
  progress_->Phase("connect");
  for (size_t i = 0; i < agents_.size(); ++i) {
    AgentState& agent = agents_[i];
    agent.stream = agent.link->StartRun(i, &inbox_, TimeFor(request_.specs[0], limits_));
    control::RunCommand command;
    command.mutable_prepare()->set_spec(agent.spec);
    command.mutable_prepare()->set_hmac_key(request_.specs[i].hmac_key());
    command.mutable_prepare()->set_owner(OwnerOfRun(request_.run_id));
    *command.mutable_prepare()->mutable_controller() = ControllerVersion();
    agent.stream->Send(command);
  }
  const bool look = std::any_of(request_.specs.begin(), request_.specs.end(),
                                [](const control::RunSpec& spec) { return spec.reuse_keys(); });
  return Await("connect", ConnectTime(request_.specs[0]) * (look ? 2 : 1) + limits_.prepare,
               [](const AgentState& agent) { return agent.prepared; });
}

absl::Status RunAttempt::Load() {
  progress_->Phase("load");
  const control::RunSpec& spec = request_.specs[0];
  control::RunCommand command;
  // So the agent can say what kept it.
  command.mutable_load()->set_most_ns(TimeToLoad(spec, limits_).count());
  SendAll(command);
  // Then it opens the run's connections again.
  return Await("load", TimeToLoad(spec, limits_) + ConnectTime(spec) + limits_.prepare,
               [](const AgentState& agent) { return agent.loaded.has_value(); });
}

absl::Status RunAttempt::MeasureClocks() {
  progress_->Phase("clock");
  std::vector<absl::StatusOr<AgentClockMap>> clocks(agents_.size(),
                                                    absl::UnknownError("not measured"));
  InParallel(agents_.size(), kClocksAtOnce, [&](size_t i) {
    clocks[i] = agents_[i].link->MeasureClock(Dispatcher::kPings, limits_.clock);
  });
  if (observation_ != nullptr) observation_->MeasureClock(Dispatcher::kPings);
  absl::Status first;
  for (size_t i = 0; i < agents_.size(); ++i) {
    const absl::StatusOr<AgentClockMap>& clock = clocks[i];
    if (clock.ok()) {
      agents_[i].clock = *clock;
      continue;
    }
    agents_[i].lost = true;
    if (first.ok()) first = Annotate(clock.status(), "phase clock");
  }
  return first;
}

absl::Status RunAttempt::Start() {
  const control::RunSpec& spec = request_.specs[0];
  progress_->Phase(spec.warmup_ns() > 0 ? "warm-up" : "measure");
  Nanos slowest;
  for (const AgentState& agent : agents_) {
    slowest = std::max(slowest, agent.clock.round_trip_min());
  }
  // Four times as long after each start that was missed: who is slow once is slow again.
  const Nanos lead =
      (Millis(20) + slowest * 4 + Micros(500) * static_cast<int64_t>(agents_.size())) *
      (int64_t{1} << (2 * arming_));
  const MonoTime at = MonoNow() + lead;
  started_ = true;
  // First: what comes before the observer knows the window is not kept.
  if (observation_ != nullptr) {
    const MonoTime from = at + Nanos(spec.warmup_ns());
    observation_->SetWindow(from, from + Nanos(spec.duration_ns()));
  }
  for (AgentState& agent : agents_) {
    control::RunCommand command;
    command.mutable_start()->set_at(agent.clock.ToAgent(at).ns());
    agent.stream->Send(command);
  }
  return Await("measure",
               (at - MonoNow()) + Nanos(spec.warmup_ns()) + Nanos(spec.duration_ns()) +
                   Nanos(spec.op_timeout_ns()) + ClientTime(spec) + limits_.measure,
               [](const AgentState& agent) { return agent.done; });
}

void RunAttempt::SendAll(const control::RunCommand& command) {
  for (AgentState& agent : agents_) {
    if (!agent.ended && !agent.done) agent.stream->Send(command);
  }
}

void RunAttempt::Salvage() {
  if (interrupts_->hard()) return;
  progress_->Phase("stop");
  stopping_ = true;
  control::RunCommand command;
  command.mutable_stop()->set_reason(interrupts_->stop() ? "interrupted"
                                     : enough_           ? "its controller has seen enough"
                                                         : "another agent failed");
  SendAll(command);
  const Nanos drain = std::min(Nanos(request_.specs[0].op_timeout_ns()), Seconds(10));
  // The first failure is already on its way up; what goes wrong from here on is its echo.
  (void)Await("stop", limits_.stop + drain,
              [](const AgentState& agent) { return agent.done || agent.failed || agent.ended; });
}

void RunAttempt::SayGoodbye() {
  for (AgentState& agent : agents_) {
    if (agent.stream == nullptr) continue;
    if (!agent.done && !agent.failed) agent.stream->Cancel();
    agent.stream->CloseCommands();
  }
  stopping_ = true;
  (void)Await("goodbye", limits_.goodbye,
              [](const AgentState& agent) { return agent.stream == nullptr || agent.ended; });
}

absl::Status RunAttempt::Await(absl::string_view phase, Nanos timeout, Reached reached) {
  const MonoTime deadline = MonoNow() + timeout;
  while (!std::all_of(agents_.begin(), agents_.end(), reached)) {
    if (stopping_ ? interrupts_->hard() : interrupts_->stop()) {
      return absl::CancelledError(absl::StrCat("interrupted in phase ", phase));
    }
    if (enough_ && !stopping_) return absl::OkStatus();
    const Nanos left = deadline - MonoNow();
    if (left <= Nanos(0)) return OutOfTime(phase, timeout, reached);
    std::optional<AgentEvent> event = inbox_.Take(std::min(left, kSlice));
    if (!event) continue;
    if (!stopping_) phase_ = std::string(phase);
    const absl::Status status = Apply(*std::move(event));
    if (status.ok() || stopping_) continue;
    // Once they have been started, all agents are heard when they are stopped.
    if (server_lost_ && !started_) HearOthers(reached);
    return Annotate(status, absl::StrCat("phase ", phase));
  }
  return absl::OkStatus();
}

void RunAttempt::HearOthers(Reached reached) {
  const MonoTime deadline = MonoNow() + limits_.goodbye;
  const auto may_say_more = [reached](const AgentState& agent) {
    return !reached(agent) && !agent.failed && !agent.ended;
  };
  while (refusal_.ok() && std::any_of(agents_.begin(), agents_.end(), may_say_more)) {
    const Nanos left = deadline - MonoNow();
    if (left <= Nanos(0) || interrupts_->stop()) return;
    std::optional<AgentEvent> event = inbox_.Take(std::min(left, kSlice));
    // The first failure is already on its way up.
    if (event) (void)Apply(*std::move(event));
  }
}

absl::Status RunAttempt::Apply(AgentEvent event) {
  AgentState& agent = agents_[event.agent];
  if (!event.message) return ApplyEnd(&agent, event.end);
  const control::RunEvent& message = *event.message;
  switch (message.event_case()) {
    case control::RunEvent::kPrepared:
      if (message.prepared().spec_sha256() != agent.spec_sha256) {
        return absl::DataLossError(absl::StrCat("agent ", agent.link->address(),
                                                " echoed another spec: sent ", agent.spec_sha256,
                                                ", it has ", message.prepared().spec_sha256()));
      }
      agent.prepared = true;
      return absl::OkStatus();
    case control::RunEvent::kLoaded:
      agent.loaded = message.loaded();
      return absl::OkStatus();
    case control::RunEvent::kInterval:
      progress_->Interval(event.agent, message.interval());
      // Intervals behind the end are cut short by it.
      enough_ = enough_ || (request_.enough && request_.enough(event.agent, message.interval()));
      return absl::OkStatus();
    case control::RunEvent::kResult:
      return ApplyResult(&agent, message.result());
    case control::RunEvent::kFailed:
      agent.failed = true;
      missed_start_ |= message.failed().kind() == control::Failed::MISSED_START;
      return Gone(message.failed().kind(), FromFailed(message.failed(), agent.link->address()));
    case control::RunEvent::EVENT_NOT_SET:
      break;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("agent ", agent.link->address(), " sent an event that this version of kbench ",
                   "does not know; install the same release on both"));
}

absl::Status RunAttempt::ApplyEnd(AgentState* agent, const absl::Status& end) {
  agent->ended = true;
  if (agent->done || agent->failed) return absl::OkStatus();
  agent->lost |= !stopping_;
  if (!end.ok()) return end;
  return absl::DataLossError(
      absl::StrCat("agent ", agent->link->address(), " ended the run without a result"));
}

absl::Status RunAttempt::ApplyResult(AgentState* agent, const control::ResultChunk& chunk) {
  const std::string& address = agent->link->address();
  if (agent->result_bytes.size() + chunk.data().size() > kResultBytesMax) {
    return absl::DataLossError(absl::StrCat("agent ", address, " sent a result above 2 GiB"));
  }
  agent->result_bytes += chunk.data();
  if (!chunk.last()) return absl::OkStatus();
  if (!agent->result.ParseFromString(agent->result_bytes) ||
      agent->result.run_id() != request_.run_id) {
    agent->failed = true;
    return absl::DataLossError(absl::StrCat("agent ", address, " sent a result that cannot be ",
                                            "read, or of another run than ", request_.run_id));
  }
  agent->result_bytes.clear();
  agent->result.set_agent_index(
      request_.specs[static_cast<size_t>(agent - agents_.data())].agent_index());
  if (agent->result.agent().empty()) agent->result.set_agent(address);
  agent->done = true;
  if (!agent->result.aborted()) return absl::OkStatus();
  const std::string& reason = agent->result.abort_reason();
  const std::string text = absl::StrCat("agent ", address, " aborted the run: ", reason);
  if (absl::StartsWith(reason, "SERVER_REFUSED")) {
    return Gone(control::Failed::SERVER_REFUSED, absl::UnavailableError(text));
  }
  if (absl::StartsWith(reason, "SERVER_LOST")) {
    return Gone(control::Failed::SERVER_LOST, absl::DataLossError(text));
  }
  // Neither we nor the server ended it: its owner did, or another controller.
  agent->lost |= !stopping_;
  return absl::DataLossError(text);
}

absl::Status RunAttempt::Gone(control::Failed::Kind kind, absl::Status why) {
  using control::Failed;
  const bool gone = kind == Failed::SERVER_LOST || kind == Failed::SERVER_UNREACHABLE;
  server_lost_ |= gone && !stopping_;
  if (kind == Failed::SERVER_REFUSED && refusal_.ok()) {
    refusal_ = Annotate(why, absl::StrCat("phase ", phase_));
  }
  return why;
}

absl::Status RunAttempt::OutOfTime(absl::string_view phase, Nanos timeout, Reached reached) {
  std::vector<AgentState*> late;
  for (AgentState& agent : agents_) {
    if (!reached(agent)) late.push_back(&agent);
  }
  std::vector<absl::Status> alive(late.size());
  if (!stopping_) {
    InParallel(late.size(), kHellosAtOnce,
               [&](size_t i) { alive[i] = late[i]->link->MeasureClock(1, limits_.life).status(); });
  }
  // When nobody has reached it, it is not the agents that are to blame.
  const bool some = late.size() < agents_.size();
  std::vector<std::string> names, silent;
  for (size_t i = 0; i < late.size(); ++i) {
    names.push_back(absl::StrCat("agent ", late[i]->link->address()));
    if (!alive[i].ok()) silent.push_back(names.back());
    late[i]->lost |= !alive[i].ok() || (some && !stopping_);
  }
  std::string text = absl::StrCat("phase ", phase, " did not end within ", timeout.seconds(),
                                  " s; no word from ", absl::StrJoin(names, ", "));
  if (silent.empty()) return absl::DeadlineExceededError(text);
  return absl::DataLossError(absl::StrCat(text, "; no answer to a ping from ",
                                          absl::StrJoin(silent, ", "),
                                          ": is its process frozen, or its host gone?"));
}

void RunAttempt::MoveInto(DispatchOutcome* outcome) {
  MonoTime first, last;
  int measured = 0;
  for (AgentState& agent : agents_) {
    outcome->spec_sha256.push_back(agent.spec_sha256);
    outcome->loaded.push_back(agent.loaded);
    if (agent.lost) outcome->lost.push_back(agent.link->address());
    if (!agent.done) continue;
    const result::RunResult& result = agent.result;
    const MonoTime sent = agent.clock.ToController(AgentTime(result.planned_start())) +
                          Nanos(result.first_send_offset_ns());
    first = measured == 0 ? sent : std::min(first, sent);
    last = measured == 0 ? sent : std::max(last, sent);
    ++measured;
    outcome->evidence.clock_error_bound_ns =
        std::max(outcome->evidence.clock_error_bound_ns, agent.clock.error_bound().count());
    outcome->evidence.agents.push_back(std::move(agent.result));
  }
  outcome->evidence.first_send_skew_ns = (last - first).count();
}

}  // namespace kbench
