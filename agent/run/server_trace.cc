#include "agent/run/server_trace.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/tls.h"
#include "base/units.h"
#include "client/client.h"
#include "client/requests.h"

namespace kbench {
namespace {

// The controller waits longer than this for a result (PhaseLimits::measure).
constexpr Nanos kLongestFetch = Seconds(20);

// One page: the records of a connection from a sequence number on.
absl::StatusOr<kinetic::ResidenceLog> FetchPage(client::Client* server, int64_t connection_id,
                                                uint64_t from_sequence) {
  const std::string name =
      absl::StrCat(kinetic::kResidenceLogPrefix, connection_id, "/", from_sequence);
  ASSIGN_OR_RETURN(const client::Reply reply, server->Call(client::DeviceLogRequest(name)));
  if (reply.status == kinetic::StatusCode::kNotFound ||
      reply.status == kinetic::StatusCode::kInvalidRequest) {
    return absl::NotFoundError(
        absl::StrCat("the server keeps no residence records (it answered ", reply.Describe(), ")"));
  }
  if (reply.status != kinetic::StatusCode::kSuccess) {
    return absl::UnavailableError(
        absl::StrCat("the server answered the request for its records with ", reply.Describe()));
  }
  return kinetic::DecodeResidenceLog(AsBytes(reply.value));
}

absl::Status FetchConnection(client::Client* server, int64_t connection_id,
                             const std::vector<uint64_t>& wanted, MonoTime deadline,
                             ServerTrace* trace) {
  uint64_t from = wanted.front();
  bool first = true;
  while (from <= wanted.back()) {
    if (MonoNow() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          "fetching the server's records took longer than ", FormatDuration(kLongestFetch),
          "; measure for a shorter time, or sample fewer requests"));
    }
    ASSIGN_OR_RETURN(const kinetic::ResidenceLog log, FetchPage(server, connection_id, from));
    if (first) trace->overwritten += log.overwritten;
    first = false;
    trace->clock_step = std::max(trace->clock_step, log.clock_step);
    trace->service_spec = log.service_spec;
    for (const kinetic::Residence& residence : log.records) {
      if (std::binary_search(wanted.begin(), wanted.end(), residence.sequence)) {
        trace->records.push_back({connection_id, residence});
      }
    }
    if (log.records.empty() || log.records.back().sequence < from) break;
    from = log.records.back().sequence + 1;
  }
  return absl::OkStatus();
}

absl::Status Fetch(const TraceRequest& request, const std::vector<OpRecord>& samples,
                   ServerTrace* trace) {
  std::map<int64_t, std::vector<uint64_t>> wanted;
  for (const OpRecord& sample : samples) {
    wanted[sample.connection_id].push_back(sample.sequence);
  }
  std::optional<TlsContext> context;
  if (request.tls.has_value()) {
    ASSIGN_OR_RETURN(context, TlsContext::ClientOfPem(request.tls->ca_pem));
  }
  ASSIGN_OR_RETURN(
      const std::unique_ptr<client::Client> server,
      client::Client::Connect(
          {.server = request.server,
           .server_name = context.has_value() ? request.tls->server_name : std::string(),
           .tls = context.has_value() ? &*context : nullptr,
           .identity = request.identity,
           .hmac_key = request.hmac_key,
           .timeout = request.timeout}));
  const MonoTime deadline = MonoNow() + kLongestFetch;
  for (auto& [connection_id, sequences] : wanted) {
    std::sort(sequences.begin(), sequences.end());
    RETURN_IF_ERROR(FetchConnection(server.get(), connection_id, sequences, deadline, trace));
  }
  return absl::OkStatus();
}

}  // namespace

ServerTrace FetchServerTrace(const TraceRequest& request, const std::vector<OpRecord>& samples) {
  ServerTrace trace;
  if (samples.empty()) {
    trace.reason = "no request was sampled";
    return trace;
  }
  const absl::Status status = Fetch(request, samples, &trace);
  trace.available = status.ok();
  if (!status.ok()) {
    trace.reason = std::string(status.message());
    trace.records.clear();
  }
  return trace;
}

}  // namespace kbench
