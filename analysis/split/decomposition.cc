#include "analysis/split/decomposition.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/split/causes.h"

namespace kbench::analysis {
namespace {

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void Say(absl::string_view code, absl::string_view text, std::vector<result::Caveat>* caveats) {
  caveats->push_back(MakeCaveat(code, text));
}

// The parts of one request in the order of PartNames(); they sum to decoded - intended.
std::vector<int64_t> Cut(const Joined& j, Boundaries b) {
  const result::OpSample& s = *j.sample;
  const int64_t out = OutOf(j, b);
  const int64_t in = InOf(j, b);
  const int64_t residence = ResidenceOf(j, b);
  if (b.opaque) {
    std::vector<int64_t> parts;
    if (b.gap) parts.push_back((s.decoded() - s.intended()) - (in - out));
    parts.push_back(in - out - residence);
    if (b.server) parts.push_back(residence);
    return parts;
  }
  std::vector<int64_t> parts = {s.started() - s.intended(), s.encoded() - s.started(),
                                s.submitted() - s.encoded()};
  if (b.send) parts.push_back(out - s.submitted());
  parts.push_back(in - out - residence);
  if (b.server) parts.push_back(residence);
  if (b.receive) parts.push_back(s.received() - in);
  parts.push_back(s.decoded() - s.received());
  return parts;
}

// In the order of kInsideClient, kInsideServer.
std::vector<int64_t> Inside(const Joined& j, Boundaries b) {
  std::vector<int64_t> inside;
  if (b.rungs.client_packets) {
    const result::WireRecord& w = *j.client_wire;
    inside = {w.request_last() - w.request_first(), w.response_last() - w.response_first()};
  }
  if (b.rungs.server_packets && b.server) {
    inside.push_back(j.server_wire->response_last() - j.server_wire->response_first());
  }
  return inside;
}

std::vector<std::string> InsideNames(Boundaries b) {
  std::vector<std::string> names;
  if (b.rungs.client_packets) names = {"request_transfer", "response_transfer"};
  if (b.rungs.server_packets && b.server) names.push_back("server_emission");
  return names;
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

// `samples` are sorted by response time.
std::vector<PartStats> Sum(const std::vector<std::string>& names,
                           const std::vector<CutSample>& samples) {
  const size_t n = samples.size();
  const RankWindow p50 = Window(n, 0.45, 0.55);
  const RankWindow p99 = Window(n, 0.985, 0.995);
  int64_t total = 0;
  for (const CutSample& s : samples) total += s.response_ns;
  std::vector<PartStats> parts;
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
    parts.push_back(std::move(part));
  }
  double near_p99_ns = 0;
  for (size_t i = p99.first; i < p99.last; ++i) {
    near_p99_ns += static_cast<double>(samples[i].response_ns);
  }
  near_p99_ns /= static_cast<double>(std::max<size_t>(p99.last - p99.first, 1));
  for (PartStats& part : parts) {
    if (near_p99_ns > 0) part.near_p99_share = part.near_p99_ns / near_p99_ns;
  }
  return parts;
}

using CutFunction = std::vector<int64_t> (*)(const Joined&, Boundaries);

// `usable` are sorted by response time.
std::vector<PartStats> SumOf(const std::vector<Joined>& usable, Boundaries b,
                             const std::vector<std::string>& names, CutFunction cut) {
  if (names.empty()) return {};
  std::vector<CutSample> samples;
  samples.reserve(usable.size());
  for (const Joined& j : usable) {
    samples.push_back({j.sample->decoded() - j.sample->intended(), cut(j, b)});
  }
  return Sum(names, samples);
}

void FillParts(std::vector<Joined> usable, Decomposition* out) {
  const auto response = [](const Joined& j) { return j.sample->decoded() - j.sample->intended(); };
  std::stable_sort(usable.begin(), usable.end(),
                   [&](const Joined& a, const Joined& b) { return response(a) < response(b); });
  const size_t n = usable.size();
  const RankWindow p50 = Window(n, 0.45, 0.55);
  const RankWindow p99 = Window(n, 0.985, 0.995);
  out->samples_used = n;
  out->near_p50_samples = p50.last - p50.first;
  out->near_p99_samples = p99.last - p99.first;
  int64_t total = 0;
  for (const Joined& j : usable) total += response(j);
  out->mean_sampled_ns = n == 0 ? 0 : static_cast<double>(total) / static_cast<double>(n);
  const Boundaries b = out->boundaries;
  if (n == 0) return;  // and no parts: zeros would be figures
  out->parts = SumOf(usable, b, PartNames(b), &Cut);
  out->inside = SumOf(usable, b, InsideNames(b), &Inside);
  if (TellsCauses(usable, b)) out->causes = SumOf(usable, b, CauseNames(b), &CausesOf);
}

const OpSummary* FindOp(const RunSummary& summary, const std::string& op) {
  if (op == "all") return &summary.all;
  for (const OpSummary& s : summary.ops) {
    if (s.op == op) return &s;
  }
  return nullptr;
}

// By whoever saw it: the kernel's stamps, or packets on either host.
bool SentAgain(const Joined& j) {
  constexpr uint32_t kAgain =
      result::WireRecord::REQUEST_SEEN_TWICE | result::WireRecord::RESPONSE_SEEN_TWICE;
  return (j.sample->flags() & result::OpSample::RETRANSMITTED) != 0 ||
         (j.client_wire != nullptr && (j.client_wire->flags() & kAgain) != 0) ||
         (j.server_wire != nullptr && (j.server_wire->flags() & kAgain) != 0);
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

bool SeenWhole(const result::WireRecord* record) {
  return record != nullptr && HasAllStamps(*record);
}

}  // namespace

double Decomposition::client_match_rate() const { return Share(edges_matched, residences_wanted); }
double Decomposition::match_rate() const { return Share(residences_matched, residences_wanted); }

double Decomposition::residual_share() const {
  return mean_all_ns == 0 ? 0 : residual_ns / mean_all_ns;
}

std::vector<std::string> PartNames(Boundaries b) {
  if (b.opaque) {
    std::vector<std::string> names;
    if (b.gap) names.emplace_back(kClientPart);
    names.emplace_back(b.server ? "network" : "network+server");
    if (b.server) names.emplace_back("server");
    return names;
  }
  std::vector<std::string> names = {"wait", "client_encode", "client_submit"};
  if (b.send) names.push_back("client_send");
  names.push_back(absl::StrCat(b.send ? "" : "client_send+", "network", b.server ? "" : "+server",
                               b.receive ? "" : "+client_receive"));
  if (b.server) names.push_back("server");
  if (b.receive) names.push_back("client_receive");
  names.push_back("client_decode");
  return names;
}

bool HasClientStack(const std::string& part) {
  return part == kClientPart || absl::StrContains(part, "client_");
}

Decomposition Decompose(const RunEvidence& run, const RunSummary& summary, const std::string& op) {
  return Decompose(run, summary, op,
                   Boundaries{.rungs = {.client_packets = true, .server_packets = true}});
}

Decomposition Decompose(const RunEvidence& run, const RunSummary& summary, const std::string& op,
                        const Boundaries& allowed) {
  Decomposition d;
  d.op = op;
  const Rungs rungs = BestRungs(run, op, &d.caveats).And(allowed.rungs);
  d.boundaries = TrustedBoundaries(run, op, rungs, &d.caveats);
  d.boundaries.send &= allowed.send;
  d.boundaries.receive &= allowed.receive;
  d.boundaries.server &= allowed.server;
  const std::vector<Joined> samples = JoinSamples(run, op);
  const bool probed_only = AnyProbed(samples);
  std::vector<Joined> usable;
  for (const Joined& j : samples) {
    ++d.samples_seen;
    if (j.sample->answered() && (j.sample->probed() || !probed_only)) {
      ++d.residences_wanted;
      d.residences_matched +=
          rungs.server_packets ? SeenWhole(j.server_wire) : j.residence != nullptr;
      d.edges_matched += rungs.client_packets
                             ? SeenWhole(j.client_wire)
                             : j.sample->kernel_sent() != 0 && j.sample->kernel_received() != 0;
      d.retransmitted += SentAgain(j);
    }
    if (const char* reason = Unusable(j, d.boundaries, probed_only)) {
      ++d.excluded[reason];
      continue;
    }
    usable.push_back(j);
  }
  FillParts(std::move(usable), &d);
  if (const OpSummary* all = FindOp(summary, op)) d.mean_all_ns = all->answered.mean_ns();
  d.residual_ns = d.samples_used == 0 ? 0 : d.mean_all_ns - d.mean_sampled_ns;
  AddResultCaveats(&d);
  return d;
}

}  // namespace kbench::analysis
