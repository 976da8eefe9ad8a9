#include "controller/fleet/server_observation.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "controller/fleet/bounded.h"

namespace kbench {
namespace {

constexpr size_t kTraceBytesMax = size_t{2} << 30;
// gRPC takes messages of up to 4 MiB.
constexpr size_t kCommandBytesMax = (size_t{4} << 20) - 1024;

control::ObserveCommand::Collect Wanted(const std::vector<result::RunResult>& results) {
  std::map<int64_t, control::ObserveCommand::Request> by_connection;
  for (const result::RunResult& result : results) {
    for (const result::OpSample& sample : result.samples()) {
      by_connection[sample.connection_id()].add_sequences(sample.sequence());
    }
  }
  control::ObserveCommand::Collect collect;
  for (auto& [connection, request] : by_connection) {
    request.set_connection_id(connection);
    *collect.add_wanted() = std::move(request);
  }
  return collect;
}

}  // namespace

ServerObservation::ServerObservation(const ServerObserver& observer, const ObserverLimits& limits,
                                     Nanos run_time, const Interrupts* interrupts)
    : observer_(observer), limits_(limits), interrupts_(interrupts) {
  trace_.set_place(result::WireTrace::SERVER);
  trace_.set_host(observer.link->address());
  if (!observer.unreadable.empty()) {
    Abandon(observer.unreadable);
  } else {
    dialogue_ = observer.link->StartObserve(run_time + limits.begin + limits.clock + limits.window +
                                            limits.collect);
  }
}

ServerObservation::~ServerObservation() = default;

void ServerObservation::Abandon(absl::string_view why) {
  dialogue_.reset();
  trace_.set_available(false);
  if (trace_.reason().empty()) trace_.set_reason(std::string(why));
}

void ServerObservation::Step(absl::string_view what, Nanos timeout,
                             const std::function<absl::Status()>& step) {
  if (dialogue_ == nullptr) return;
  const absl::Status status =
      RunBounded(absl::StrCat("observer ", observer_.link->address(), ": ", what), timeout,
                 interrupts_, step, [this] { dialogue_->Cancel(); });
  if (!status.ok()) Abandon(status.message());
}

void ServerObservation::Begin(const std::string& owner) {
  Step("its begin", limits_.begin, [&]() -> absl::Status {
    control::ObserveCommand command;
    command.mutable_begin()->set_port(observer_.port);
    command.mutable_begin()->set_owner(owner);
    *command.mutable_begin()->mutable_controller() = ControllerVersion();
    RETURN_IF_ERROR(dialogue_->Send(command));
    control::ObserveEvent event;
    RETURN_IF_ERROR(dialogue_->Receive(&event));
    if (!event.has_observing()) {
      return absl::DataLossError(
          absl::StrCat("agent ", observer_.link->address(), " did not say that it observes"));
    }
    if (!event.observing().host().empty()) trace_.set_host(event.observing().host());
    return absl::OkStatus();
  });
}

void ServerObservation::MeasureClock(int pings) {
  if (dialogue_ == nullptr) return;
  const absl::StatusOr<AgentClockMap> clock = observer_.link->MeasureClock(pings, limits_.clock);
  if (!clock.ok()) return Abandon(clock.status().message());
  clock_ = *clock;
}

void ServerObservation::SetWindow(MonoTime from, MonoTime until) {
  Step("its window", limits_.window, [&]() -> absl::Status {
    control::ObserveCommand command;
    command.mutable_window()->set_from(clock_.ToAgent(from).ns());
    command.mutable_window()->set_until(clock_.ToAgent(until).ns());
    return dialogue_->Send(command);
  });
}

void ServerObservation::Collect(const std::vector<result::RunResult>& results) {
  if (dialogue_ == nullptr) return;
  control::ObserveCommand command;
  *command.mutable_collect() = Wanted(results);
  if (command.ByteSizeLong() > kCommandBytesMax) {
    return Abandon(
        absl::StrCat("the agents' samples are more than one question to the observer "
                     "can name (",
                     command.ByteSizeLong(), " bytes of 4 MiB); lower probes.samples_max"));
  }
  result::WireTrace trace;
  Step("its trace", limits_.collect, [&]() -> absl::Status {
    RETURN_IF_ERROR(dialogue_->Send(command));
    return Receive(&trace);
  });
  if (dialogue_ == nullptr) return;
  if (trace.host().empty()) trace.set_host(trace_.host());
  trace.set_place(result::WireTrace::SERVER);
  trace_ = std::move(trace);
  dialogue_.reset();
}

absl::Status ServerObservation::Receive(result::WireTrace* trace) {
  const std::string& address = observer_.link->address();
  std::string bytes;
  control::ObserveEvent event;
  while (!event.trace().last()) {
    RETURN_IF_ERROR(dialogue_->Receive(&event));
    if (!event.has_trace()) {
      return absl::DataLossError(absl::StrCat("agent ", address, " sent something else than its ",
                                              "trace; is it a kbench-agent of this version?"));
    }
    if (bytes.size() + event.trace().data().size() > kTraceBytesMax) {
      return absl::DataLossError(absl::StrCat("agent ", address, " sent a trace above 2 GiB"));
    }
    bytes += event.trace().data();
  }
  if (trace->ParseFromString(bytes)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("agent ", address, " sent a trace that cannot be read"));
}

}  // namespace kbench
