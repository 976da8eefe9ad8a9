// Who holds a connection back whose requests stand behind its own earlier bytes: a full link, a
// server that is full, a server that reads too slowly (its receive window), or a send buffer that
// is smaller than what the path holds in one round trip. (docs/measurement.md, "Causes")
#pragma once

#include <optional>
#include <string>

#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/saturation.h"

namespace kbench::analysis {

inline constexpr double kWindowLimited = 0.2;  // of a connection's busy time, TCP_INFO
inline constexpr double kBufferFull = 0.8;     // of the send buffer, by rate times round trip

// "charged to ...", with the evidence; nothing where no evidence names anybody.
std::optional<std::string> LimiterOf(const CampaignAnalysis& analysis, const Saturation& saturation,
                                     const CellOp& row);

}  // namespace kbench::analysis
