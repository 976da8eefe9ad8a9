// Why a result may not mean what it says, gathered over runs and agents and said once: "in 12 of 54
// runs: ...", with the cells it concerns. The codes are stable; docs/measurement.md lists them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"

namespace kbench::analysis {

struct CampaignCaveat {
  std::string code;
  std::string text;           // of its first appearance
  bool texts_differ = false;  // `text` is one example of several
  int runs = 0;               // in which it was raised; 0: it concerns the campaign
  std::vector<int> cells;     // CellInfo::index, in order, without repeats
};

class CaveatCollector {
 public:
  void AddForCampaign(const result::Caveat& caveat);
  // A code raised several times in one run (by two agents, for two ops) counts as one run.
  void AddForRun(const RunEvidence& run, const result::Caveat& caveat);

  // Those that make a run suspect first, then in the order of their first appearance.
  std::vector<CampaignCaveat> Take() &&;

 private:
  CampaignCaveat& Entry(const result::Caveat& caveat);

  std::vector<CampaignCaveat> entries_;
  std::vector<const RunEvidence*> last_run_;  // beside entries_
};

// Codes after which a run's latencies or counts should not be believed without reading on.
bool MakesSuspect(absl::string_view code);

// The code of the first caveat that says that the client had no CPU to itself; "" for none.
std::string ClientContention(const RunEvidence& run);

// "in 12 of 54 runs (4 of 18 cells: a; b; c; d)", or "" when it concerns the campaign.
std::string Where(const CampaignCaveat& caveat, const CampaignEvidence& campaign);

// One sentence: where, then what.
std::string Sentence(const CampaignCaveat& caveat, const CampaignEvidence& campaign);

}  // namespace kbench::analysis
