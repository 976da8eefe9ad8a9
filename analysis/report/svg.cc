#include "analysis/report/svg.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kbench::analysis {
namespace {

absl::string_view Name(Anchor anchor) {
  switch (anchor) {
    case Anchor::kStart:
      return "start";
    case Anchor::kMiddle:
      return "middle";
    case Anchor::kEnd:
      return "end";
  }
  return "start";
}

}  // namespace

std::string Escape(absl::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          out += "\xef\xbf\xbd";
        } else {
          out += c;
        }
    }
  }
  return out;
}

Svg::Svg(double width, double height, absl::string_view label) {
  head_ = absl::StrFormat(
      "<svg role=\"img\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" aria-label=\"%s\">\n",
      width, height, width, height, Escape(label));
}

void Svg::Close(absl::string_view element, absl::string_view title) {
  if (title.empty()) {
    body_ += "/>\n";
  } else {
    absl::StrAppend(&body_, "><title>", Escape(title), "</title></", element, ">\n");
  }
}

void Svg::Rect(double x, double y, double width, double height, absl::string_view css,
               absl::string_view title) {
  absl::StrAppendFormat(&body_,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"",
                        x, y, std::max(0.0, width), height, Escape(css));
  Close("rect", title);
}

void Svg::Line(Point from, Point to, absl::string_view css) {
  absl::StrAppendFormat(&body_,
                        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n",
                        from.x, from.y, to.x, to.y, Escape(css));
}

void Svg::Text(Point at, absl::string_view text, Anchor anchor, absl::string_view css) {
  absl::StrAppendFormat(&body_,
                        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n",
                        at.x, at.y, Name(anchor), Escape(css), Escape(text));
}

void Svg::Circle(Point center, double radius, absl::string_view css, absl::string_view title) {
  absl::StrAppendFormat(&body_, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" class=\"%s\"", center.x,
                        center.y, radius, Escape(css));
  Close("circle", title);
}

void Svg::Polyline(const std::vector<Point>& points, absl::string_view css) {
  body_ += "<polyline points=\"";
  for (const Point& p : points) absl::StrAppendFormat(&body_, "%.1f,%.1f ", p.x, p.y);
  absl::StrAppend(&body_, "\" class=\"", Escape(css), "\"/>\n");
}

std::string Svg::ToString() const { return absl::StrCat(head_, body_, "</svg>\n"); }

Ticks RoundTicks(double max, int about) {
  if (!(max > 0)) return {};
  const double raw = max / about;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (double m : {1.0, 2.0, 5.0}) {
    if (m * power >= raw * (1 - 1e-9)) {
      step = m * power;
      break;
    }
  }
  return {.top = std::ceil(max / step - 1e-9) * step, .step = step};
}

std::vector<double> LogTicks(double low, double high) {
  std::vector<double> all, tens;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  for (int e = first; e <= last; ++e) {
    const double power = std::pow(10.0, e);
    tens.push_back(power);
    for (double m : {1.0, 2.0, 5.0}) all.push_back(m * power);
  }
  // Keep one tick at or below `low` and one at or above `high`.
  const auto trim = [&](std::vector<double>* ticks) {
    while (ticks->size() > 1 && (*ticks)[1] <= low) ticks->erase(ticks->begin());
    while (ticks->size() > 1 && (*ticks)[ticks->size() - 2] >= high) ticks->pop_back();
  };
  trim(&all);
  trim(&tens);
  return all.size() <= 9 ? all : tens;
}

std::string ShortNumber(double value) {
  std::string text = absl::StrFormat("%.3f", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace kbench::analysis
