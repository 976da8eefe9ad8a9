#include "analysis/decomposition.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <unordered_map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace kbench::analysis {
namespace {

using result::OpSample;

// Of ServerTrace.Record.flags (kinetic::Residence::Flags, docs/formats.md).
constexpr uint32_t kResidenceKernelReceived = 1;
constexpr uint32_t kResidenceSharedStamp = 2;

struct RequestId {
  int64_t connection_id = 0;
  uint64_t sequence = 0;
  bool operator==(const RequestId&) const = default;
};

struct RequestIdHash {
  size_t operator()(const RequestId& id) const {
    return static_cast<uint64_t>(id.connection_id) * 0x9e3779b97f4a7c15u ^ id.sequence;
  }
};

using ResidenceMap =
    std::unordered_map<RequestId, const result::ServerTrace::Record*, RequestIdHash>;

// One sample beside what the server said about it.
struct Joined {
  const OpSample* sample = nullptr;
  const result::ServerTrace::Record* residence = nullptr;  // null: not in the trace
};

ResidenceMap ByRequest(const result::ServerTrace& trace) {
  ResidenceMap map;
  map.reserve(trace.records_size());
  for (const auto& record : trace.records()) {
    const auto [at, is_new] =
        map.emplace(RequestId{record.connection_id(), record.sequence()}, &record);
    if (is_new || at->second == nullptr) continue;
    // Two answers to one question are none.
    if (at->second->residence_ns() != record.residence_ns()) at->second = nullptr;
  }
  return map;
}

// All samples of `op`, joined within the agent that took them: connection ids of two agents may
// be equal.
std::vector<Joined> SamplesOf(const RunEvidence& run, const std::string& op) {
  std::vector<Joined> joined;
  for (const result::RunResult& agent : run.agents) {
    const ResidenceMap residences = ByRequest(agent.server_trace());
    for (const OpSample& sample : agent.samples()) {
      if (static_cast<int>(sample.op()) >= agent.ops_size()) continue;
      if (op != "all" && agent.ops(static_cast<int>(sample.op())).op() != op) continue;
      const auto it = residences.find({sample.connection_id(), sample.sequence()});
      joined.push_back({&sample, it == residences.end() ? nullptr : it->second});
    }
  }
  return joined;
}

// Only a minority of requests is probed; when any is, the others are not part of the population,
// because they may have been kept for being slow.
bool AnyProbed(const std::vector<Joined>& samples) {
  return std::any_of(samples.begin(), samples.end(),
                     [](const Joined& j) { return j.sample->answered() && j.sample->probed(); });
}

// What the probed and answered samples say about their stamps.
struct StampQuality {
  uint64_t samples = 0;
  uint64_t no_send = 0, merged_send = 0, multi_segment = 0;
  uint64_t no_receive = 0, shared_receive = 0;
  uint64_t send_untrusted = 0, receive_untrusted = 0;
  uint64_t matched = 0, shared_residence = 0, user_residence = 0;
};

StampQuality Assess(const std::vector<Joined>& samples) {
  StampQuality q;
  const bool probed_only = AnyProbed(samples);
  for (const Joined& j : samples) {
    const OpSample& s = *j.sample;
    if (!s.answered() || (probed_only && !s.probed())) continue;
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
    if (j.residence == nullptr) continue;
    ++q.matched;
    q.shared_residence += (j.residence->flags() & kResidenceSharedStamp) != 0;
    q.user_residence += (j.residence->flags() & kResidenceKernelReceived) == 0;
  }
  return q;
}

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string Percent(uint64_t part, uint64_t whole) {
  return absl::StrFormat("%.1f %%", 100 * Share(part, whole));
}

// What makes the server's side unusable for the whole run, or nothing.
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

void Say(absl::string_view code, absl::string_view text, std::vector<result::Caveat>* caveats) {
  caveats->push_back(MakeCaveat(code, text));
}

Boundaries TrustedForOne(const RunEvidence& run, const std::string& op,
                         const std::vector<Joined>& samples, std::vector<result::Caveat>* caveats) {
  const StampQuality q = Assess(samples);
  Boundaries b;
  if (q.samples == 0) return b;  // nothing to cut: no_samples says so
  for (const result::RunResult& agent : run.agents) {
    if (std::abs(agent.clock_step_ns()) <= kClockStepMaxNs) continue;
    b.send = b.receive = false;
    Say("kernel_stamps_void",
        absl::StrFormat("%s: the clock of agent %s stepped by %.1f us; kernel stamps of the run "
                        "are not used",
                        op, agent.agent(), static_cast<double>(agent.clock_step_ns()) / 1e3),
        caveats);
  }
  if (b.send && Share(q.send_untrusted, q.samples) > kUntrustedShareMax) {
    b.send = false;
    Say("send_boundary_unavailable",
        absl::StrCat(op, ": client_kernel_send is not separated from network (", q.samples,
                     " probed requests: ", Percent(q.multi_segment, q.samples),
                     " larger than one segment, ", Percent(q.merged_send, q.samples),
                     " with a merged stamp, ", Percent(q.no_send, q.samples), " without one)"),
        caveats);
  }
  if (b.receive && Share(q.receive_untrusted, q.samples) > kUntrustedShareMax) {
    b.receive = false;
    Say("receive_boundary_unavailable",
        absl::StrCat(op, ": client_kernel_receive is not separated from network (", q.samples,
                     " probed requests: ", Percent(q.shared_receive, q.samples),
                     " share their receive stamp, ", Percent(q.no_receive, q.samples),
                     " have none)"),
        caveats);
  }
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
    b.server = false;
    Say("server_split_unavailable",
        absl::StrCat(op, ": server is not separated from network: ", fault), caveats);
  } else if (Share(q.user_residence, q.matched) > kUntrustedShareMax) {
    Say("server_stamp_user",
        absl::StrCat(op, ": for ", Percent(q.user_residence, q.matched),
                     " of the requests the server's residence begins at its receive call's "
                     "return; its wake-up before that is counted as network"),
        caveats);
  }
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

// Why a sample cannot be cut at `b`, or null when it can.
const char* ExclusionReason(const Joined& j, Boundaries b, bool probed_only) {
  const OpSample& s = *j.sample;
  if (!s.answered()) return "not_answered";
  if (probed_only && !s.probed()) return "not_probed";
  if (s.intended() == 0 || s.started() == 0 || s.submitted() == 0 || s.received() == 0 ||
      s.decoded() == 0) {
    return "incomplete_record";
  }
  if (b.send) {
    if (s.kernel_sent() == 0) return "no_send_stamp";
    if (s.flags() & OpSample::MERGED_SEND_STAMP) return "merged_send_stamp";
    if (s.flags() & OpSample::MULTI_SEGMENT_REQUEST) return "multi_segment_request";
  }
  if (b.receive) {
    if (s.kernel_received() == 0) return "no_receive_stamp";
    if (s.flags() & OpSample::SHARED_RECEIVE_STAMP) return "shared_receive_stamp";
  }
  if (b.server) {
    if (j.residence == nullptr) return "no_residence";
    if (j.residence->flags() & kResidenceSharedStamp) return "shared_server_stamp";
  }
  return nullptr;
}

// The parts of one request in the order of PartNames(); they sum to decoded - intended.
std::vector<int64_t> Cut(const Joined& j, Boundaries b) {
  const OpSample& s = *j.sample;
  const int64_t out = b.send ? s.kernel_sent() : s.submitted();
  const int64_t in = b.receive ? s.kernel_received() : s.received();
  const int64_t residence = b.server ? j.residence->residence_ns() : 0;
  std::vector<int64_t> parts = {s.started() - s.intended(), s.submitted() - s.started()};
  if (b.send) parts.push_back(out - s.submitted());
  parts.push_back(in - out - residence);
  if (b.server) parts.push_back(residence);
  if (b.receive) parts.push_back(s.received() - in);
  parts.push_back(s.decoded() - s.received());
  return parts;
}

struct CutSample {
  int64_t response_ns = 0;
  std::vector<int64_t> parts;
};

// Indexes [first, last) of the sorted samples whose rank lies in [low, high] of the whole; at least
// one when there are any.
struct RankWindow {
  size_t first = 0;
  size_t last = 0;
};

RankWindow Window(size_t n, double low, double high) {
  if (n == 0) return {};
  const auto at = [n](double q) { return q * static_cast<double>(n); };
  RankWindow w{static_cast<size_t>(std::floor(at(low) + 1e-9)),
               static_cast<size_t>(std::ceil(at(high) - 1e-9))};
  w.first = std::min(w.first, n - 1);
  w.last = std::clamp(w.last, w.first + 1, n);
  return w;
}

double MeanIn(const std::vector<CutSample>& sorted, RankWindow w, size_t part) {
  if (w.first == w.last) return 0;
  int64_t sum = 0;
  for (size_t i = w.first; i < w.last; ++i) sum += sorted[i].parts[part];
  return static_cast<double>(sum) / static_cast<double>(w.last - w.first);
}

// Exact, of rank ceil(q * n).
int64_t QuantileOf(const std::vector<int64_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(sorted.size()) - 1e-9));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

void FillParts(const std::vector<std::string>& names, std::vector<CutSample> samples,
               Decomposition* out) {
  std::stable_sort(samples.begin(), samples.end(), [](const CutSample& a, const CutSample& b) {
    return a.response_ns < b.response_ns;
  });
  const size_t n = samples.size();
  const RankWindow p50 = Window(n, 0.45, 0.55);
  const RankWindow p99 = Window(n, 0.985, 0.995);
  out->near_p50_samples = p50.last - p50.first;
  out->near_p99_samples = p99.last - p99.first;
  int64_t total = 0;
  for (const CutSample& s : samples) total += s.response_ns;
  out->mean_sampled_ns = n == 0 ? 0 : static_cast<double>(total) / static_cast<double>(n);
  std::vector<int64_t> values(n);
  for (size_t p = 0; p < names.size(); ++p) {
    PartStats part;
    part.name = names[p];
    for (size_t i = 0; i < n; ++i) {
      values[i] = samples[i].parts[p];
      part.sum_ns += values[i];
      part.negative += values[i] < 0;
    }
    std::sort(values.begin(), values.end());
    part.p50_ns = QuantileOf(values, 0.50);
    part.p99_ns = QuantileOf(values, 0.99);
    part.mean_ns = n == 0 ? 0 : static_cast<double>(part.sum_ns) / static_cast<double>(n);
    part.share = total == 0 ? 0 : static_cast<double>(part.sum_ns) / static_cast<double>(total);
    part.near_p50_ns = MeanIn(samples, p50, p);
    part.near_p99_ns = MeanIn(samples, p99, p);
    out->parts.push_back(std::move(part));
  }
}

const OpSummary* FindOp(const RunSummary& summary, const std::string& op) {
  if (op == "all") return &summary.all;
  for (const OpSummary& s : summary.ops) {
    if (s.op == op) return &s;
  }
  return nullptr;
}

void AddResultCaveats(Decomposition* d) {
  if (d->samples_used == 0) {
    Say("no_samples",
        absl::StrCat(d->op, ": none of ", d->samples_seen,
                     " sampled requests can be separated into parts"),
        &d->caveats);
    return;
  }
  if (d->samples_used < kFewSamples) {
    Say("few_samples",
        absl::StrCat(d->op, ": parts rest on ", d->samples_used,
                     " sampled requests; their p99 is close to their maximum"),
        &d->caveats);
  }
  for (const PartStats& part : d->parts) {
    if (Share(part.negative, d->samples_used) <= kNegativeShareMax) continue;
    Say("negative_part",
        absl::StrCat(d->op, ": ", part.name, " is below zero for ", part.negative, " of ",
                     d->samples_used, " sampled requests; a stamp is wrong, and so is the split"),
        &d->caveats);
  }
  if (std::fabs(d->residual_share()) > kResidualShareMax) {
    Say("residual_large",
        absl::StrFormat("%s: the mean of all requests differs from that of the sampled ones by "
                        "%.1f us (%.1f %%); the parts do not represent the run",
                        d->op, d->residual_ns / 1e3, 100 * d->residual_share()),
        &d->caveats);
  }
}

}  // namespace

double Decomposition::match_rate() const { return Share(residences_matched, residences_wanted); }

double Decomposition::residual_share() const {
  return mean_all_ns == 0 ? 0 : residual_ns / mean_all_ns;
}

std::vector<std::string> PartNames(Boundaries b) {
  std::vector<std::string> names = {"wait", "client_user"};
  if (b.send) names.push_back("client_kernel_send");
  names.push_back(absl::StrCat(b.send ? "" : "client_kernel_send+", "network",
                               b.server ? "" : "+server",
                               b.receive ? "" : "+client_kernel_receive"));
  if (b.server) names.push_back("server");
  if (b.receive) names.push_back("client_kernel_receive");
  names.push_back("client_decode");
  return names;
}

bool HasClientStack(const std::string& part) { return absl::StrContains(part, "client_"); }

Boundaries TrustedBoundaries(const RunEvidence& run, const std::string& op,
                             std::vector<result::Caveat>* caveats) {
  if (op != "all") return TrustedForOne(run, op, SamplesOf(run, op), caveats);
  Boundaries all;
  for (const std::string& one : OpsOf(run)) {
    all = all.And(TrustedForOne(run, one, SamplesOf(run, one), caveats));
  }
  return all;
}

Decomposition Decompose(const RunEvidence& run, const RunSummary& summary, const std::string& op,
                        Boundaries allowed) {
  Decomposition d;
  d.op = op;
  d.boundaries = TrustedBoundaries(run, op, &d.caveats).And(allowed);
  const std::vector<Joined> samples = SamplesOf(run, op);
  const bool probed_only = AnyProbed(samples);
  std::vector<CutSample> cut;
  for (const Joined& j : samples) {
    ++d.samples_seen;
    if (j.sample->answered() && (j.sample->probed() || !probed_only)) {
      ++d.residences_wanted;
      d.residences_matched += j.residence != nullptr;
      d.retransmitted += (j.sample->flags() & OpSample::RETRANSMITTED) != 0;
    }
    if (const char* reason = ExclusionReason(j, d.boundaries, probed_only)) {
      ++d.excluded[reason];
      continue;
    }
    cut.push_back({j.sample->decoded() - j.sample->intended(), Cut(j, d.boundaries)});
  }
  d.samples_used = cut.size();
  FillParts(PartNames(d.boundaries), std::move(cut), &d);
  if (const OpSummary* all = FindOp(summary, op)) d.mean_all_ns = all->answered.mean_ns();
  d.residual_ns = d.samples_used == 0 ? 0 : d.mean_all_ns - d.mean_sampled_ns;
  AddResultCaveats(&d);
  return d;
}

}  // namespace kbench::analysis
