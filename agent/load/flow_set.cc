#include "agent/load/flow_set.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/load/flow_tender.h"
#include "agent/load/server_limits.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr std::chrono::milliseconds kAskEvery(10);

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

TransportOptions OptionsOf(const RunSpec& spec, const FlowSet::Shape& shape,
                           const std::atomic<bool>* cancelled) {
  const uint32_t flows = static_cast<uint32_t>(shape.flows.size());
  const uint32_t parts = shape.measured ? spec.batch_parts() : 0;
  // One flow in a closed loop has nothing to do but wait for its answer: the classic client.
  const bool open = shape.measured && spec.open.has_value();
  const bool plain = flows == 1 && !open && spec.poll == PollMode::kBlock;
  TransportOptions options = {.flows_max = flows,
                              .frames_max = flows * SlotTable::SizeFor(shape.depth) * (parts + 1),
                              .poll = spec.poll,
                              .tls = spec.tls,
                              .deadline_slack = plain ? Pump::kTick : Nanos(),
                              .cancelled = cancelled,
                              .max_bytes_per_call = spec.max_bytes_per_call,
                              .null_value_bytes = spec.value_bytes,
                              .null_hmac_key = spec.hmac_key};
  if (!shape.measured) return options;
  options.flush = spec.flush;
  options.kernel_stamps = spec.sample_every > 0;
  options.send_buffer_bytes = spec.send_buffer_bytes;
  options.receive_buffer_bytes = spec.receive_buffer_bytes;
  options.congestion_control = spec.congestion_control;
  options.leave_stamps = spec.leave_stamps;
  return options;
}

}  // namespace

std::string FirstError(const Recorder& recorder) {
  for (const OpStats& stats : recorder.ops()) {
    if (!stats.first_errors.empty() && !stats.first_errors[0].empty()) return stats.first_errors[0];
  }
  return "no reason was given";
}

std::string FlowSet::ServerName() const { return absl::StrCat("server ", spec_.server.ToString()); }

absl::Status FlowSet::Open(const Shape& shape) {
  RETURN_IF_ERROR(Connect(shape));
  return AwaitGreetings();
}

absl::Status FlowSet::OpenInstead(const Shape& shape) {
  const MonoTime deadline = MonoNow() + spec_.connect_timeout;
  while (true) {
    const absl::Status opened = Open(shape);
    const bool refused = absl::IsUnavailable(opened) || absl::IsPermissionDenied(opened);
    if (!refused || MonoNow() >= deadline || options_.control->stopped()) return opened;
    transport_.reset();  // it writes into the sessions
    pump_.reset();
    sessions_.clear();
    std::this_thread::sleep_for(kAskEvery);
  }
}

Session::Options FlowSet::OfSession(const Shape& shape, uint32_t number, FlowId flow) const {
  const uint64_t seed = SessionSeed(spec_.seed, spec_.agent_index, number);
  Session::Options options = {
      .flow = flow,
      .depth_max = shape.depth,
      .op_timeout = spec_.op_timeout,
      .value_bytes = spec_.value_bytes,
      .requests = {.identity = spec_.identity,
                   .synchronization = spec_.synchronization,
                   .tag = spec_.tag,
                   .keys = KeyGenerator(spec_.key_seed, spec_.agent_index, spec_.key_bytes,
                                        NumberOf(spec_.run_id)),
                   .range_keys = spec_.range_keys,
                   .key_count = spec_.keys,
                   .batch_ops = spec_.batch_ops,
                   .flow = number,
                   .key = options_.key,
                   .values = options_.values}};
  options.exact = shape.exact;
  options.verify = shape.exact || (shape.measured && spec_.verify);
  if (!shape.measured) return options;
  options.sample_every = spec_.sample_every;
  options.sample_seed = Mix64(seed);
  options.batch_parts = spec_.batch_parts();
  return options;
}

absl::Status FlowSet::Connect(const Shape& shape) {
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      MakeTransport(spec_.transport, OptionsOf(spec_, shape, &options_.control->stopped()));
  // This machine refuses, not the server: the run asks for what cannot be here.
  if (!transport.ok()) return absl::InvalidArgumentError(transport.status().message());
  transport_ = *std::move(transport);
  for (uint32_t number : shape.flows) {
    if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
    absl::StatusOr<FlowId> flow = transport_->Connect(options_.server, spec_.connect_timeout);
    if (!flow.ok()) return Annotate(flow.status(), ServerName());
    sessions_.push_back(
        std::make_unique<Session>(OfSession(shape, number, *flow), transport_.get()));
  }
  pump_ = std::make_unique<Pump>(Pump::Options{.poll = spec_.poll}, transport_.get(), &sessions_);
  return absl::OkStatus();
}

absl::Status FlowSet::AwaitGreetings() {
  pump_->AwaitHandshakes(MonoNow() + spec_.connect_timeout, options_.control->stopped());
  if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
  for (const auto& session : sessions_) {
    const SessionFindings& findings = session->findings();
    if (session->ready() || findings.unsolicited == 0) continue;
    return absl::PermissionDeniedError(
        absl::StrCat(ServerName(), " refused the connection: ", findings.unsolicited_text));
  }
  for (const auto& session : sessions_) {
    if (session->ready()) continue;
    const std::string accepted =
        absl::StrCat(ServerName(), " accepted the connection but sent no Kinetic handshake");
    if (session->closed()) {
      return absl::UnavailableError(absl::StrCat(accepted, ": ", session->closed_text()));
    }
    return absl::DeadlineExceededError(absl::StrCat(
        accepted, " within ", FormatDuration(spec_.connect_timeout), " (is it a Kinetic server?)"));
  }
  return absl::OkStatus();
}

absl::Status FlowSet::Health(absl::string_view when) const {
  const Session* lost = nullptr;
  for (const auto& session : sessions_) {
    const SessionFindings& findings = session->findings();
    const bool refused = findings.unsolicited > 0 && IsRefusal(findings.unsolicited_status);
    if (refused || session->refused()) {
      const bool hmac = findings.unsolicited_status == kinetic::StatusCode::kHmacFailure;
      return absl::PermissionDeniedError(
          absl::StrCat(ServerName(), " refused us: ", findings.unsolicited_text,
                       hmac ? absl::StrCat("; does the server know identity ", spec_.identity,
                                           ", and is its HMAC key right?")
                            : TagRemedy(spec_, findings.unsolicited_text)));
    }
    if (lost == nullptr && session->closed()) lost = session.get();
  }
  if (lost != nullptr) {
    return absl::AbortedError(
        absl::StrCat(FlowName(spec_, *lost), ", during ", when, ": ", lost->closed_text()));
  }
  if (options_.control->stopped()) return absl::CancelledError(options_.control->reason());
  return absl::OkStatus();
}

absl::Status FlowSet::Prove() {
  Recorder recorder(Recorder::Options{.ops = 1});
  OpStream noops({.ops = {{.kind = OpKind::kNoop}}});
  for (const auto& session : sessions_) {
    session->Begin({.ops = &noops,
                    .max_ops = 1,
                    .again_until = MonoNow() + spec_.connect_timeout,
                    .recorder = &recorder});
  }
  // A flow that goes away now ends nothing yet: the reason is found below.
  pump_->Run({.end_ns = &options_.control->end_ns(), .recorder = &recorder});
  RETURN_IF_ERROR(Health("its first NOOP"));
  const Counts counts = recorder.totals();
  if (counts.failed > 0) {
    std::string hint;
    for (const auto& session : sessions_) {
      if (hint.empty()) hint = HintFor(spec_, recorder.ops()[0], *session);
    }
    return absl::PermissionDeniedError(absl::StrCat(ServerName(), " refused a NOOP of identity ",
                                                    spec_.identity, " with ", FirstError(recorder),
                                                    hint));
  }
  if (counts.lost > 0) {
    return absl::DeadlineExceededError(absl::StrCat(ServerName(), " did not answer a NOOP within ",
                                                    FormatDuration(spec_.op_timeout)));
  }
  return absl::OkStatus();
}

void FlowSet::TellLost() {
  const Session* lost = nullptr;
  for (const auto& session : sessions_) {
    if (!session->closed() || (lost != nullptr && !session->refused())) continue;
    lost = session.get();
    if (lost->refused()) break;
  }
  if (lost == nullptr) return;
  const std::string& why = lost->closed_text();
  options_.control->Stop(WhyGone(*lost),
                         absl::StrCat(FlowName(spec_, *lost), ": ", why, TagRemedy(spec_, why)));
}

}  // namespace kbench
