#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/evidence/loading.h"
#include "analysis/report/charts.h"
#include "analysis/report/html_style.h"
#include "analysis/report/report.h"
#include "analysis/report/report_sections.h"
#include "analysis/report/report_tables.h"
#include "analysis/report/svg.h"
#include "analysis/split/campaign_analysis.h"
#include "analysis/verdict/findings.h"
#include "analysis/verdict/gates.h"
#include "analysis/verdict/verdicts.h"

namespace kbench::analysis {
namespace {

std::string HtmlTable(const Table& table, absl::string_view css = "") {
  const auto numeric = [&](size_t column) {
    return static_cast<int>(column) >= table.text_columns;
  };
  std::string out = absl::StrCat("<div class=\"scroll\"><table class=\"", css, "\"><thead><tr>");
  for (size_t i = 0; i < table.header.size(); ++i) {
    absl::StrAppend(&out, numeric(i) ? "<th class=\"n\">" : "<th>", Escape(table.header[i]),
                    "</th>");
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&out, numeric(i) ? "<td class=\"n\">" : "<td class=\"wrap\">", Escape(row[i]),
                      "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string Section(absl::string_view title, absl::string_view note) {
  return absl::StrCat("<h2>", Escape(title), "</h2>\n<p class=\"note\">", Escape(note), "</p>\n");
}

std::string Header(const CampaignAnalysis& analysis) {
  const CampaignEvidence& c = *analysis.campaign;
  std::string out = absl::StrCat("<h1>", Escape(c.name), "</h1>\n<ul class=\"meta\">\n");
  const std::vector<std::pair<std::string, std::string>> facts = {
      {"run", c.run_id},
      {"status", c.status},
      {"started", c.started_utc},
      {"server", c.server},
      {"kbench", c.version},
      {"seed", absl::StrCat(c.seed)},
      {"cells", absl::StrCat(c.cells.size())},
      {"repetitions", absl::StrCat(c.repetitions)},
      {"runs", absl::StrCat(c.runs.size(), ", ", analysis.runs_left_out, " left out")},
      {"self-test", SelftestText(c)}};
  for (const auto& [name, value] : facts) {
    absl::StrAppend(&out, "<li>", name, " <b>", Escape(value), "</b></li>\n");
  }
  return out + "</ul>\n";
}

std::string Caveats(const CampaignAnalysis& analysis) {
  if (analysis.caveats.empty()) return "<p>No caveats.</p>\n";
  std::string out = absl::StrCat("<section class=\"caveats\"><h2>Caveats (",
                                 analysis.caveats.size(), ")</h2>\n<ul>\n");
  for (const CampaignCaveat& caveat : analysis.caveats) {
    absl::StrAppend(&out, "<li><code>", Escape(caveat.code), "</code> ",
                    Escape(Sentence(caveat, *analysis.campaign)), "</li>\n");
  }
  return out + "</ul></section>\n";
}

std::string Requests(const CampaignAnalysis& analysis) {
  std::string out = absl::StrCat("<p class=\"note\">", Escape(CountsLine(analysis)), "</p>\n");
  const std::string skew = SkewLine(StartSkewOf(analysis));
  if (!skew.empty()) absl::StrAppend(&out, "<p class=\"note\">", Escape(skew), "</p>\n");
  const std::string loading = LoadingLine(*analysis.campaign);
  if (!loading.empty()) absl::StrAppend(&out, "<p class=\"note\">", Escape(loading), "</p>\n");
  if (analysis.runs_left_out == 0) return out;
  out += "<ul class=\"note\">\n";
  for (const std::string& run : LeftOut(analysis)) {
    absl::StrAppend(&out, "<li>left out: ", Escape(run), "</li>\n");
  }
  return out + "</ul>\n";
}

std::string Gates(const CampaignAnalysis& analysis) {
  const std::vector<GateResult> results = JudgeGates(analysis);
  if (results.empty()) return "";
  const TableSection section = GatesSection(results);
  return absl::StrCat(Section(section.title, absl::StrCat(GatesLine(results), ". ", section.note)),
                      HtmlTable(section.table));
}

std::string PartsSection(const CampaignAnalysis& analysis) {
  std::string out = Section(
      "Where the time goes",
      "Parts of the mean response time, medians over repetitions, so that a bar's length is close "
      "to but not exactly the mean. Hatched: parts that this run's evidence cannot separate. Parts "
      "say where a request waited; why, as far as it is known, stands under \"What can be said\". "
      "Each group has its own scale.");
  out += PartsLegend(analysis);
  out +=
      "<input class=\"switch\" type=\"radio\" name=\"scale\" id=\"scale-absolute\" checked>"
      "<label for=\"scale-absolute\">time</label>\n"
      "<input class=\"switch\" type=\"radio\" name=\"scale\" id=\"scale-shares\">"
      "<label for=\"scale-shares\">shares</label>\n";
  std::string absolute, shares;
  for (const ChartGroup& group : ChartGroups(analysis)) {
    const std::string title = absl::StrCat("<h3>", Escape(group.title), "</h3>");
    absl::StrAppend(&absolute, title, "<div class=\"scroll\">",
                    PartsChart(group, BarScale::kAbsolute), "</div>\n");
    absl::StrAppend(&shares, title, "<div class=\"scroll\">", PartsChart(group, BarScale::kShares),
                    "</div>\n");
  }
  return absl::StrCat(out, "<div class=\"absolute\">\n", absolute,
                      "</div>\n<div class=\"shares\">\n", shares, "</div>\n");
}

using Chart = std::string (*)(const ChartGroup&, const std::vector<std::string>&);

std::string GridSection(const CampaignAnalysis& analysis, absl::string_view title,
                        absl::string_view note, Chart chart) {
  const std::vector<std::string> transports = Transports(analysis);
  std::string out =
      absl::StrCat(Section(title, note), TransportLegend(transports), "<div class=\"grid\">\n");
  for (const ChartGroup& group : ChartGroups(analysis)) {
    absl::StrAppend(&out, "<div><h3>", Escape(group.title), "</h3>", chart(group, transports),
                    "</div>\n");
  }
  return out + "</div>\n";
}

std::string EvidenceList(const CampaignAnalysis& analysis, const std::string& op) {
  std::string out;
  for (const std::string& line : EvidenceLines(analysis, op)) {
    absl::StrAppend(&out, "<p class=\"note\">", Escape(line), "</p>");
  }
  return out;
}

std::string TablesSection(const CampaignAnalysis& analysis) {
  std::string out = Section("Numbers",
                            "Response time from the intended instant; medians over n repetitions "
                            "with the 95 % interval of p50. cpu: all workers of a run over its "
                            "requests. failed: failed, lost or unsent.");
  for (const std::string& op : analysis.ops()) {
    absl::StrAppend(&out, "<h3>", Escape(OpTitle(analysis, op)), "</h3>",
                    HtmlTable(LatencyTable(analysis, op), "sortable"),
                    "<details><summary>Parts</summary><p class=\"note\">", Escape(kPartsLegend),
                    "</p>", EvidenceList(analysis, op), HtmlTable(PartsTable(analysis, op)),
                    "</details>\n");
  }
  for (const TableSection& section : TableSections(analysis)) {
    absl::StrAppend(&out, "<h3>", Escape(section.title), "</h3><p class=\"note\">",
                    Escape(section.note), "</p>", HtmlTable(section.table));
  }
  return out;
}

std::string SaidSection(const CampaignAnalysis& analysis) {
  std::string out = Section("What can be said",
                            "Bounds hold at this load and for these cells; a comparison of "
                            "transports pairs repetitions that ran next to each other.");
  out += "<ul class=\"said\">\n";
  for (const CellOp& row : analysis.rows) {
    absl::StrAppend(&out, "<li><b>", Escape(row.op), " ", Escape(row.cell->Label()), "</b><ul>");
    for (const Finding& finding : FindingsOf(analysis, row)) {
      absl::StrAppend(&out, "<li class=\"", std::string(Name(finding.kind)), "\">",
                      Escape(finding.sentence), "</li>");
    }
    out += "</ul></li>\n";
  }
  out += "</ul>\n";
  const std::vector<TransportComparison> comparisons = CompareTransports(analysis);
  if (comparisons.empty()) return out;
  Table table{.header = {"op", "levels", "compared", "p50 ratio [90 %]", "verdict"},
              .text_columns = 5};
  for (const TransportComparison& c : comparisons) {
    table.rows.push_back({c.op, c.rest, absl::StrCat(c.candidate, " / ", c.base), RatioText(c.p50),
                          VerdictText(c.verdict)});
  }
  return absl::StrCat(out, "<h3>Transports against each other</h3>\n",
                      HtmlTable(table, "sortable"));
}

std::string CountsTable(const CampaignAnalysis& analysis) {
  Table table{.header = {"cell", "rep", "run", "due", "sent", "unsent", "answered", "failed",
                         "lost", "samples", "note"}};
  table.text_columns = 3;
  for (const AnalysedRun& run : analysis.runs) {
    const OpCounts& c = run.summary.all.counts;
    int samples = 0;
    for (const result::RunResult& agent : run.evidence->agents) samples += agent.samples_size();
    table.rows.push_back({absl::StrCat(run.evidence->cell), absl::StrCat(run.evidence->repetition),
                          run.evidence->run_id, absl::StrCat(c.due), absl::StrCat(c.sent),
                          absl::StrCat(c.unsent), absl::StrCat(c.answered), absl::StrCat(c.failed),
                          absl::StrCat(c.lost), absl::StrCat(samples),
                          run.usable ? "" : run.left_out});
  }
  return absl::StrCat(
      "<details><summary>Counts of every run</summary><p class=\"note\">due = sent "
      "+ unsent; sent = answered + failed + lost</p>",
      HtmlTable(table), "</details>\n");
}

// Facts by name, with every distinct value that was seen and by whom.
using Facts = std::map<std::string, std::map<std::string, std::string>>;

// "tuned at 2026-11-26T17:19:08Z" and each setting with what was there before.
void AddTuning(const result::HostTuning& tuning, std::map<std::string, std::string>* facts) {
  std::string& state = (*facts)["tuning"];
  if (tuning.state().empty() || tuning.state() == "none") {
    state = "none on record";
  } else if (tuning.state() == "unreadable") {
    state = absl::StrCat("record unreadable: ", tuning.problem());
  } else {
    state = absl::StrCat(tuning.state(), " at ", tuning.changed_at());
  }
  if (tuning.undone() > 0) absl::StrAppend(&state, ", ", tuning.undone(), " settings undone since");
  for (const result::HostTuning::Setting& s : tuning.settings()) {
    std::string& text = (*facts)[absl::StrCat("tuning ", s.setting())];
    text = s.status();
    if (!s.reason().empty()) absl::StrAppend(&text, ": ", s.reason());
    if (!s.before().empty()) absl::StrAppend(&text, "; before: ", s.before());
    if (!s.wanted().empty()) absl::StrAppend(&text, "; wanted: ", s.wanted());
    if (!s.now().empty()) absl::StrAppend(&text, "; now: ", s.now());
  }
}

void AddHost(const result::RunResult& agent, Facts* facts) {
  const result::HostFacts& h = agent.host();
  std::map<std::string, std::string>& f = (*facts)[agent.agent()];
  f["host"] = h.hostname();
  f["kernel"] = h.kernel();
  f["cpu"] = absl::StrCat(h.cpu_model(), " x ", h.cpus());
  f["memory"] = absl::StrFormat("%.1f GiB", static_cast<double>(h.memory_bytes()) / (1 << 30));
  f["clocksource"] = h.clocksource();
  f["governor"] = h.governor();
  f["idle driver"] = h.idle_driver();
  f["congestion control"] = h.congestion_control();
  f["open files"] = absl::StrCat(h.open_files_limit());
  f["io_uring"] = h.io_uring_allowed() ? "allowed" : "not allowed";
  f["mitigations"] = h.mitigations();
  f["agent version"] = agent.agent_version();
  for (const auto& [name, value] : h.sysctls()) f[name] = value;
  AddTuning(h.tuning(), &f);
}

std::string FactsTable(const Facts& columns) {
  Table table{.header = {""}};
  std::vector<std::string> names;
  for (const auto& [column, facts] : columns) {
    table.header.push_back(column);
    for (const auto& [name, value] : facts) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  table.text_columns = static_cast<int>(table.header.size());
  for (const std::string& name : names) {
    std::vector<std::string> row = {name};
    for (const auto& [column, facts] : columns) {
      const auto it = facts.find(name);
      row.push_back(it == facts.end() ? "" : it->second);
    }
    table.rows.push_back(std::move(row));
  }
  return HtmlTable(table);
}

std::string CircumstancesSection(const CampaignAnalysis& analysis) {
  const CampaignEvidence& c = *analysis.campaign;
  Facts hosts, transports;
  for (const RunEvidence& run : c.runs) {
    for (const result::RunResult& agent : run.agents) {
      AddHost(agent, &hosts);
      for (const auto& [name, value] : agent.transport().facts()) {
        if (absl::StartsWith(name, kLoadFact)) continue;  // of a run, not of a transport
        transports[agent.transport().transport()][name] = value;
      }
    }
  }
  Table constants{.header = {"field", "value"}, .text_columns = 2};
  for (const auto& [field, value] : c.constants) constants.rows.push_back({field, value});
  for (const std::string& axis : c.axes) {
    std::vector<std::string> values;
    for (const CellInfo& cell : c.cells) {
      for (const Level& level : cell.levels) {
        if (level.axis == axis &&
            std::find(values.begin(), values.end(), level.value) == values.end()) {
          values.push_back(level.value);
        }
      }
    }
    std::string joined = "swept:";
    for (const std::string& value : values) absl::StrAppend(&joined, " ", value);
    constants.rows.push_back({axis, joined});
  }
  return absl::StrCat(
      Section("Circumstances", "What was granted, not what was asked."), CountsTable(analysis),
      "<details open><summary>Settings</summary>", HtmlTable(constants), "</details>\n",
      "<details><summary>Hosts</summary>", FactsTable(hosts), "</details>\n",
      "<details><summary>Transports</summary>", FactsTable(transports), "</details>\n",
      "<h3>To reproduce</h3>\n<p>kbench <code>", Escape(c.version), "</code>, seed <code>", c.seed,
      "</code>: run the <code>campaign.yaml</code> beside this file with <code>kbench run "
      "campaign.yaml</code>. Every number here is computed from the runs in this directory; "
      "<code>kbench report</code> makes this page again. Definitions: "
      "<code>docs/measurement.md</code>.</p>\n");
}

}  // namespace

std::string HtmlReport(const CampaignEvidence& campaign) {
  const CampaignAnalysis analysis = Analyse(campaign);
  std::string out = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      Escape(campaign.name), " - kbench</title>\n<style>", kHtmlStyle,
      "</style>\n</head>\n<body>\n", ChartDefinitions(), Header(analysis), Caveats(analysis),
      Requests(analysis), Gates(analysis));
  if (analysis.rows.empty()) {
    out += "<p>No complete run: nothing to show.</p>\n";
  } else {
    out += PartsSection(analysis);
    out += GridSection(analysis, "Response time percentiles",
                       "From the intended instant to decoded; medians over repetitions of each "
                       "run's own percentile, as far as the number of requests carries.",
                       PercentileChart);
    out += GridSection(analysis, "Throughput",
                       "Good answers that came within the window, per second: median, 95 % "
                       "interval, and one dot per repetition.",
                       ThroughputChart);
    out += TablesSection(analysis);
    out += SaidSection(analysis);
  }
  return absl::StrCat(out, CircumstancesSection(analysis), "<script>", kHtmlScript,
                      "</script>\n</body>\n</html>\n");
}

}  // namespace kbench::analysis
