#include "analysis/verdict/verdicts.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

std::string Repetitions(int n) { return absl::StrCat(n, n == 1 ? " repetition" : " repetitions"); }

std::string ShareText(const Estimate& share) {
  std::string text = absl::StrFormat("%.1f %%", 100 * share.value);
  if (share.interval) {
    absl::StrAppendFormat(&text, " [%.1f, %.1f]", 100 * share.interval->low,
                          100 * share.interval->high);
  }
  return text;
}

const OpSummary* OpOf(const AnalysedRun& run, const std::string& op) {
  for (const OpSummary& summary : run.summary.ops) {
    if (summary.op == op) return &summary;
  }
  return nullptr;
}

// A client program has no bare pass: observers that it is seen by are beside it, so what it is
// compared with is seen by them, too.
void PairFullPass(const CampaignAnalysis& analysis, const CellOp& a, const CellOp& b,
                  std::vector<double>* base, std::vector<double>* candidate) {
  const auto p50_of = [&](const CellOp& row, int repetition) -> double {
    for (const AnalysedRun& run : analysis.runs) {
      if (!run.usable || run.evidence->pass != Pass::kFull ||
          run.evidence->cell != row.cell->index || run.evidence->repetition != repetition) {
        continue;
      }
      const OpSummary* const op = OpOf(run, row.op);
      if (op == nullptr || !CarriesPercentile(op->response.count(), 50)) return 0;
      return static_cast<double>(op->response.Percentile(50).count());
    }
    return 0;
  };
  for (int repetition = 0; repetition < analysis.campaign->repetitions; ++repetition) {
    const double of_a = p50_of(a, repetition), of_b = p50_of(b, repetition);
    if (of_a <= 0 || of_b <= 0) continue;
    base->push_back(of_a);
    candidate->push_back(of_b);
  }
}

// The p50 of both rows for the repetitions that both have, in the same order.
void Pair(const CampaignAnalysis& analysis, const CellOp& a, const CellOp& b,
          std::vector<double>* base, std::vector<double>* candidate) {
  if (a.headline != b.headline) return PairFullPass(analysis, a, b, base, candidate);
  if (a.p50_ns.n() == 0 || b.p50_ns.n() == 0) return;  // too few requests for a p50
  for (size_t i = 0; i < a.repetitions.size(); ++i) {
    const auto at = std::find(b.repetitions.begin(), b.repetitions.end(), a.repetitions[i]);
    if (at == b.repetitions.end()) continue;
    base->push_back(a.p50_ns.values[i]);
    candidate->push_back(b.p50_ns.values[at - b.repetitions.begin()]);
  }
}

// The first run whose client had no CPU of its own says it for the row.
std::string ContentionOf(const CellOp& row) {
  for (const AnalysedRun* run : row.runs) {
    std::string code = ClientContention(*run->evidence);
    if (!code.empty()) return code;
  }
  return "";
}

std::string BoundText(const CellOp& row) {
  if (const std::string contended = ContentionOf(row); !contended.empty()) {
    return absl::StrCat(
        "what a faster client stack could remove cannot be said: the client was "
        "short of CPU (",
        contended, "), and every part holds some of that");
  }
  const ClientBound bound = BoundOfClientStack(row);
  std::string text =
      absl::StrCat("a faster client stack could remove at most ", HumanDuration(bound.removable_ns),
                   " of ", HumanDuration(bound.of_ns), " (bound, at this load");
  if (!bound.merged.empty()) {
    absl::StrAppend(&text, "; not separated: ", absl::StrJoin(bound.merged, ", "));
  }
  return absl::StrCat(text, ")");
}

}  // namespace

namespace {

// Of a client program: what is known, in the order in which it is asked for.
std::string ProgramSentence(const CellOp& row) {
  std::string text = "of a request of the client program ";
  for (size_t i = 0; i < row.parts.size(); ++i) {
    const CellPart& part = row.parts[i];
    const bool server_open = part.name == "network+server";
    absl::StrAppend(&text, i == 0 ? "" : ", ", HumanDuration(part.mean_ns.value), " (",
                    ShareText(part.share), ") is ",
                    part.name == kClientPart
                        ? "its own, from an answer's last byte to its next request's first"
                    : server_open ? "network and server, not separated"
                                  : part.name);
  }
  absl::StrAppend(&text, " (means, ", Repetitions(row.parts.front().share.n()), ", ",
                  row.samples_used, " requests)");
  if (!row.boundaries.gap) {
    absl::StrAppend(&text,
                    "; what the program took between requests is not known: it has several "
                    "unanswered, or a connection for each");
  }
  return text;
}

}  // namespace

ClientBound BoundOfClientStack(const CellOp& row) {
  ClientBound bound;
  for (const CellPart& part : row.parts) {
    bound.of_ns += part.mean_ns.value;
    if (!HasClientStack(part.name)) continue;
    bound.removable_ns += part.mean_ns.value;
    if (absl::StrContains(part.name, "network")) bound.merged.push_back(part.name);
  }
  return bound;
}

std::string PartsSentence(const CellOp& row) {
  if (row.boundaries.opaque && !row.parts.empty()) return ProgramSentence(row);
  if (row.parts.empty()) return "parts not available: no sampled request could be separated";
  const auto largest = std::max_element(
      row.parts.begin(), row.parts.end(),
      [](const CellPart& a, const CellPart& b) { return a.share.value < b.share.value; });
  std::string text = absl::StrCat(
      largest->name, " is the largest part: ", ShareText(largest->share), " of mean response (",
      Repetitions(largest->share.n()), ", ", row.samples_used, " sampled requests)");
  absl::StrAppend(&text, "; ", BoundText(row));
  for (const CellPart& part : row.parts) {
    if (absl::StrContains(part.name, "network+server")) {
      absl::StrAppend(&text, "; server and network are not separated");
    }
  }
  return text;
}

std::string RatioText(const Ratio& ratio) {
  if (ratio.n == 0) return "no ratio";
  std::string text = absl::StrFormat("x %.3f", ratio.ratio);
  if (ratio.interval) {
    absl::StrAppendFormat(&text, " [%.3f, %.3f] (90 %%)", ratio.interval->low,
                          ratio.interval->high);
  }
  return absl::StrCat(text, ", ", Repetitions(ratio.n));
}

std::string VerdictText(const RatioVerdict& verdict) {
  std::string text(Name(verdict.verdict));
  if (verdict.verdict == Verdict::kEquivalent) {
    absl::StrAppendFormat(&text, " within %.0f %%", 100 * kMargin);
  }
  if (verdict.verdict != Verdict::kInconclusive) return text;
  absl::StrAppend(&text, " (", verdict.reason);
  if (verdict.repetitions_needed > 0) {
    absl::StrAppend(&text, "; about ", verdict.repetitions_needed, " repetitions needed");
  }
  return absl::StrCat(text, ")");
}

std::string TransportComparison::Sentence() const {
  return absl::StrCat(op, rest.empty() ? "" : " ", rest, ": ", candidate, " against ", base, ": ",
                      pass, "p50 ", RatioText(p50), ": ", VerdictText(verdict));
}

std::vector<TransportComparison> CompareTransports(const CampaignAnalysis& analysis) {
  std::vector<TransportComparison> comparisons;
  std::vector<double> p;
  for (size_t i = 0; i < analysis.rows.size(); ++i) {
    for (size_t j = i + 1; j < analysis.rows.size(); ++j) {
      const CellOp& a = analysis.rows[i];
      const CellOp& b = analysis.rows[j];
      if (a.op != b.op || a.rest != b.rest || a.transport == b.transport) continue;
      if (!a.boundaries.gap || !b.boundaries.gap) continue;  // of another kind: it pipelines
      std::vector<double> base, candidate;
      Pair(analysis, a, b, &base, &candidate);
      if (base.empty() && a.headline != b.headline) continue;  // no pass that both have
      TransportComparison c{.op = a.op, .rest = a.rest};
      if (a.headline != b.headline) c.pass = "in the full pass ";
      c.base = a.transport;
      c.candidate = b.transport;
      c.p50 = PairedRatio(base, candidate);
      p.push_back(c.p50.p);
      comparisons.push_back(std::move(c));
    }
  }
  const std::vector<double> adjusted = HolmAdjusted(p);
  for (size_t i = 0; i < comparisons.size(); ++i) {
    comparisons[i].adjusted_p = adjusted[i];
    comparisons[i].verdict = Judge(comparisons[i].p50, adjusted[i]);
  }
  return comparisons;
}

}  // namespace kbench::analysis
