#include "analysis/split/probe_cost.h"

#include <functional>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kbench::analysis {
namespace {

using Number = std::function<double(const PassRun&)>;

double PerSent(double sum, const PassRun& run) {
  const uint64_t sent = run.summary->all.counts.sent;
  return sent == 0 ? 0 : sum / static_cast<double>(sent);
}

// A number of the bare runs and of the pass's, repetition by repetition.
struct Pairs {
  std::vector<double> base, candidate;
};

Pairs PairsOf(const std::vector<PassRun>& runs, Pass pass, const Number& number) {
  Pairs pairs;
  for (const PassRun& bare : runs) {
    if (bare.pass != Pass::kBare) continue;
    for (const PassRun& probed : runs) {
      if (probed.pass != pass || probed.repetition != bare.repetition) continue;
      pairs.base.push_back(number(bare));
      pairs.candidate.push_back(number(probed));
    }
  }
  return pairs;
}

Ratio Against(const std::vector<PassRun>& runs, Pass pass, const Number& number) {
  const Pairs pairs = PairsOf(runs, pass, number);
  return PairedRatio(pairs.base, pairs.candidate);
}

// Of a quantity that was there without probes and is gone with them, no ratio can be taken. (A
// client that no longer sleeps has no voluntary switch.)
bool Vanished(const std::vector<PassRun>& runs, Pass pass, const Number& number) {
  const Pairs pairs = PairsOf(runs, pass, number);
  const double base = std::accumulate(pairs.base.begin(), pairs.base.end(), 0.0);
  const double candidate = std::accumulate(pairs.candidate.begin(), pairs.candidate.end(), 0.0);
  // A few in a run come of its beginning and its end.
  return base > kPerRequestAtLeast * static_cast<double>(pairs.base.size()) &&
         candidate < base * kVanished;
}

// Ratios with few pairs have intervals that hold anything.
bool Drifted(const Ratio& ratio, double allowed) {
  if (ratio.n == 0) return false;
  if (!ratio.interval || ratio.n < kRepetitionsForDifference) {
    return ratio.ratio > kGrossDrift || ratio.ratio < 1 / kGrossDrift;
  }
  return ratio.interval->low > 1 + allowed || ratio.interval->high < 1 / (1 + allowed);
}

std::string Text(absl::string_view name, const Ratio& ratio) {
  if (ratio.n == 0) return absl::StrCat(name, " not compared");
  std::string text = absl::StrFormat("%s x %.3f", name, ratio.ratio);
  if (ratio.interval) {
    absl::StrAppendFormat(&text, " [%.3f, %.3f]", ratio.interval->low, ratio.interval->high);
  }
  return text;
}

double WaitsOf(const PassRun& run) {
  return PerSent(static_cast<double>(run.summary->usage.waits()), run);
}

double SwitchesOf(const PassRun& run) {
  return PerSent(static_cast<double>(run.summary->usage.voluntary_switches()), run);
}

std::string WhyPerturbed(const std::vector<PassRun>& runs, const ProbeCost& cost) {
  if (Vanished(runs, cost.pass, &WaitsOf)) return "waits x 0: the client no longer sleeps";
  if (Vanished(runs, cost.pass, &SwitchesOf)) {
    return "voluntary switches x 0: the client no longer sleeps";
  }
  if (Drifted(cost.waits, kDriftOfWaits)) return Text("waits per request", cost.waits);
  if (Drifted(cost.switches, kDriftOfWaits)) {
    return Text("voluntary switches per request", cost.switches);
  }
  if (Drifted(cost.rate, kDriftOfRate)) return Text("requests per second", cost.rate);
  return "";
}

}  // namespace

std::string ProbeCost::Sentence() const {
  return absl::StrCat(std::string(Name(pass)), ": ", Text("rate", rate), ", ",
                      Text("mean response", response), ", ", Text("client CPU per request", cpu),
                      " (90 %, ", rate.n, rate.n == 1 ? " repetition)" : " repetitions)",
                      perturbed.empty() ? "" : "; PERTURBED: ", perturbed);
}

std::vector<ProbeCost> CostsOf(const std::vector<PassRun>& runs) {
  std::vector<ProbeCost> costs;
  for (Pass pass : {Pass::kSampled, Pass::kFull}) {
    ProbeCost cost{.pass = pass};
    cost.rate = Against(runs, pass, [](const PassRun& r) { return r.op->answered_per_s; });
    if (cost.rate.n == 0) continue;
    cost.response = Against(runs, pass, [](const PassRun& r) { return r.op->response.mean_ns(); });
    cost.cpu = Against(runs, pass, [](const PassRun& r) {
      const result::ResourceUse& use = r.summary->usage;
      return PerSent(static_cast<double>(use.user_ns() + use.system_ns()), r);
    });
    cost.waits = Against(runs, pass, &WaitsOf);
    cost.switches = Against(runs, pass, &SwitchesOf);
    cost.perturbed = WhyPerturbed(runs, cost);
    costs.push_back(std::move(cost));
  }
  return costs;
}

}  // namespace kbench::analysis
