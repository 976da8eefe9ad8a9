// How the keys of a campaign's runs came to be on the server: written before a run, or found there.
#pragma once

#include <string>

#include "analysis/evidence/evidence.h"

namespace kbench::analysis {

// Facts of an agent's result that are of the load, not of its transport, begin so.
inline constexpr char kLoadFact[] = "load_";

// "Keys: written before 2 of 12 runs (...); found there by 10, which read ..."; empty when no run
// has asked for keys, or the agents are of a release that does not say.
std::string LoadingLine(const CampaignEvidence& campaign);

}  // namespace kbench::analysis
