// The report of a campaign, in the five forms people and programs read. Every form is computed from
// the evidence alone, says its caveats before its numbers, and names the unit of every number.
//
//   text       one terminal width; tables per op, the separation, sentences
//   HTML       one self-contained file that opens offline, with plots
//   CSV        one row per cell, repetition and op
//   Markdown   the text report's tables, for issues and wikis
//   JSON       everything, keys carry units (docs/formats.md, "summary.json")
//
// Statistics: docs/measurement.md.
#pragma once

#include <string>

#include "analysis/evidence/evidence.h"

namespace kbench::analysis {

struct ReportOptions {
  bool color = false;  // ANSI colours
  int width = 100;     // columns; below 60 counts as 60
};

std::string TextReport(const CampaignEvidence& campaign, const ReportOptions& options);
std::string HtmlReport(const CampaignEvidence& campaign);
std::string CsvReport(const CampaignEvidence& campaign);
std::string MarkdownReport(const CampaignEvidence& campaign);
std::string SummaryJson(const CampaignEvidence& campaign);

}  // namespace kbench::analysis
