#include "agent/service/run_stream.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/service/agent_service.h"
#include "agent/service/result_proto.h"
#include "agent/service/run_proto.h"
#include "base/digest.h"
#include "base/units.h"

namespace kbench {
namespace {

// One write per line: lines of two threads do not mix.
void Log(absl::string_view run_id, absl::string_view what) {
  std::cerr << absl::StrCat("kbench-agent: run ", run_id, ": ", what, "\n") << std::flush;
}

control::Loaded ToProto(const LoadOutcome& from) {
  control::Loaded to;
  to.set_keys(from.keys);
  to.set_took_ns(from.took.count());
  to.set_reused(from.keys - from.written);
  to.set_looked(from.looked);
  to.set_missing(PrintableText(from.missing));
  return to;
}

control::Failed Failure(control::Failed::Kind kind, std::string text) {
  control::Failed failed;
  failed.set_kind(kind);
  failed.set_text(std::move(text));
  return failed;
}

}  // namespace

RunStream* RunStream::Start(AgentService* service, const grpc::ServerContextBase& context) {
  auto* stream = new RunStream(service, context);
  stream->Begin();
  return stream;
}

void RunStream::Arrived(const control::RunCommand& command) {
  if (!command.has_stop()) return;
  StopRunner(command.stop().reason().empty() ? "the controller asked to stop"
                                             : command.stop().reason());
}

void RunStream::Leave() {
  std::unique_ptr<Runner> runner;
  {
    MutexLock lock(&mutex_);
    runner = std::move(runner_);
  }
  if (runner != nullptr) service_->GiveBack(runner.get());
}

grpc::Status RunStream::Converse() {
  std::optional<control::RunCommand> command = NextCommand();
  if (!command.has_value()) return grpc::Status::OK;
  if (!command->has_prepare()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "the first command of a run is Prepare"};
  }
  grpc::Status status = CheckVersion(command->prepare().controller());
  if (status.ok()) status = Prepare(command->prepare());
  if (!status.ok() || runner_ == nullptr) return status;

  while ((command = NextCommand()).has_value()) {
    if (command->has_load()) {
      const absl::StatusOr<LoadOutcome> loaded = runner_->Load(Nanos(command->load().most_ns()));
      if (!loaded.ok()) {
        Log(runner_->spec().run_id, loaded.status().message());
        SendFailed(ToProto(loaded.status()));
        return grpc::Status::OK;
      }
      control::RunEvent event;
      *event.mutable_loaded() = ToProto(*loaded);
      if (!Send(event)) return grpc::Status::OK;
    } else if (command->has_start()) {
      Measure(MonoTime(command->start().at()));
      return grpc::Status::OK;
    } else if (command->has_stop()) {
      // Stopped before the start: the result says so, and that nothing was measured.
      Measure(MonoNow());
      return grpc::Status::OK;
    } else {
      return {grpc::StatusCode::INVALID_ARGUMENT, "after Prepared comes Load, Start or Stop"};
    }
  }
  return grpc::Status::OK;
}

grpc::Status RunStream::Prepare(const control::Prepare& prepare) {
  control::RunSpec wire;
  if (!wire.ParseFromString(prepare.spec())) {
    SendFailed(Failure(control::Failed::BAD_SPEC, "run spec: these bytes are no RunSpec"));
    return grpc::Status::OK;
  }
  // Controllers up to protocol 1.1 have it in the spec.
  if (!prepare.hmac_key().empty()) wire.set_hmac_key(prepare.hmac_key());
  absl::StatusOr<RunSpec> spec = FromProto(wire);
  if (!spec.ok()) {
    SendFailed(ToProto(spec.status()));
    return grpc::Status::OK;
  }
  const absl::Status held = Hold(service_->caps(), &*spec);
  if (!held.ok()) {
    Log(spec->run_id, absl::StrCat(Named(prepare.owner()), ": ", held.message()));
    SendFailed(Failure(control::Failed::BAD_SPEC, std::string(held.message())));
    return grpc::Status::OK;
  }
  auto runner = std::make_unique<Runner>(*spec);
  const absl::Status claimed =
      service_->Claim(runner.get(), spec->run_id, Named(prepare.owner()),
                      [this](const std::string& reason) { StopWaiting(reason); });
  if (!claimed.ok()) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, std::string(claimed.message())};
  }
  {
    MutexLock lock(&mutex_);
    runner_ = std::move(runner);
    if (!stopped_.empty()) runner_->Stop(stopped_);
  }
  Log(spec->run_id,
      absl::StrCat("preparing for ", Named(prepare.owner()), ": ", spec->flows, " flows to ",
                   spec->server.ToString(), " over ",
                   spec->client ? absl::StrCat("the client program ", spec->client->path)
                                : std::string(Name(spec->transport))));
  spec_sha256_ = Sha256Hex(prepare.spec());
  const absl::Status prepared = runner_->Prepare();
  if (!prepared.ok()) {
    Log(spec->run_id, prepared.message());
    SendFailed(ToProto(prepared));
    service_->GiveBack(
        runner_.get());  // before the lock: whoever stops us holds the service's first
    MutexLock lock(&mutex_);
    runner_.reset();
    return grpc::Status::OK;
  }
  control::RunEvent event;
  event.mutable_prepared()->set_spec_sha256(spec_sha256_);
  event.mutable_prepared()->set_flows(spec->flows);
  Send(event);
  return grpc::Status::OK;
}

bool RunStream::Measure(MonoTime at) {
  const absl::StatusOr<RunOutcome> outcome = runner_->Run(at, [this](const Interval& interval) {
    control::RunEvent event;
    *event.mutable_interval() = ToProto(interval);
    Send(event);
  });
  if (!outcome.ok()) {
    Log(runner_->spec().run_id, outcome.status().message());
    SendFailed(ToProto(outcome.status()));
    return false;
  }
  const Counts counts = outcome->totals();
  Log(runner_->spec().run_id,
      absl::StrCat(
          outcome->aborted ? "aborted: " + outcome->abort_reason + ": " : "done: ", counts.answered,
          " of ", counts.due, " answered in ", FormatDuration(outcome->measured)));
  return SendResult(*outcome);
}

bool RunStream::SendResult(const RunOutcome& outcome) {
  const result::RunResult result = ToProto(
      runner_->spec(), outcome, {.agent = service_->address(), .spec_sha256 = spec_sha256_});
  const std::string bytes = result.SerializeAsString();
  if (ResultShelf* shelf = service_->shelf(); shelf != nullptr) {
    const absl::Status kept = shelf->Put(result.run_id(), bytes);
    if (!kept.ok()) {
      Log(result.run_id(),
          absl::StrCat("its result goes to the controller alone: ", kept.message()));
    }
  }
  return SendInChunks(bytes, [](control::RunEvent* event) { return event->mutable_result(); });
}

bool RunStream::SendFailed(const control::Failed& failed) {
  control::RunEvent event;
  *event.mutable_failed() = failed;
  return Send(event);
}

void RunStream::StopRunner(const std::string& reason) {
  MutexLock lock(&mutex_);
  if (runner_ != nullptr) {
    runner_->Stop(reason);
  } else if (stopped_.empty()) {
    stopped_ = reason;
  }
}

void RunStream::StopWaiting(const std::string& reason) {
  StopRunner(reason);
  control::RunCommand stop;
  stop.mutable_stop()->set_reason(reason);
  Inject(std::move(stop));
}

}  // namespace kbench
