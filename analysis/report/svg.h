// Inline SVG, built by hand: no library, no request, and every text escaped on the way in. Colours
// are classes of html_style.h, so that one drawing serves light and dark.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kbench::analysis {

// Safe as text and inside a quoted attribute of HTML or SVG. Control characters that neither
// allows become U+FFFD.
std::string Escape(absl::string_view text);

enum class Anchor { kStart, kMiddle, kEnd };

struct Point {
  double x = 0;
  double y = 0;
};

class Svg {
 public:
  // `label` is what a screen reader says for the whole drawing.
  Svg(double width, double height, absl::string_view label);

  // `css` is one or more class names; `title` is shown on hover, and left out when empty.
  void Rect(double x, double y, double width, double height, absl::string_view css,
            absl::string_view title = "");
  void Line(Point from, Point to, absl::string_view css);
  void Text(Point at, absl::string_view text, Anchor anchor, absl::string_view css = "");
  void Circle(Point center, double radius, absl::string_view css, absl::string_view title = "");
  void Polyline(const std::vector<Point>& points, absl::string_view css);

  std::string ToString() const;

 private:
  void Close(absl::string_view element, absl::string_view title);

  std::string head_;
  std::string body_;
};

// A linear scale from 0 to at least `max`, with round ticks.
struct Ticks {
  double top = 1;
  double step = 1;
};
Ticks RoundTicks(double max, int about);

// 1, 2 and 5 times powers of ten, from the largest not above `low` to the smallest not below
// `high`; only powers of ten when that would be more than about eight.
std::vector<double> LogTicks(double low, double high);

// "20", "1.5": no more digits than needed, at most three behind the point.
std::string ShortNumber(double value);

}  // namespace kbench::analysis
