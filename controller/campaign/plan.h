// The ordered list of runs: cells x repetitions in randomised complete blocks, passes within.
//
//   repetition 0:  C A B   every repetition is a block that holds each cell once, in an order of
//   repetition 1:  A B C   its own, so that cells interleave and a drift of the machine falls on
//   repetition 2:  B C A   all of them alike
//                    |
//                    +-- full bare sampled   the passes of one cell and repetition run next to each
//                                            other, so that what probing costs is told from drift;
//                                            their order is drawn each time
//
// A pure function of the campaign and the number of agents: the same seed gives the same plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "controller/campaign/campaign.h"

namespace kbench {

struct PlannedRun {
  int ordinal = 0;     // place in the plan, from 0
  int cell = 0;        // index into Campaign::cells
  int repetition = 0;  // the block
  analysis::Pass pass = analysis::Pass::kSampled;
  // Of the order of keys, values and arrivals. The cells of a block and their passes share it, so
  // that they are compared on the same work; blocks differ.
  uint64_t seed = 0;
  bool loads = false;  // writes its keys first; the others find them there
};

struct Plan {
  std::vector<PlannedRun> runs;
  // By cell: of its keys' names and values. Cells with values alike have keys alike: what a run
  // writes replaces what the last one wrote, so that a campaign of many repetitions does not fill
  // the server, and what one has loaded is there for the others. Cells with other values have other
  // keys, so that none has to write them again because another one did.
  std::vector<uint64_t> key_seeds;
  Nanos measuring;          // warm-up and measured windows; set-up and loading come on top
  uint64_t loads = 0;       // times that keys are written, warm-ups included
  uint64_t loads_most = 0;  // ... where the server keeps nothing (a null store): no look finds them
  uint64_t load_keys = 0;   // that this writes, over all agents
  uint64_t load_bytes = 0;  // their values
  uint64_t load_turns = 0;  // round trips that this takes, one after another
  Nanos load_relayed;       // ... of which so much is injected delay
};

Plan MakePlan(const Campaign& campaign, size_t agents);

// For people: cells, order, time, bytes.
std::string DescribePlan(const Campaign& campaign, const Plan& plan, size_t agents);
// plan.json: the same, resolved, with every setting of every cell.
std::string PlanJson(const Campaign& campaign, const Plan& plan, size_t agents);

}  // namespace kbench
