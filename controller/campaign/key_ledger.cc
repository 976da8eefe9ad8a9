#include "controller/campaign/key_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

// The null transport has no server that could keep keys.
bool HasServer(const control::RunSpec& spec) { return spec.transport() != "null"; }

bool Deletes(const control::RunSpec& spec) {
  return std::any_of(spec.ops().begin(), spec.ops().end(),
                     [](const control::OpShare& share) { return share.op() == "delete"; });
}

// Whether a read did not find what was to be there, or found something else.
bool Missed(const result::RunResult& result) {
  return std::any_of(result.ops().begin(), result.ops().end(), [](const result::OpResult& op) {
    const auto had = [&op](const char* status) { return op.statuses().contains(status); };
    return op.op() != "get_miss" &&
           (had("NOT_FOUND") || had("WRONG_VALUE") || had("WRONG_VALUE_LENGTH"));
  });
}

}  // namespace

KeyLedger::DataSet KeyLedger::DataSetOf(const control::RunSpec& spec) {
  return {spec.agent_index(), spec.key_seed(), spec.key_bytes()};
}

KeyLedger::Known KeyLedger::Of(const control::RunSpec& spec) const {
  const DataSet keys = DataSetOf(spec);
  if (const auto servers = there_.find(keys); servers != there_.end()) {
    const auto has = servers->second.find(spec.server());
    if (has != servers->second.end() && has->second >= spec.keys()) return Known::kThere;
  }
  return spoilt_.contains(keys) ? Known::kSpoilt : Known::kNothing;
}

void KeyLedger::Decide(bool trust, control::RunSpec* spec) const {
  const Known known = Of(*spec);
  spec->set_reuse_keys(spec->load() && HasServer(*spec) &&
                       (known == Known::kThere || (known == Known::kNothing && trust)));
}

void KeyLedger::Decide(bool trust, std::vector<control::RunSpec>* specs) const {
  for (control::RunSpec& spec : *specs) Decide(trust, &spec);
}

void KeyLedger::Take(const control::RunSpec& spec, const control::Loaded* loaded, bool sound) {
  if (!HasServer(spec)) return;
  const DataSet keys = DataSetOf(spec);
  if (!sound || Deletes(spec)) {
    there_.erase(keys);
    spoilt_.insert(keys);
  } else if (loaded != nullptr) {
    uint64_t& there = there_[keys][spec.server()];
    // Whoever writes them has not found them: what was known of more is not so any more.
    there = loaded->reused() > 0 ? std::max<uint64_t>(there, spec.keys()) : spec.keys();
  }
}

void KeyLedger::Take(const std::vector<control::RunSpec>& specs,
                     const std::vector<std::optional<control::Loaded>>& loaded,
                     const std::vector<result::RunResult>& results, bool sound,
                     std::vector<result::Caveat>* caveats) {
  uint64_t found = 0, looked = 0;
  // Of one agent: then nobody's keys are taken for granted.
  const bool missed = std::any_of(results.begin(), results.end(), Missed);
  for (size_t i = 0; i < specs.size(); ++i) {
    const control::Loaded* said = i < loaded.size() && loaded[i] ? &*loaded[i] : nullptr;
    if (said != nullptr && Of(specs[i]) == Known::kNothing) {
      found += said->reused();
      if (said->reused() > 0) looked += said->looked();
    }
    Take(specs[i], said, sound && !missed);
  }
  if (found == 0) return;
  result::Caveat& caveat = caveats->emplace_back();
  caveat.set_code("keys_reused");
  const std::string keys = absl::StrCat(found, found == 1 ? " key was" : " keys were",
                                        " not written by this campaign (load.reuse): ");
  caveat.set_text(
      looked >= found
          ? absl::StrCat(keys, "all were read, and hold what it would have written")
          : absl::StrCat(keys, looked, looked == 1 ? " of them was" : " of them were",
                         " read, spread over all, and hold what it would have written; that none "
                         "of the others is missing was not looked at"));
}

}  // namespace kbench
