// What a search has found, for people and for programs.
#pragma once

#include <string>

#include "controller/command/search_plan.h"
#include "controller/run/rate_search.h"

namespace kbench {

// A sentence, and a table of all probes.
std::string SearchText(const SearchPlan& plan, const RateAnswer& answer);
// docs/formats.md; with the time.
std::string SearchJson(const SearchPlan& plan, const RateAnswer& answer);

}  // namespace kbench
