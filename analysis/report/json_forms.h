// The JSON of what several files show: the same thing has the same keys everywhere. Keys carry
// units; an interval that is not known is null, not zero.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "analysis/evidence/caveats.h"
#include "analysis/evidence/run_summary.h"
#include "analysis/evidence/statistics.h"
#include "analysis/split/decomposition.h"

namespace kbench::analysis {

using Json = nlohmann::ordered_json;

// {"median": 1.5, "low_95": 1.2, "high_95": 1.9, "repetitions": [1.2, 1.5, 1.9]}
Json ToJson(const Estimate& estimate);
Json ToJson(const Ratio& ratio);  // null without a pair
Json ToJson(const OpCounts& counts);
Json ToJson(const OpSummary& op);
Json ToJson(const Decomposition& decomposition);
Json ToJson(const std::vector<result::Caveat>& caveats);
// Percentiles, mean and bounds of a histogram, keys "<prefix>_p50_ns" ...; appended to *out.
void AddLatency(const std::string& prefix, const Histogram& histogram, Json* out);

// Indented, with a newline at the end. Bytes that are not UTF-8 become U+FFFD.
std::string Dump(const Json& json);

}  // namespace kbench::analysis
