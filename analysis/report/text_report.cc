#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "analysis/evidence/loading.h"
#include "analysis/report/report.h"
#include "analysis/report/report_sections.h"
#include "analysis/report/report_tables.h"
#include "analysis/report/table.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/findings.h"
#include "analysis/verdict/gates.h"
#include "analysis/verdict/verdicts.h"

namespace kbench::analysis {
namespace {

constexpr absl::string_view kBlameNote =
    "Parts say where a request waited, causes say why as far as the evidence goes. Shares are of "
    "this design's cells.";

std::string Heading(const CampaignEvidence& campaign) {
  return absl::StrFormat("Campaign %s, run %s, %s", campaign.name, campaign.run_id,
                         campaign.status);
}

std::string Origin(const CampaignAnalysis& analysis) {
  const CampaignEvidence& c = *analysis.campaign;
  return absl::StrFormat(
      "started %s; server %s; kbench %s; seed %d; %d cells, %d repetitions, %d runs, %d left out",
      c.started_utc, c.server, c.version, c.seed, c.cells.size(), c.repetitions, c.runs.size(),
      analysis.runs_left_out);
}

// Colours for a terminal, or nothing.
struct Paint {
  bool on = false;
  std::string Bold(absl::string_view s) const { return Wrapped("1", s); }
  std::string Warn(absl::string_view s) const { return Wrapped("33", s); }
  std::string Wrapped(absl::string_view code, absl::string_view s) const {
    return on ? absl::StrCat("\x1b[", code, "m", s, "\x1b[0m") : std::string(s);
  }
};

std::string TextCaveats(const CampaignAnalysis& analysis, int width, Paint paint) {
  if (analysis.caveats.empty()) return "No caveats.\n";
  std::string out = paint.Bold(absl::StrCat("Caveats (", analysis.caveats.size(), ")")) + "\n";
  for (const CampaignCaveat& caveat : analysis.caveats) {
    const std::string first = absl::StrCat("  ! ", Printable(caveat.code), ": ");
    std::string text = Wrap(Printable(Sentence(caveat, *analysis.campaign)), width, first, "    ");
    out += paint.Warn(absl::string_view(text).substr(0, first.size())) + text.substr(first.size());
  }
  return out;
}

std::string TextGates(const CampaignAnalysis& analysis, int width, Paint paint) {
  const std::vector<GateResult> results = JudgeGates(analysis);
  if (results.empty()) return "";
  std::string out = "\n" + paint.Bold(GatesLine(results)) + "\n";
  const TableSection section = GatesSection(results);
  return absl::StrCat(out, Wrap(section.note, width, "", ""), TextTable(section.table, width));
}

std::string TextSentences(const CampaignAnalysis& analysis, int width, Paint paint) {
  std::string out = paint.Bold("What can be said") + "\n";
  for (const CellOp& row : analysis.rows) {
    const std::string name = absl::StrCat(row.op, " ", row.cell->Label());
    out += Wrap(Printable(name), width, "  - ", "    ");
    for (const Finding& finding : FindingsOf(analysis, row)) {
      out += Wrap(Printable(finding.sentence), width,
                  absl::StrCat("      ", std::string(Name(finding.kind)), ": "), "        ");
    }
  }
  for (const TransportComparison& comparison : CompareTransports(analysis)) {
    out += Wrap(Printable(comparison.Sentence()), width, "  - ", "    ");
  }
  return out + Wrap(kBlameNote, width, "  ", "  ");
}

}  // namespace

std::string TextReport(const CampaignEvidence& campaign, const ReportOptions& options) {
  const int width = std::max(60, options.width);
  const Paint paint{options.color};
  const CampaignAnalysis analysis = Analyse(campaign);
  std::string out = paint.Bold(Printable(Heading(campaign))) + "\n";
  out += Wrap(Printable(Origin(analysis)), width, "", "");
  out += Wrap(Printable(SelftestText(campaign)), width, "self-test: ", "  ");
  absl::StrAppend(&out, "\n", TextCaveats(analysis, width, paint), "\n");
  out += Wrap(CountsLine(analysis), width, "", "  ");
  const std::string skew = SkewLine(StartSkewOf(analysis));
  if (!skew.empty()) out += Wrap(skew, width, "", "  ");
  const std::string loading = LoadingLine(campaign);
  if (!loading.empty()) out += Wrap(Printable(loading), width, "", "  ");
  out += TextGates(analysis, width, paint);
  for (const std::string& run : LeftOut(analysis)) {
    out += Wrap(Printable(absl::StrCat("left out: ", run)), width, "", "  ");
  }
  if (analysis.rows.empty()) return out + "\nNo complete run: nothing to show.\n";
  for (const std::string& op : analysis.ops()) {
    absl::StrAppend(&out, "\n", paint.Bold(Printable(OpTitle(analysis, op))), "\n");
    out += Wrap(
        "response time from the intended instant; medians over n repetitions; -: too few requests; "
        "failed: failed, lost or unsent",
        width, "", "");
    out += TextTable(LatencyTable(analysis, op), width);
    absl::StrAppend(&out, "\n", Wrap(kPartsLegend, width, "where it goes: ", ""));
    for (const std::string& line : EvidenceLines(analysis, op)) {
      out += Wrap(Printable(line), width, "", "  ");
    }
    out += TextTable(PartsTable(analysis, op), width);
  }
  for (const TableSection& section : TableSections(analysis)) {
    absl::StrAppend(&out, "\n", paint.Bold(Printable(section.title)), "\n",
                    Wrap(section.note, width, "", ""), TextTable(section.table, width));
  }
  return absl::StrCat(out, "\n", TextSentences(analysis, width, paint));
}

std::string MarkdownReport(const CampaignEvidence& campaign) {
  const CampaignAnalysis analysis = Analyse(campaign);
  const auto safe = [](absl::string_view text) {
    return absl::StrReplaceAll(Printable(text), {{"<", "&lt;"}, {"`", "'"}});
  };
  std::string out =
      absl::StrCat("# ", safe(Heading(campaign)), "\n\n", safe(Origin(analysis)),
                   "\n\nSelf-test: ", safe(SelftestText(campaign)), "\n\n## Caveats\n\n");
  if (analysis.caveats.empty()) out += "None.\n";
  for (const CampaignCaveat& caveat : analysis.caveats) {
    absl::StrAppend(&out, "- **", safe(caveat.code), "**: ", safe(Sentence(caveat, campaign)),
                    "\n");
  }
  absl::StrAppend(&out, "\n", CountsLine(analysis), "\n");
  const std::string skew = SkewLine(StartSkewOf(analysis));
  if (!skew.empty()) absl::StrAppend(&out, "\n", skew, "\n");
  const std::string loading = LoadingLine(campaign);
  if (!loading.empty()) absl::StrAppend(&out, "\n", safe(loading), "\n");
  if (analysis.runs_left_out > 0) out += "\n";
  for (const std::string& run : LeftOut(analysis)) {
    absl::StrAppend(&out, "- left out: ", safe(run), "\n");
  }
  const std::vector<GateResult> gates = JudgeGates(analysis);
  if (!gates.empty()) {
    const TableSection section = GatesSection(gates);
    absl::StrAppend(&out, "\n## ", safe(section.title), "\n\n", safe(GatesLine(gates)), ". ",
                    safe(section.note), "\n\n", MarkdownTable(section.table));
  }
  for (const std::string& op : analysis.ops()) {
    absl::StrAppend(&out, "\n## ", safe(OpTitle(analysis, op)), "\n\n",
                    MarkdownTable(LatencyTable(analysis, op)),
                    "\nWhere it goes: ", safe(kPartsLegend), "\n\n",
                    MarkdownTable(PartsTable(analysis, op)));
    for (const std::string& line : EvidenceLines(analysis, op)) {
      absl::StrAppend(&out, "\n", safe(line), "\n");
    }
  }
  for (const TableSection& section : TableSections(analysis)) {
    absl::StrAppend(&out, "\n## ", safe(section.title), "\n\n", safe(section.note), "\n\n",
                    MarkdownTable(section.table));
  }
  out += "\n## What can be said\n\n";
  for (const CellOp& row : analysis.rows) {
    absl::StrAppend(&out, "- ", row.op, " ", safe(row.cell->Label()), "\n");
    for (const Finding& finding : FindingsOf(analysis, row)) {
      absl::StrAppend(&out, "  - ", std::string(Name(finding.kind)), ": ", safe(finding.sentence),
                      "\n");
    }
  }
  for (const TransportComparison& comparison : CompareTransports(analysis)) {
    absl::StrAppend(&out, "- ", safe(comparison.Sentence()), "\n");
  }
  return absl::StrCat(out, "\n", kBlameNote, "\n");
}

}  // namespace kbench::analysis
