#include "controller/path_probe.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/status_macros.h"
#include "controller/bounded.h"

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
  if (status.ok() && !baseline.reason().empty()) {
    const std::string text = absl::StrCat("from agent ", from, " to ", to, ": ", baseline.reason());
    const bool server_is_gone = kind == result::NetworkBaseline::SERVER && baseline.echoes() == 0;
    status = server_is_gone ? absl::UnavailableError(text) : absl::DataLossError(text);
  }
  return {.baseline = std::move(baseline), .status = std::move(status)};
}

}  // namespace

MeasuredPath PathProbe::ToServer(AgentLink* from, const KineticServer& server) const {
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

MeasuredPath PathProbe::ToAgent(AgentLink* from, AgentLink* to) const {
  const auto measure = [&](result::NetworkBaseline* baseline) -> absl::Status {
    ASSIGN_OR_RETURN(HostPort target, ParseHostPort(to->address()));
    const std::unique_ptr<EchoDialogue> echo =
        to->StartEcho(options_.echo_time * 2 + options_.bulk * 2 + options_.patience * 4);
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

absl::Status PathProbe::Measure(AgentLink* from, control::ProbeRequest request,
                                result::NetworkBaseline* baseline) const {
  const int64_t bulk = request.bulk_ns();
  request.set_echoes(std::min(kFirstEchoes, options_.echoes_max));
  request.set_bulk_ns(0);
  RETURN_IF_ERROR(Ask(from, request, baseline));
  if (!baseline->reason().empty()) return absl::OkStatus();
  const int64_t each = std::max<int64_t>(baseline->echo_p50_ns(), 1);
  const int64_t fit = options_.echo_time.count() / each;
  request.set_echoes(
      static_cast<uint32_t>(std::clamp<int64_t>(fit, request.echoes(), options_.echoes_max)));
  request.set_bulk_ns(bulk);
  return Ask(from, request, baseline);
}

absl::Status PathProbe::Ask(AgentLink* from, const control::ProbeRequest& request,
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
