// The two forms of what parts answered to known delays.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analysis/report/json_forms.h"
#include "analysis/report/report_tables.h"
#include "analysis/report/table.h"
#include "analysis/split/dose_response.h"

namespace kbench::analysis {
namespace {

std::string Title(const DoseResponse& r) {
  return absl::StrCat(r.experiment.name, ", ", r.transport, ", ", std::string(Name(r.pass)),
                      r.evidence.empty() ? "" : absl::StrCat(" (", r.evidence, ")"),
                      r.left_out == 0 ? ""
                                      : absl::StrCat("; ", r.left_out, " of ", r.runs + r.left_out,
                                                     " runs had poorer evidence"));
}

Table DoseTable(const DoseResponse& r) {
  Table table{.header = {"part", "slope", "95 %", "must be", ""}, .text_columns = 1};
  for (double dose : r.doses_ns) {
    table.header.push_back(absl::StrCat("+", FormatUs(dose)));
  }
  for (const Slope& slope : r.slopes) {
    std::vector<std::string> row = {
        slope.part, absl::StrFormat("%.3f", slope.value),
        absl::StrFormat("[%.3f, %.3f]", slope.interval.low, slope.interval.high),
        absl::StrFormat("%d +- %.2f", slope.injected ? 1 : 0, slope.tolerance),
        slope.ok ? "ok" : "WRONG"};
    for (double ns : r.medians_ns.at(slope.part)) row.push_back(FormatUs(ns));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

std::string ResponsesText(const std::vector<DoseResponse>& responses, int width) {
  std::string out;
  for (const DoseResponse& r : responses) {
    absl::StrAppend(&out, r.ok() ? "ok     " : "WRONG  ", Title(r), "\n");
    if (!r.fault.empty()) {
      absl::StrAppend(&out, Wrap(Printable(r.fault), width, "  no answer: ", "    "));
      continue;
    }
    absl::StrAppend(&out, TextTable(DoseTable(r), width), "\n");
  }
  if (out.empty()) return out;
  return absl::StrCat("What parts answered to delays of known size: slopes (Theil-Sen over runs), ",
                      "and each part's p50 in us\nby dose in us\n\n", out);
}

std::string ResponsesJson(const std::vector<DoseResponse>& responses) {
  Json json = Json::array();
  for (const DoseResponse& r : responses) {
    Json one = {{"experiment", r.experiment.name},
                {"injected_into", r.experiment.part},
                {"transport", r.transport},
                {"pass", std::string(Name(r.pass))},
                {"evidence", r.evidence},
                {"runs", r.runs},
                {"runs_left_out", r.left_out},
                {"ok", r.ok()},
                {"fault", r.fault},
                {"doses_ns", r.doses_ns}};
    one["parts"] = Json::array();
    for (const Slope& slope : r.slopes) {
      one["parts"].push_back({{"part", slope.part},
                              {"slope", slope.value},
                              {"low_95", slope.interval.low},
                              {"high_95", slope.interval.high},
                              {"must_be", slope.injected ? 1 : 0},
                              {"tolerance", slope.tolerance},
                              {"ok", slope.ok},
                              {"median_p50_ns", r.medians_ns.at(slope.part)}});
    }
    json.push_back(std::move(one));
  }
  return Dump(json);
}

}  // namespace kbench::analysis
