#include "analysis/report/table.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace kbench::analysis {
namespace {

constexpr int kGap = 2;
constexpr int kNarrowest = 6;  // of a text column that is cut

bool ContinuesCodePoint(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::string Cut(absl::string_view text, int width) {
  if (CodePoints(text) <= width) return std::string(text);
  size_t bytes = 0;
  for (int points = 0; bytes < text.size(); ++bytes) {
    if (!ContinuesCodePoint(text[bytes]) && ++points == width) break;
  }
  return absl::StrCat(text.substr(0, bytes), "~");
}

std::string Pad(absl::string_view text, int width, bool left) {
  const std::string spaces(std::max(0, width - CodePoints(text)), ' ');
  return left ? absl::StrCat(text, spaces) : absl::StrCat(spaces, text);
}

// Whether two texts of the column that differ would look the same in this width.
bool WouldConfuse(const Table& table, size_t column, int width) {
  std::set<std::string> whole, cut;
  for (const auto& row : table.rows) {
    if (column >= row.size()) continue;
    whole.insert(row[column]);
    cut.insert(Cut(row[column], width));
  }
  return cut.size() < whole.size();
}

std::vector<int> Widths(const Table& table, int width) {
  std::vector<int> widths;
  for (const std::string& name : table.header) widths.push_back(CodePoints(name));
  for (const auto& row : table.rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], CodePoints(row[i]));
  }
  const auto total = [&] {
    int sum = kGap * static_cast<int>(widths.size() - 1);
    for (int w : widths) sum += w;
    return sum;
  };
  // The widest that can be cut is, down to where what it says could not be told apart any more:
  // then the line is too long, and says what it should.
  std::vector<int> narrowest(static_cast<size_t>(table.text_columns), kNarrowest);
  while (total() > width) {
    int widest = -1;
    for (int i = 0; i < table.text_columns; ++i) {
      if (widths[i] > narrowest[i] && (widest < 0 || widths[i] > widths[widest])) widest = i;
    }
    if (widest < 0) break;
    if (WouldConfuse(table, static_cast<size_t>(widest), widths[widest] - 1)) {
      narrowest[widest] = widths[widest];
    } else {
      --widths[widest];
    }
  }
  return widths;
}

std::string Line(const std::vector<std::string>& cells, const std::vector<int>& widths,
                 int text_columns) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line.append(kGap, ' ');
    line += Pad(Cut(cells[i], widths[i]), widths[i], static_cast<int>(i) < text_columns);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string MarkdownCell(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}, {"<", "&lt;"}});
}

}  // namespace

int CodePoints(absl::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return !ContinuesCodePoint(c); }));
}

std::string Printable(absl::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::string TextTable(const Table& table, int width) {
  const std::vector<int> widths = Widths(table, width);
  std::string out = Line(table.header, widths, table.text_columns);
  for (const auto& row : table.rows) out += Line(row, widths, table.text_columns);
  return out;
}

std::string MarkdownTable(const Table& table) {
  std::string out = "|", rule = "|";
  for (size_t i = 0; i < table.header.size(); ++i) {
    absl::StrAppend(&out, " ", MarkdownCell(table.header[i]), " |");
    absl::StrAppend(&rule, static_cast<int>(i) < table.text_columns ? " --- |" : " ---: |");
  }
  absl::StrAppend(&out, "\n", rule, "\n");
  for (const auto& row : table.rows) {
    out += "|";
    for (const std::string& cell : row) absl::StrAppend(&out, " ", MarkdownCell(cell), " |");
    out += "\n";
  }
  return out;
}

std::string Wrap(absl::string_view text, int width, absl::string_view first,
                 absl::string_view rest) {
  std::string out(first);
  int column = CodePoints(first);
  bool at_start = true;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const int length = CodePoints(word);
    if (!at_start && column + 1 + length > width) {
      absl::StrAppend(&out, "\n", rest);
      column = CodePoints(rest);
      at_start = true;
    }
    absl::StrAppend(&out, at_start ? "" : " ", word);
    column += length + (at_start ? 0 : 1);
    at_start = false;
  }
  return out + "\n";
}

}  // namespace kbench::analysis
