#include "controller/run/warm_up_run.h"

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/units.h"
#include "controller/campaign/run_spec.h"
#include "controller/run/warm_up.h"

namespace kbench {
namespace {

constexpr uint64_t kWarmUpStream = 0x7761726d;  // "warm": of its keys and arrivals

result::Caveat HowItEnded(const WarmUpWatch& watch, const Settings& settings,
                          const DispatchOutcome& outcome) {
  result::Caveat caveat;
  if (!outcome.ended_early) {
    caveat.set_code("not_steady");
    caveat.set_text(absl::StrCat("after ", FormatDuration(settings.warmup_most),
                                 ", the most that was allowed, the warm-up was not over (",
                                 watch.Describe(), "): what was measured may be a start-up"));
    return caveat;
  }
  uint64_t written = 0;
  for (const auto& loaded : outcome.loaded) {
    if (loaded) written += loaded->keys() - loaded->reused();
  }
  caveat.set_code("warmed_up");
  caveat.set_text(
      absl::StrCat("a run of its own came before: ", watch.Describe(),
                   written == 0 ? "" : absl::StrCat(", after ", written, " keys were written")));
  return caveat;
}

}  // namespace

absl::Status WarmUp(const PlannedRun& run, const Settings& settings, RunRequest request,
                    Dispatcher* dispatcher, const Interrupts* interrupts, KeyLedger* keys,
                    std::vector<result::Caveat>* said) {
  request.run_id = WarmUpId(request.run_id);
  request.pass = analysis::Pass::kBare;
  request.observer.reset();
  for (control::RunSpec& spec : request.specs) {
    MakeWarmUp(Mix64(run.seed ^ kWarmUpStream), settings.warmup_most, &spec);
    spec.set_run_id(request.run_id);
  }
  keys->Decide(settings.reuse_keys, &request.specs);
  WarmUpWatch watch({.agents = request.agents.size(),
                     .ops = settings.warmup_ops,
                     .steady = settings.warmup_steady});
  request.enough = [&watch](size_t agent, const result::Interval& interval) {
    watch.Take(agent, interval);
    return watch.over();
  };
  const DispatchOutcome outcome = dispatcher->Execute(request);
  keys->Take(request.specs, outcome.loaded, outcome.evidence.agents, outcome.status.ok(), said);
  if (interrupts->stop()) return absl::CancelledError("interrupted");
  const bool goes_on = settings.lost_agent == "continue" && !outcome.lost.empty();
  if (!outcome.status.ok() && !goes_on) return outcome.status;
  said->push_back(HowItEnded(watch, settings, outcome));
  return absl::OkStatus();
}

}  // namespace kbench
