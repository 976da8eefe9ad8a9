#include "analysis/split/boundaries.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/evidence/run_summary.h"

namespace kbench::analysis {
namespace {

using result::OpSample;

// Of ServerTrace.Record.flags (kinetic::Residence::Flags, docs/formats.md).
constexpr uint32_t kResidenceKernelReceived = 1;
constexpr uint32_t kResidenceSharedStamp = 2;

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string Percent(uint64_t part, uint64_t whole) {
  return absl::StrFormat("%.1f %%", 100 * Share(part, whole));
}

void Say(absl::string_view code, absl::string_view text, std::vector<result::Caveat>* caveats) {
  caveats->push_back(MakeCaveat(code, text));
}

bool InPopulation(const Joined& j, bool probed_only) {
  return j.sample->answered() && (j.sample->probed() || !probed_only);
}

// What the probed and answered samples say about their evidence.
struct Quality {
  uint64_t samples = 0;
  uint64_t no_send = 0, merged_send = 0, multi_segment = 0;
  uint64_t no_receive = 0, shared_receive = 0;
  uint64_t send_untrusted = 0, receive_untrusted = 0;
  uint64_t matched = 0, shared_residence = 0, user_residence = 0;
  uint64_t client_packets = 0, server_packets = 0;
};

Quality Assess(const std::vector<Joined>& samples) {
  Quality q;
  const bool probed_only = AnyProbed(samples);
  for (const Joined& j : samples) {
    if (!InPopulation(j, probed_only)) continue;
    const OpSample& s = *j.sample;
    ++q.samples;
    const bool no_send = s.kernel_sent() == 0;
    const bool merged = s.flags() & OpSample::MERGED_SEND_STAMP;
    const bool multi = s.flags() & OpSample::MULTI_SEGMENT_REQUEST;
    const bool no_receive = s.kernel_received() == 0;
    const bool shared = s.flags() & OpSample::SHARED_RECEIVE_STAMP;
    q.no_send += no_send;
    q.merged_send += merged;
    q.multi_segment += multi;
    q.send_untrusted += no_send || merged || multi;
    q.no_receive += no_receive;
    q.shared_receive += shared;
    q.receive_untrusted += no_receive || shared;
    q.client_packets += j.client_wire != nullptr && HasAllStamps(*j.client_wire);
    q.server_packets += j.server_wire != nullptr && HasAllStamps(*j.server_wire);
    if (j.residence == nullptr) continue;
    ++q.matched;
    q.shared_residence += (j.residence->flags() & kResidenceSharedStamp) != 0;
    q.user_residence += (j.residence->flags() & kResidenceKernelReceived) == 0;
  }
  return q;
}

// What makes an observer's packets unusable, or nothing.
std::optional<std::string> WireFault(const result::WireTrace& trace, uint64_t matched,
                                     uint64_t samples) {
  if (!trace.available()) {
    return trace.reason().empty() ? std::string("no reason given") : trace.reason();
  }
  if (std::abs(trace.clock_step_ns()) > kClockStepMaxNs) {
    return absl::StrFormat("the clock of %s stepped by %.1f us", trace.host(),
                           static_cast<double>(trace.clock_step_ns()) / 1e3);
  }
  if (samples > 0 && Share(matched, samples) < kMatchRateMin) {
    std::string fault = absl::StrFormat(
        "only %d of %d sampled requests (%.2f %%) were seen whole on %s, where the kernel dropped "
        "%d of %d packets and %d times a connection had to be found again",
        matched, samples, 100 * Share(matched, samples), trace.host(), trace.ring_drops(),
        trace.packets() + trace.ring_drops(), trace.resynchronized());
    if (trace.records_lost() > 0) {
      absl::StrAppendFormat(&fault, "; for %d requests there was no room", trace.records_lost());
    }
    return fault;
  }
  return std::nullopt;
}

// An agent that was not asked to watch has a trace without a place.
bool WasAsked(const result::WireTrace& trace) {
  return trace.place() != result::WireTrace::UNKNOWN;
}

bool TrustClientPackets(const RunEvidence& run, const std::string& op,
                        const std::vector<Joined>& samples, std::vector<result::Caveat>* caveats) {
  bool asked = false, trusted = true;
  for (const result::RunResult& agent : run.agents) {
    if (!WasAsked(agent.wire())) {
      trusted = false;
      continue;
    }
    asked = true;
    std::vector<Joined> own;
    std::copy_if(samples.begin(), samples.end(), std::back_inserter(own),
                 [&](const Joined& j) { return j.agent == &agent; });
    const Quality q = Assess(own);
    const auto fault = WireFault(agent.wire(), q.client_packets, q.samples);
    if (!fault) continue;
    trusted = false;
    Say("client_packets_unavailable",
        absl::StrCat(op, ": packets on the host of agent ", agent.agent(),
                     " are not used: ", *fault),
        caveats);
  }
  return asked && trusted;
}

bool TrustServerPackets(const RunEvidence& run, const std::string& op, const Quality& q,
                        std::vector<result::Caveat>* caveats) {
  if (!run.server_wire) return false;
  const auto fault = WireFault(*run.server_wire, q.server_packets, q.samples);
  if (!fault) return true;
  Say("server_packets_unavailable",
      absl::StrCat(op, ": packets on the server's host are not used: ", *fault), caveats);
  return false;
}

// What makes the server's own record unusable for the whole run, or nothing.
std::optional<std::string> ServerTraceFault(const RunEvidence& run) {
  for (const result::RunResult& agent : run.agents) {
    const result::ServerTrace& trace = agent.server_trace();
    if (!trace.available()) {
      return absl::StrCat("the server gave no residence times: ",
                          trace.reason().empty() ? "no reason given" : trace.reason());
    }
    if (std::abs(trace.clock_step_ns()) > kClockStepMaxNs) {
      return absl::StrFormat("the server's clock stepped by %.1f us during the run",
                             static_cast<double>(trace.clock_step_ns()) / 1e3);
    }
  }
  return std::nullopt;
}

// What makes an agent's kernel stamps unusable for the whole run, or nothing.
std::optional<std::string> StampsFault(const result::RunResult& agent) {
  if (std::abs(agent.clock_step_ns()) > kClockStepMaxNs) {
    return absl::StrFormat("the clock of agent %s stepped by %.1f us", agent.agent(),
                           static_cast<double>(agent.clock_step_ns()) / 1e3);
  }
  const bool undrained =
      std::any_of(agent.caveats().begin(), agent.caveats().end(),
                  [](const result::Caveat& c) { return c.code() == "stamps_undrained"; });
  if (undrained) return absl::StrCat("agent ", agent.agent(), " did not get them all in time");
  return std::nullopt;
}

void TrustStamps(const RunEvidence& run, const std::string& op, const Quality& q, Boundaries* b,
                 std::vector<result::Caveat>* caveats) {
  for (const result::RunResult& agent : run.agents) {
    const std::optional<std::string> fault = StampsFault(agent);
    if (!fault) continue;
    b->send = b->receive = false;
    Say("kernel_stamps_void", absl::StrCat(op, ": kernel stamps of the run are not used: ", *fault),
        caveats);
  }
  if (b->send && Share(q.send_untrusted, q.samples) > kUntrustedShareMax) {
    b->send = false;
    Say("send_boundary_unavailable",
        absl::StrCat(op, ": client_send is not separated from network (", q.samples,
                     " probed requests: ", Percent(q.multi_segment, q.samples),
                     " larger than one segment, ", Percent(q.merged_send, q.samples),
                     " with a merged stamp, ", Percent(q.no_send, q.samples), " without one)"),
        caveats);
  }
  if (b->receive && Share(q.receive_untrusted, q.samples) > kUntrustedShareMax) {
    b->receive = false;
    Say("receive_boundary_unavailable",
        absl::StrCat(op, ": client_receive is not separated from network (", q.samples,
                     " probed requests: ", Percent(q.shared_receive, q.samples),
                     " share their receive stamp, ", Percent(q.no_receive, q.samples),
                     " have none)"),
        caveats);
  }
}

void TrustOwnRecord(const RunEvidence& run, const std::string& op, const Quality& q, Boundaries* b,
                    std::vector<result::Caveat>* caveats) {
  std::string fault = ServerTraceFault(run).value_or("");
  if (fault.empty() && Share(q.matched, q.samples) < kMatchRateMin) {
    uint64_t overwritten = 0;
    for (const auto& agent : run.agents) overwritten += agent.server_trace().overwritten();
    fault = absl::StrFormat(
        "%d of %d sampled requests (%.2f %%) are in the server's trace, which overwrote %d records",
        q.matched, q.samples, 100 * Share(q.matched, q.samples), overwritten);
    if (overwritten > 0) {
      absl::StrAppend(&fault,
                      "; start the server with more --residence-records, or measure for a "
                      "shorter time");
    }
  }
  if (fault.empty() && Share(q.shared_residence, q.matched) > kUntrustedShareMax) {
    fault = absl::StrCat(Percent(q.shared_residence, q.matched),
                         " of the server's receive stamps belong to several requests");
  }
  if (!fault.empty()) {
    b->server = false;
    Say("server_split_unavailable",
        absl::StrCat(op, ": server is not separated from network: ", fault), caveats);
  } else if (Share(q.user_residence, q.matched) > kUntrustedShareMax) {
    Say("server_stamp_user",
        absl::StrCat(op, ": for ", Percent(q.user_residence, q.matched),
                     " of the requests the server's residence begins at its receive call's "
                     "return; its wake-up before that is counted as network"),
        caveats);
  }
}

Boundaries TrustedForOne(const RunEvidence& run, const std::string& op, Rungs rungs,
                         std::vector<result::Caveat>* caveats) {
  const Quality q = Assess(JoinSamples(run, op));
  Boundaries b{.rungs = rungs};
  for (const result::RunResult& agent : run.agents) {
    if (!agent.has_client()) continue;
    b.opaque = true;
    b.gap = b.gap && !agent.client().pipelined();
  }
  if (q.samples == 0) return b;  // nothing to cut: no_samples says so
  if (!b.rungs.client_packets) TrustStamps(run, op, q, &b, caveats);
  if (!b.rungs.server_packets) TrustOwnRecord(run, op, q, &b, caveats);
  return b;
}

std::vector<std::string> OpsOf(const RunEvidence& run) {
  std::vector<std::string> ops;
  for (const result::RunResult& agent : run.agents) {
    for (const result::OpResult& op : agent.ops()) {
      if (std::find(ops.begin(), ops.end(), op.op()) == ops.end()) ops.push_back(op.op());
    }
  }
  return ops;
}

}  // namespace

Rungs BestRungs(const RunEvidence& run, const std::string& op,
                std::vector<result::Caveat>* caveats) {
  if (op == "all") {
    Rungs all = {.client_packets = true, .server_packets = true};
    for (const std::string& one : OpsOf(run)) all = all.And(BestRungs(run, one, caveats));
    return all;
  }
  const std::vector<Joined> samples = JoinSamples(run, op);
  return {.client_packets = TrustClientPackets(run, op, samples, caveats),
          .server_packets = TrustServerPackets(run, op, Assess(samples), caveats)};
}

Boundaries TrustedBoundaries(const RunEvidence& run, const std::string& op, Rungs rungs,
                             std::vector<result::Caveat>* caveats) {
  if (op != "all") return TrustedForOne(run, op, rungs, caveats);
  Boundaries all{.rungs = rungs};
  for (const std::string& one : OpsOf(run)) {
    all = all.And(TrustedForOne(run, one, rungs, caveats));
  }
  return all;
}

int64_t OutOf(const Joined& request, Boundaries b) {
  if (!b.send) return request.sample->submitted();
  if (!b.rungs.client_packets) return request.sample->kernel_sent();
  return ToAgentTime(request.agent->wire(), request.client_wire->request_first());
}

int64_t InOf(const Joined& request, Boundaries b) {
  if (!b.receive) return request.sample->received();
  if (!b.rungs.client_packets) return request.sample->kernel_received();
  return ToAgentTime(request.agent->wire(), request.client_wire->response_last());
}

int64_t ResidenceOf(const Joined& request, Boundaries b) {
  if (!b.server) return 0;
  if (!b.rungs.server_packets) return request.residence->residence_ns();
  return request.server_wire->response_first() - request.server_wire->request_last();
}

const char* Unusable(const Joined& request, Boundaries b, bool probed_only) {
  const OpSample& s = *request.sample;
  if (!s.answered()) return "not_answered";
  if (probed_only && !s.probed()) return "not_probed";
  if (s.intended() == 0 || s.started() == 0 || s.encoded() == 0 || s.submitted() == 0 ||
      s.received() == 0 || s.decoded() == 0) {
    return "incomplete_record";
  }
  if (b.rungs.client_packets && (b.send || b.receive) &&
      (request.client_wire == nullptr || !HasAllStamps(*request.client_wire))) {
    return "no_client_packets";
  }
  if (b.send && !b.rungs.client_packets) {
    if (s.kernel_sent() == 0) return "no_send_stamp";
    if (s.flags() & OpSample::MERGED_SEND_STAMP) return "merged_send_stamp";
    if (s.flags() & OpSample::MULTI_SEGMENT_REQUEST) return "multi_segment_request";
  }
  if (b.receive && !b.rungs.client_packets) {
    if (s.kernel_received() == 0) return "no_receive_stamp";
    if (s.flags() & OpSample::SHARED_RECEIVE_STAMP) return "shared_receive_stamp";
  }
  if (b.server && b.rungs.server_packets &&
      (request.server_wire == nullptr || !HasAllStamps(*request.server_wire))) {
    return "no_server_packets";
  }
  if (b.server && !b.rungs.server_packets) {
    if (request.residence == nullptr) return "no_residence";
    if (request.residence->flags() & kResidenceSharedStamp) return "shared_server_stamp";
  }
  return nullptr;
}

}  // namespace kbench::analysis
