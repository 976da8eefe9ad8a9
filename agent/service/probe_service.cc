#include "agent/service/probe_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/service/caller_service.h"
#include "agent/service/result_proto.h"
#include "base/status_macros.h"
#include "base/tls.h"

namespace kbench {
namespace {

using result::NetworkBaseline;

absl::Status BadField(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("probe: ", field, ": ", what));
}

absl::Status CheckNanos(absl::string_view field, int64_t ns, int64_t least, Nanos most) {
  if (ns >= least && ns <= most.count()) return absl::OkStatus();
  return BadField(field, absl::StrCat(ns, " is not between ", least, " and ", most.count()));
}

absl::Status TakeServer(const control::ProbeRequest& request, PathProbe* probe) {
  probe->kind = PathProbe::Kind::kServer;
  probe->identity = request.identity();
  probe->hmac_key = request.hmac_key();
  if (probe->hmac_key.empty()) return BadField("hmac_key", "is empty");
  if (!request.tls()) return absl::OkStatus();
  probe->tls = TlsOptions{.ca_pem = request.tls_ca(), .server_name = probe->target.host};
  const absl::Status authorities = TlsContext::ClientOfPem(request.tls_ca()).status();
  return authorities.ok() ? authorities : BadField("tls_ca", authorities.message());
}

}  // namespace

absl::StatusOr<PathProbe> FromProto(const control::ProbeRequest& request) {
  PathProbe probe;
  const absl::StatusOr<HostPort> target = ParseHostPort(request.target());
  if (!target.ok()) return BadField("target", target.status().message());
  if (target->port == 0) return BadField("target", "port 0 is no port to connect to");
  probe.target = *target;
  if (request.echoes() > PathProbe::kMostEchoes) {
    return BadField("echoes", absl::StrCat(request.echoes(), " is above ", PathProbe::kMostEchoes));
  }
  probe.echoes = request.echoes();
  RETURN_IF_ERROR(CheckNanos("bulk_ns", request.bulk_ns(), 0, PathProbe::kMostBulk));
  RETURN_IF_ERROR(CheckNanos("timeout_ns", request.timeout_ns(), 1, PathProbe::kMostTime));
  probe.bulk = Nanos(request.bulk_ns());
  probe.timeout = Nanos(request.timeout_ns());
  if (!request.tls() && !request.tls_ca().empty()) {
    return BadField("tls_ca", "is of no use without tls");
  }
  switch (request.kind()) {
    case NetworkBaseline::AGENT:
      if (request.tls()) return BadField("tls", "an echo port does not speak it");
      return probe;
    case NetworkBaseline::SERVER:
      RETURN_IF_ERROR(TakeServer(request, &probe));
      return probe;
    default:
      return BadField("kind", "is neither AGENT nor SERVER");
  }
}

ProbeCall* ProbeCall::Start(AgentService* service, const grpc::ServerContextBase& context,
                            const control::ProbeRequest* request, NetworkBaseline* reply) {
  auto* call = new ProbeCall(service);
  MutexLock lock(&call->mutex_);
  const grpc::Status allowed = RequireRole(context, CallerRole::kController);
  call->thread_ = std::thread([call, allowed, request, reply] {
    { MutexLock stored(&call->mutex_); }
    // Nothing of it may be touched from here on.
    call->Finish(allowed.ok() ? call->Measure(*request, reply) : allowed);
  });
  return call;
}

grpc::Status ProbeCall::Measure(const control::ProbeRequest& request, NetworkBaseline* reply) {
  absl::StatusOr<PathProbe> probe = FromProto(request);
  if (!probe.ok()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, std::string(probe.status().message())};
  }
  if (const absl::Status held = HoldTarget(service_->caps(), &probe->target); !held.ok()) {
    return {static_cast<grpc::StatusCode>(held.code()), std::string(held.message())};
  }
  const AgentService::Turn turn = service_->TakeTurn(AgentService::Side::kProbe);
  if (!turn.granted()) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED,
            "this agent measures as many paths as it may at a time; wait for one to end"};
  }
  probe->cancelled = &cancelled_;
  const absl::StatusOr<PathBaseline> baseline = ProbePath(*probe);
  if (!baseline.ok()) {
    // absl's codes are grpc's.
    return {static_cast<grpc::StatusCode>(baseline.status().code()),
            PrintableText(baseline.status().message())};
  }
  reply->set_from(service_->address());
  reply->set_to(request.target());
  reply->set_kind(request.kind());
  reply->set_echoes(baseline->echoes);
  reply->set_echo_floor_ns(baseline->echo_floor.count());
  reply->set_echo_p50_ns(baseline->echo_p50.count());
  reply->set_echo_p99_ns(baseline->echo_p99.count());
  reply->set_min_rtt_ns(baseline->min_rtt.count());
  reply->set_connect_ns(baseline->connect.count());
  reply->set_sent_bytes_per_s(baseline->sent_bytes_per_s);
  reply->set_received_bytes_per_s(baseline->received_bytes_per_s);
  reply->set_reason(PrintableText(baseline->reason));
  return grpc::Status::OK;
}

}  // namespace kbench
