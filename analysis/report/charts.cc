#include "analysis/report/charts.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "analysis/report/report_tables.h"
#include "analysis/report/svg.h"
#include "analysis/verdict/verdicts.h"
#include "base/units.h"

namespace kbench::analysis {
namespace {

constexpr int kSeriesColours = 6;

// Class of a part's fill: "part-network", "part-client_send-network" for a merged one.
// That of a client program, of which no more is known, has the colour of what is next to the wire.
std::string ColourOf(const std::string& part) {
  return part == kClientPart ? "client_send" : absl::StrReplaceAll(part, {{"+", "-"}});
}

std::string PartClass(const std::string& part) {
  return absl::StrCat("part ", "part-", ColourOf(part));
}

int SeriesIndex(const std::vector<std::string>& transports, const std::string& transport) {
  const auto at = std::find(transports.begin(), transports.end(), transport);
  return static_cast<int>(at - transports.begin()) % kSeriesColours;
}

// A unit in which `max_ns` has few digits.
struct Unit {
  double ns = 1e3;
  const char* name = "us";
};

Unit UnitFor(double max_ns) { return max_ns >= 2e7 ? Unit{1e6, "ms"} : Unit{1e3, "us"}; }

double SumOfParts(const CellOp& row) {
  double sum = 0;
  for (const CellPart& part : row.parts) sum += std::max(0.0, part.mean_ns.value);
  return sum;
}

std::string RowName(const CellOp& row) {
  return row.transport.empty() ? std::string("all") : row.transport;
}

std::string PartTitle(const CellOp& row, const CellPart& part) {
  std::string title =
      absl::StrFormat("%s, %s: %s, %.1f %% of mean response", RowName(row), part.name,
                      HumanDuration(part.mean_ns.value), 100 * part.share.value);
  if (part.share.interval) {
    absl::StrAppendFormat(&title, " [%.1f, %.1f]", 100 * part.share.interval->low,
                          100 * part.share.interval->high);
  }
  absl::StrAppendFormat(&title, "; own p50 %s, own p99 %s; %d repetitions",
                        HumanDuration(part.p50_ns.value), HumanDuration(part.p99_ns.value),
                        part.mean_ns.n());
  if (absl::StrContains(part.name, "+")) absl::StrAppend(&title, "; not separated further");
  return title;
}

// Geometry of one parts chart.
constexpr double kBarsLeft = 78;
constexpr double kBarsWidth = 860;
constexpr double kBarsRight = 92;
constexpr double kBarHeight = 22;
constexpr double kBarPitch = 28;
constexpr double kAxisHeight = 34;

void DrawBar(const CellOp& row, double y, double ns_per_pixel, Svg* svg) {
  double x = kBarsLeft;
  for (const CellPart& part : row.parts) {
    const double width = std::max(0.0, part.mean_ns.value) / ns_per_pixel;
    svg->Rect(x, y, width, kBarHeight, PartClass(part.name), PartTitle(row, part));
    if (width > 44) {
      const bool merged = absl::StrContains(part.name, "+");
      const std::string label = absl::StrFormat("%.0f %%", 100 * part.share.value);
      if (merged) svg->Rect(x + width / 2 - 19, y + 4, 38, kBarHeight - 8, "plate");
      svg->Text({x + width / 2, y + 15.5}, label, Anchor::kMiddle,
                merged ? "small" : absl::StrCat("in-", ColourOf(part.name)));
    }
    x += width;
  }
  svg->Text({x + 6, y + 15.5}, HumanDuration(SumOfParts(row)), Anchor::kStart, "small number");
}

void DrawAxis(double left, double width, double y, double top, double step, absl::string_view unit,
              double per_unit, Svg* svg) {
  svg->Line({left, y}, {left + width, y}, "axis");
  const int last = static_cast<int>(top / step + 1e-9);
  for (int i = 0; i <= last; ++i) {
    const double value = i * step;
    const double x = left + width * value / top;
    svg->Line({x, y}, {x, y + 4}, "axis");
    std::string label = ShortNumber(value / per_unit);
    if (i == last) absl::StrAppend(&label, " ", unit);
    svg->Text({x, y + 17}, label, Anchor::kMiddle, "small");
  }
}

double LogDepth(double percentile) { return -std::log10(1 - percentile / 100); }

struct PlotArea {
  double left = 56, top = 12, width = 270, height = 180;
};

void DrawLogAxis(const PlotArea& area, const std::vector<double>& ticks, Unit unit, Svg* svg) {
  const double low = std::log10(ticks.front());
  const double span = std::log10(ticks.back()) - low;
  for (double tick : ticks) {
    const double y = area.top + area.height * (1 - (std::log10(tick) - low) / span);
    svg->Line({area.left, y}, {area.left + area.width, y}, "grid");
    svg->Text({area.left - 6, y + 4}, ShortNumber(tick), Anchor::kEnd, "small");
  }
  svg->Text({4, area.top + area.height + 34}, absl::StrCat(unit.name, " (log)"), Anchor::kStart,
            "small muted");
}

// The mark of a series: shape as well as colour.
void DrawMark(Point p, int series, absl::string_view title, Svg* svg) {
  const std::string css = absl::StrCat("mark s", series);
  if (series % 3 == 1) {
    svg->Rect(p.x - 3, p.y - 3, 6, 6, css, title);
  } else {
    svg->Circle(p, series % 3 == 0 ? 3.2 : 2.2, css, title);
  }
}

}  // namespace

std::vector<ChartGroup> ChartGroups(const CampaignAnalysis& analysis) {
  std::vector<ChartGroup> groups;
  for (const CellOp& row : analysis.rows) {
    auto same = std::find_if(groups.begin(), groups.end(), [&](const ChartGroup& g) {
      return g.rows.front()->op == row.op && g.rows.front()->rest == row.rest;
    });
    if (same != groups.end()) {
      same->rows.push_back(&row);
      continue;
    }
    std::string title = row.op;
    const std::vector<std::string> varying = VaryingAxes(analysis, row.op);
    for (const Level& level : row.cell->levels) {
      if (level.value == LevelOf(*row.cell, "transport")) continue;
      if (std::find(varying.begin(), varying.end(), level.axis) == varying.end()) continue;
      absl::StrAppend(&title, ", ", ShortAxis(level.axis), " ", level.value);
    }
    groups.push_back({title, {&row}});
  }
  return groups;
}

std::vector<std::string> Transports(const CampaignAnalysis& analysis) {
  std::vector<std::string> transports;
  for (const CellOp& row : analysis.rows) {
    if (std::find(transports.begin(), transports.end(), row.transport) == transports.end()) {
      transports.push_back(row.transport);
    }
  }
  return transports;
}

std::string PartsChart(const ChartGroup& group, BarScale scale) {
  double longest = 0;
  for (const CellOp* row : group.rows) longest = std::max(longest, SumOfParts(*row));
  const double bars = kBarPitch * static_cast<double>(group.rows.size());
  Svg svg(kBarsLeft + kBarsWidth + kBarsRight, bars + kAxisHeight,
          absl::StrCat("Parts of the mean response time, ", group.title));
  const Unit unit = UnitFor(longest);
  const Ticks ticks = RoundTicks(longest / unit.ns, 6);
  const double width_ns = scale == BarScale::kAbsolute ? ticks.top * unit.ns : 0;
  double y = 2;
  for (const CellOp* row : group.rows) {
    svg.Text({kBarsLeft - 8, y + 15.5}, RowName(*row), Anchor::kEnd);
    const double full = scale == BarScale::kAbsolute ? width_ns : SumOfParts(*row);
    if (row->parts.empty() || full <= 0) {
      svg.Text({kBarsLeft + 6, y + 15.5}, "parts not available", Anchor::kStart, "small muted");
    } else {
      DrawBar(*row, y, full / kBarsWidth, &svg);
    }
    y += kBarPitch;
  }
  if (scale == BarScale::kAbsolute) {
    DrawAxis(kBarsLeft, kBarsWidth, y + 2, ticks.top, ticks.step, unit.name, 1, &svg);
  } else {
    DrawAxis(kBarsLeft, kBarsWidth, y + 2, 100, 20, "%", 1, &svg);
  }
  return svg.ToString();
}

std::string PercentileChart(const ChartGroup& group, const std::vector<std::string>& transports) {
  const PlotArea area;
  Svg svg(area.left + area.width + 26, area.top + area.height + 42,  // room for half of "p99.99"
          absl::StrCat("Response time percentiles, ", group.title));
  double low = INFINITY, high = 0, deepest = 90;
  for (const CellOp* row : group.rows) {
    for (const CurvePoint& p : row->curve) {
      if (p.response_ns <= 0) continue;
      low = std::min(low, p.response_ns);
      high = std::max(high, p.response_ns);
      deepest = std::max(deepest, p.percentile);
    }
  }
  if (high == 0) {
    svg.Text({area.left, area.top + 20}, "too few requests", Anchor::kStart, "small muted");
    return svg.ToString();
  }
  const Unit unit = UnitFor(high);
  std::vector<double> ticks = LogTicks(low / unit.ns, high / unit.ns);
  if (ticks.size() < 2) ticks = {ticks.front(), ticks.front() * 10};
  DrawLogAxis(area, ticks, unit, &svg);
  const double x0 = LogDepth(50), x_span = LogDepth(deepest) - x0;
  const double y0 = std::log10(ticks.front()), y_span = std::log10(ticks.back()) - y0;
  const auto place = [&](double percentile, double ns) {
    return Point{area.left + area.width * (LogDepth(percentile) - x0) / x_span,
                 area.top + area.height * (1 - (std::log10(ns / unit.ns) - y0) / y_span)};
  };
  for (double p : {50.0, 90.0, 99.0, 99.9, 99.99}) {
    if (p > deepest) break;
    const double x = place(p, high).x;
    svg.Line({x, area.top}, {x, area.top + area.height}, "grid");
    svg.Text({x, area.top + area.height + 17}, absl::StrCat("p", ShortNumber(p)), Anchor::kMiddle,
             "small");
  }
  for (const CellOp* row : group.rows) {
    const int series = SeriesIndex(transports, row->transport);
    std::vector<Point> points;
    for (const CurvePoint& p : row->curve) {
      if (p.response_ns > 0) points.push_back(place(p.percentile, p.response_ns));
    }
    svg.Polyline(points, absl::StrCat("curve s", series));
    for (const CurvePoint& p : row->curve) {
      if (p.response_ns <= 0) continue;
      DrawMark(place(p.percentile, p.response_ns), series,
               absl::StrCat(RowName(*row), " p", ShortNumber(p.percentile), ": ",
                            HumanDuration(p.response_ns), ", ", row->p50_ns.n(), " repetitions"),
               &svg);
    }
  }
  return svg.ToString();
}

std::string ThroughputChart(const ChartGroup& group, const std::vector<std::string>& transports) {
  constexpr double kLeft = 64, kWidth = 250, kPitch = 28;
  double most = 0;
  for (const CellOp* row : group.rows) {
    most = std::max(most, row->answered_per_s.value);
    for (double v : row->answered_per_s.values) most = std::max(most, v);
  }
  Svg svg(kLeft + kWidth + 30, kPitch * static_cast<double>(group.rows.size()) + 38,
          absl::StrCat("Answered requests per second, ", group.title));
  const Ticks ticks = RoundTicks(most, 4);
  const auto at = [&](double v) { return kLeft + kWidth * v / ticks.top; };
  double y = 2;
  for (const CellOp* row : group.rows) {
    const Estimate& rate = row->answered_per_s;
    const int series = SeriesIndex(transports, row->transport);
    svg.Text({kLeft - 8, y + 15}, RowName(*row), Anchor::kEnd);
    std::string title = absl::StrCat(RowName(*row), ": median ", FormatCount(rate.value), " ops/s");
    if (rate.interval) {
      absl::StrAppend(&title, ", 95 % [", FormatCount(rate.interval->low), ", ",
                      FormatCount(rate.interval->high), "], ", rate.n(), " repetitions");
    }
    svg.Rect(kLeft, y + 3, at(rate.value) - kLeft, 16, absl::StrCat("bar s", series), title);
    if (rate.interval) {
      const double low = at(rate.interval->low), high = at(rate.interval->high), mid = y + 11;
      svg.Line({low, mid}, {high, mid}, "whisker");
      svg.Line({low, mid - 5}, {low, mid + 5}, "whisker");
      svg.Line({high, mid - 5}, {high, mid + 5}, "whisker");
    }
    for (double v : rate.values) {
      svg.Circle({at(v), y + 11}, 2.6, "dot", absl::StrCat(FormatCount(v), " ops/s"));
    }
    y += kPitch;
  }
  const bool thousands = ticks.top >= 10000;
  DrawAxis(kLeft, kWidth, y + 2, ticks.top, ticks.step, thousands ? "k" : "", thousands ? 1000 : 1,
           &svg);
  svg.Text({kLeft + kWidth, y + 34}, "ops/s", Anchor::kEnd, "small muted");
  return svg.ToString();
}

std::string ChartDefinitions() {
  // One hatch per combination that PartNames() can give; each stripe is a part in it.
  std::string out =
      "<svg width=\"0\" height=\"0\" aria-hidden=\"true\" style=\"position:absolute\"><defs>\n";
  for (bool send : {false, true}) {
    for (bool receive : {false, true}) {
      for (bool server : {false, true}) {
        if (send && receive && server) continue;
        std::vector<std::string> inside = {"network"};
        if (!send) inside.insert(inside.begin(), "client_send");
        if (!server) inside.push_back("server");
        if (!receive) inside.push_back("client_receive");
        std::string id;
        for (const std::string& part : inside) absl::StrAppend(&id, id.empty() ? "" : "-", part);
        const size_t stripe = 5;
        absl::StrAppend(&out, "<pattern id=\"hatch-", id, "\" width=\"", stripe * inside.size(),
                        "\" height=\"8\" patternUnits=\"userSpaceOnUse\" "
                        "patternTransform=\"rotate(45)\">");
        for (size_t i = 0; i < inside.size(); ++i) {
          absl::StrAppend(&out, "<rect x=\"", i * stripe, "\" width=\"", stripe,
                          "\" height=\"8\" class=\"part-", inside[i], "\"/>");
        }
        absl::StrAppend(&out, "</pattern>\n");
      }
    }
  }
  return absl::StrCat(out, "</defs></svg>\n");
}

std::string PartsLegend(const CampaignAnalysis& analysis) {
  std::vector<std::string> names;
  for (const std::string& name : PartNames({})) names.push_back(name);
  for (const CellOp& row : analysis.rows) {
    for (const CellPart& part : row.parts) {
      if (std::find(names.begin(), names.end(), part.name) == names.end()) {
        names.push_back(part.name);
      }
    }
  }
  std::string out = "<ul class=\"legend\">\n";
  for (const std::string& name : names) {
    absl::StrAppend(&out,
                    "<li><svg width=\"16\" height=\"12\" aria-hidden=\"true\"><rect width=\"16\" "
                    "height=\"12\" class=\"",
                    PartClass(name), "\"/></svg>", Escape(name), "</li>\n");
  }
  return absl::StrCat(out, "</ul>\n");
}

std::string TransportLegend(const std::vector<std::string>& transports) {
  std::string out = "<ul class=\"legend\">\n";
  for (const std::string& transport : transports) {
    Svg sample(24, 12, transport);
    const int series = SeriesIndex(transports, transport);
    sample.Polyline({{0, 6}, {24, 6}}, absl::StrCat("curve s", series));
    DrawMark({12, 6}, series, "", &sample);
    absl::StrAppend(&out, "<li>", sample.ToString(), Escape(transport), "</li>\n");
  }
  return absl::StrCat(out, "</ul>\n");
}

}  // namespace kbench::analysis
