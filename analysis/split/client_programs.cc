#include "analysis/split/client_programs.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "analysis/evidence/statistics.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

using Figure = result::ExternalClient::Figure;

const OpSummary* OpOf(const AnalysedRun& run, const std::string& op) {
  for (const OpSummary& summary : run.summary.ops) {
    if (summary.op == op) return &summary;
  }
  return nullptr;
}

std::string EndingOf(const result::ExternalClient& client) {
  const std::string code = client.signal() != 0 ? absl::StrCat("signal ", client.signal())
                                                : absl::StrCat("exit code ", client.exit_code());
  switch (client.end()) {
    case result::ExternalClient::BY_ITSELF:
      return absl::StrCat("by itself, ", code);
    case result::ExternalClient::TOLD_TO_STOP:
      return absl::StrCat("when told to, ", code);
    case result::ExternalClient::KILLED:
      return "killed: it did not stop";
    case result::ExternalClient::MEMORY:
      return "killed: too much memory";
    case result::ExternalClient::RUN_STOPPED:
      return "with its run";
    default:
      return "not known";
  }
}

// What the agents of one run say together.
struct OwnOfRun {
  double count = 0;
  double sum_ns = 0;
  std::optional<double> p50_ns, p99_ns;
  // By packets, of all that it did; none: they do not show as many.
  std::optional<double> wire_ns, whole_ns;
};

constexpr double kAsMany = 0.01;  // by how much the two may differ, of what packets show

OwnOfRun OwnOf(const AnalysedRun& run, const std::string& op, ProgramView* view) {
  OwnOfRun own;
  int agents = 0;
  double said = 0, seen = 0, wire_ns = 0, whole_ns = 0;
  bool gaps = true;
  for (const result::RunResult& agent : run.evidence->agents) {
    if (!agent.has_client()) continue;
    const Figure* const figure = FigureOf(agent, op);
    if (figure == nullptr) continue;
    ++agents;
    // A summary may come without a count.
    const double weight = std::max(1.0, static_cast<double>(figure->count()));
    own.count += weight;
    own.sum_ns += weight * figure->mean_ns();
    view->own_count += figure->count();
    const auto answers = static_cast<double>(figure->answers_seen());
    view->answers_seen += figure->answers_seen();
    said += static_cast<double>(figure->count());
    seen += answers;
    wire_ns += answers * figure->wire_seen_ns();
    whole_ns += answers * figure->sum_seen_ns();
    gaps = gaps && figure->has_sum_seen_ns();
    view->source = figure->source();
    view->of_window = view->of_window && agent.client().figures_of_window();
    if (figure->has_p50_ns()) own.p50_ns = figure->p50_ns();
    if (figure->has_p99_ns()) own.p99_ns = figure->p99_ns();
  }
  if (seen > 0 && std::fabs(said - seen) <= kAsMany * seen) {
    own.wire_ns = wire_ns / seen;
    if (gaps) own.whole_ns = whole_ns / seen;
  }
  if (agents > 1) own.p50_ns = own.p99_ns = std::nullopt;  // percentiles do not add up
  return own;
}

std::optional<double> MedianIfAll(std::vector<double> values, size_t wanted) {
  if (values.empty() || values.size() != wanted) return std::nullopt;
  return Median(std::move(values));
}

OwnClock Judge(const ProgramView& view) {
  if (!view.own_mean_ns) return OwnClock::kNoFigures;
  // Of the same requests, times from answer to answer add up to one length, whichever clock read
  // the answers: then the mean is worth more than the median, into which goes how late each was
  // read. Otherwise what else the program did is in the mean.
  const bool medians = !view.of_window && !view.of_whole && view.own_p50_ns && view.sum_p50_ns;
  const double own = medians ? *view.own_p50_ns : *view.own_mean_ns;
  if (!medians && view.wire_ns &&
      *view.own_mean_ns < *view.wire_ns - std::max(kOwnClockShare * *view.wire_ns, kOwnClockNs)) {
    return OwnClock::kLeavesOut;
  }
  if (!view.sum_ns) return OwnClock::kNotKnown;
  const double sum = medians ? *view.sum_p50_ns : *view.sum_ns;
  const double allowed = std::max(kOwnClockShare * sum, kOwnClockNs);
  if (std::fabs(sum - own) <= allowed) return OwnClock::kAgrees;
  return own < sum ? OwnClock::kSaysLess : OwnClock::kSaysMore;
}

std::string Human(double ns) { return HumanDuration(ns); }

// Of which requests its figures are, and whether packets show as many.
std::string WhichRequests(const ProgramView& view) {
  if (view.of_window) return "the requests of the window";
  if (view.own_count == 0) return "all that it did";
  return absl::StrCat("all ", view.own_count, " that it did; packets show ",
                      view.answers_seen == view.own_count
                          ? "as many"
                          : absl::StrCat(view.answers_seen, " answers"));
}

}  // namespace

const Figure* FigureOf(const result::RunResult& agent, const std::string& op) {
  const auto& figures = agent.client().figures();
  for (const Figure& figure : figures) {
    if (figure.op() == op) return &figure;
  }
  const bool one = figures.size() == 1 && agent.ops_size() == 1;
  return one && figures[0].op().empty() ? &figures[0] : nullptr;
}

absl::string_view Name(OwnClock verdict) {
  switch (verdict) {
    case OwnClock::kNoFigures:
      return "no_figures";
    case OwnClock::kNotKnown:
      return "not_known";
    case OwnClock::kAgrees:
      return "agrees";
    case OwnClock::kSaysLess:
      return "says_less";
    case OwnClock::kLeavesOut:
      return "leaves_out";
    case OwnClock::kSaysMore:
      return "says_more";
  }
  return "";
}

std::string ProgramView::Says() const {
  switch (verdict) {
    case OwnClock::kNoFigures:
      return "nothing recognised";
    case OwnClock::kNotKnown:
      return "gap not known";
    case OwnClock::kAgrees:
      return "adds up";
    case OwnClock::kSaysLess:
      return "less than the sum";
    case OwnClock::kLeavesOut:
      return "less than the wire";
    case OwnClock::kSaysMore:
      return "more than the sum";
  }
  return "";
}

std::string ProgramView::Sentence() const {
  if (verdict == OwnClock::kNoFigures) {
    return absl::StrCat("the program ", name, " says nothing of its requests that is recognised");
  }
  std::string text =
      absl::StrCat("by its own clock (", source, ", ", WhichRequests(*this), ") a request of ",
                   name, " took ", Human(*own_mean_ns), " on average");
  if (own_p50_ns && !of_whole) absl::StrAppend(&text, ", ", Human(*own_p50_ns), " at p50");
  if (sum_ns) {
    absl::StrAppend(&text, "; packets show ", Human(*sum_ns), " from answer to answer");
    if (sum_p50_ns && !of_whole) absl::StrAppend(&text, ", ", Human(*sum_p50_ns), " at p50");
  }
  switch (verdict) {
    case OwnClock::kAgrees:
      return absl::StrCat(text, ": the parts add up to what it says, within 5 % or 20 us");
    case OwnClock::kSaysLess:
      return absl::StrCat(text, ": ",
                          Human(*outside_ns > 0 ? *outside_ns : *sum_p50_ns - *own_p50_ns),
                          " between its requests are outside of its clock");
    case OwnClock::kSaysMore:
      return absl::StrCat(text, ": its clock holds more than lies between two answers",
                          of_window || of_whole ? "" : " of the window");
    case OwnClock::kLeavesOut:
      return absl::StrCat(text, "; on the wire alone they were ", Human(*wire_ns),
                          ": its clock leaves out part of that");
    default:
      if (!inside_ns) {
        return absl::StrCat(text, "; what the program took between requests is not known");
      }
      return absl::StrCat(text, "; ", Human(*wire_ns), " of that on the wire, and ",
                          Human(*inside_ns),
                          " inside of the program, before its first byte left or behind its last "
                          "one; what it took between requests is not known");
  }
}

std::optional<ProgramView> ProgramViewOf(const CellOp& row) {
  ProgramView view;
  view.of_window = true;
  std::vector<double> wire, sum, own_mean, own_p50, own_p99, whole_wire, whole_sum;
  uint64_t answers_in_window = 0;
  for (const AnalysedRun* run : row.runs) {
    const OpSummary* const op = OpOf(*run, row.op);
    for (const result::RunResult& agent : run->evidence->agents) {
      if (!agent.has_client()) continue;
      view.name = agent.client().name();
      const std::string ended = EndingOf(agent.client());
      // The first that did not end well stands for all.
      if (view.ended.empty() || view.ended == "by itself, exit code 0") view.ended = ended;
    }
    if (view.name.empty()) return std::nullopt;
    view.requests += op->counts.answered;
    answers_in_window += op->counts.answered + op->counts.failed;
    if (op->service.count() > 0) wire.push_back(op->service.mean_ns());
    if (op->answered.count() > 0) sum.push_back(op->answered.mean_ns());
    const OwnOfRun own = OwnOf(*run, row.op, &view);
    if (own.count > 0) own_mean.push_back(own.sum_ns / own.count);
    if (own.wire_ns) whole_wire.push_back(*own.wire_ns);
    if (own.whole_ns) whole_sum.push_back(*own.whole_ns);
    if (own.p50_ns) own_p50.push_back(*own.p50_ns);
    if (own.p99_ns) own_p99.push_back(*own.p99_ns);
  }
  if (view.of_window) view.answers_seen = answers_in_window;
  const size_t n = row.runs.size();
  view.wire_ns = MedianIfAll(std::move(wire), n);
  view.own_mean_ns = MedianIfAll(std::move(own_mean), n);
  view.own_p50_ns = MedianIfAll(std::move(own_p50), n);
  view.own_p99_ns = MedianIfAll(std::move(own_p99), n);
  if (row.boundaries.gap) {
    view.sum_ns = MedianIfAll(std::move(sum), n);
    if (view.sum_ns && view.wire_ns) view.client_ns = *view.sum_ns - *view.wire_ns;
    for (const CellPart& part : row.parts) {
      if (part.name == kClientPart) view.client_ns = part.mean_ns.value;
    }
    if (row.p50_ns.n() > 0) view.sum_p50_ns = row.p50_ns.value;
  }
  const bool sums = !view.sum_ns || whole_sum.size() == n;
  if (!view.of_window && whole_wire.size() == n && sums) {
    view.of_whole = true;
    view.wire_ns = Median(std::move(whole_wire));
    if (view.sum_ns) {
      view.sum_ns = Median(std::move(whole_sum));
      view.client_ns = *view.sum_ns - *view.wire_ns;
    }
  }
  if (view.sum_ns && view.own_mean_ns) view.outside_ns = *view.sum_ns - *view.own_mean_ns;
  view.verdict = Judge(view);
  if (view.verdict == OwnClock::kNotKnown && view.wire_ns && *view.own_mean_ns > *view.wire_ns) {
    view.inside_ns = *view.own_mean_ns - *view.wire_ns;
  }
  return view;
}

}  // namespace kbench::analysis
