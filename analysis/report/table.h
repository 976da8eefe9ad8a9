// Plain tables and paragraphs: text padded to columns, Markdown with pipes. Widths count code
// points, so that a name in UTF-8 does not shift its row.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kbench::analysis {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  int text_columns = 1;  // the first ones, aligned left; the others are numbers, aligned right
};

// Cells of text columns are cut, with "~", when the table would exceed `width`.
std::string TextTable(const Table& table, int width);
std::string MarkdownTable(const Table& table);

// Words wrapped to `width`; the first line after `first`, the others after `rest`.
std::string Wrap(absl::string_view text, int width, absl::string_view first,
                 absl::string_view rest);

int CodePoints(absl::string_view text);
// Control characters, which could steer a terminal, replaced by '?'.
std::string Printable(absl::string_view text);

}  // namespace kbench::analysis
