#include "controller/fleet/path_probe.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "controller/fleet/bounded.h"

namespace kbench {
namespace {

// Enough to know how long the others will take.
constexpr uint32_t kFirstEchoes = 20;

MeasuredPath Named(const std::string& from, const std::string& to,
                   result::NetworkBaseline::Kind kind, result::NetworkBaseline baseline,
                   absl::Status status) {
  baseline.set_from(from);
  baseline.set_to(to);
  baseline.set_kind(kind);
  if (!status.ok() && baseline.reason().empty()) {
    baseline.set_reason(std::string(status.message()));
  }
  // The code for an unreachable target is that of a Kinetic server.
  if (absl::IsUnavailable(status) && kind == result::NetworkBaseline::AGENT) {
    status = absl::DataLossError(status.message());
  }
  if (status.ok() && !baseline.reason().empty()) {
    const std::string text = absl::StrCat("from agent ", from, " to ", to, ": ", baseline.reason());
    const bool server_is_gone = kind == result::NetworkBaseline::SERVER && baseline.echoes() == 0;
    status = server_is_gone ? absl::UnavailableError(text) : absl::DataLossError(text);
  }
  return {.baseline = std::move(baseline), .status = std::move(status)};
}

}  // namespace

MeasuredPath PathProber::ToServer(AgentLink* from, const KineticServer& server) const {
  control::ProbeRequest request;
  request.set_target(server.address);
  request.set_kind(result::NetworkBaseline::SERVER);
  request.set_identity(server.identity);
  request.set_hmac_key(server.hmac_key);
  request.set_tls(server.tls);
  request.set_tls_ca(server.tls_ca);
  result::NetworkBaseline baseline;
  absl::Status status = Measure(from, std::move(request), &baseline);
  return Named(from->address(), server.address, result::NetworkBaseline::SERVER,
               std::move(baseline), std::move(status));
}

MeasuredPath PathProber::ToAgent(AgentLink* from, AgentLink* to) const {
  const auto measure = [&](result::NetworkBaseline* baseline) -> absl::Status {
    ASSIGN_OR_RETURN(HostPort target, ParseHostPort(to->address()));
    const std::unique_ptr<EchoDialogue> echo =
        to->StartEcho(options_.echo_time * 2 + options_.bulk * 2 + options_.patience * 8);
    control::EchoEvent event;
    const auto open = [&]() -> absl::Status {
      RETURN_IF_ERROR(echo->Send(control::EchoCommand()));
      return echo->Receive(&event);
    };
    RETURN_IF_ERROR(RunBounded(absl::StrCat("opening the echo port of agent ", to->address()),
                               options_.patience, interrupts_, open, [&] { echo->Cancel(); }));
    if (event.port() == 0 || event.port() > UINT16_MAX) {
      return absl::DataLossError(absl::StrCat("agent ", to->address(), " gave ", event.port(),
                                              " as the number of its echo port"));
    }
    target.port = static_cast<uint16_t>(event.port());
    control::ProbeRequest request;
    request.set_target(target.ToString());
    request.set_kind(result::NetworkBaseline::AGENT);
    request.set_bulk_ns(options_.bulk.count());
    return Measure(from, std::move(request), baseline);
  };
  result::NetworkBaseline baseline;
  absl::Status status = measure(&baseline);
  return Named(from->address(), to->address(), result::NetworkBaseline::AGENT, std::move(baseline),
               std::move(status));
}

absl::Status PathProber::Measure(AgentLink* from, control::ProbeRequest request,
                                 result::NetworkBaseline* baseline) const {
  control::ProbeRequest echoes = request;
  echoes.set_bulk_ns(0);
  echoes.set_echoes(std::min(kFirstEchoes, options_.echoes_max));
  const MonoTime before = MonoNow();
  RETURN_IF_ERROR(Ask(from, echoes, baseline));
  if (!baseline->reason().empty()) return absl::OkStatus();
  // On a busy machine the time that all took says more than what half of them took at most.
  const int64_t each = std::max(
      {(MonoNow() - before).count() / echoes.echoes(), baseline->echo_p50_ns(), int64_t{1}});
  echoes.set_echoes(static_cast<uint32_t>(std::clamp<int64_t>(
      options_.echo_time.count() / each, echoes.echoes(), options_.echoes_max)));
  RETURN_IF_ERROR(Ask(from, echoes, baseline));
  return request.bulk_ns() > 0 ? MeasureBulk(from, request, baseline) : absl::OkStatus();
}

// By itself, so that echoes that take longer than thought do not cost it.
absl::Status PathProber::MeasureBulk(AgentLink* from, const control::ProbeRequest& request,
                                     result::NetworkBaseline* baseline) const {
  result::NetworkBaseline bulk;
  RETURN_IF_ERROR(Ask(from, request, &bulk));
  baseline->set_sent_bytes_per_s(bulk.sent_bytes_per_s());
  baseline->set_received_bytes_per_s(bulk.received_bytes_per_s());
  const char* const both = baseline->reason().empty() || bulk.reason().empty() ? "" : "; ";
  baseline->set_reason(absl::StrCat(baseline->reason(), both, bulk.reason()));
  return absl::OkStatus();
}

absl::Status PathProber::Ask(AgentLink* from, const control::ProbeRequest& request,
                             result::NetworkBaseline* baseline) const {
  // The agent gives up first, and says what it has.
  const Nanos agents = options_.echo_time + Nanos(request.bulk_ns()) * 2 + options_.patience;
  control::ProbeRequest timed = request;
  timed.set_timeout_ns(agents.count());
  const Nanos ours = agents + options_.patience;
  grpc::ClientContext context;
  return RunBounded(
      absl::StrCat("the probe from agent ", from->address(), " to ", request.target()), ours,
      interrupts_,
      [&]() -> absl::Status {
        ASSIGN_OR_RETURN(*baseline, from->Probe(timed, ours * 2, &context));
        return absl::OkStatus();
      },
      [&] { context.TryCancel(); });
}

}  // namespace kbench
