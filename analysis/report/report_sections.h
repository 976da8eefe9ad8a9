// The sections of a report that are a title, a note and a table, the same in every form for people:
// why requests waited, what measuring cost, what the paths carry without the load, and the ladder.
#pragma once

#include <string>
#include <vector>

#include "analysis/report/table.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/gates.h"

namespace kbench::analysis {

struct TableSection {
  std::string title;
  std::string note;
  Table table;
};

// "parts from the full pass: client edges from packets, server from packets on its host": by what
// evidence the parts of `op` were cut; one line per way.
std::vector<std::string> EvidenceLines(const CampaignAnalysis& analysis, const std::string& op);

// What the campaign promises, cell by cell.
TableSection GatesSection(const std::vector<GateResult>& gates);

// Only those that have something to show.
std::vector<TableSection> TableSections(const CampaignAnalysis& analysis);

}  // namespace kbench::analysis
