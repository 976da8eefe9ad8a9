#include "agent/program/own_figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kbench {
namespace {

using Json = nlohmann::json;

constexpr double kMostNs = 9e18;
constexpr double kAllOfLatency = 0.99;  // clat over lat, above which clat is all of it
constexpr size_t kReadOver = 16;        // how often text may be gone through for an object in it

// "latency_us" as {latency, 1000}.
std::optional<std::pair<std::string, double>> Quantity(absl::string_view column) {
  static constexpr std::pair<absl::string_view, double> kUnits[] = {
      {"_ns", 1}, {"_us", 1e3}, {"_ms", 1e6}, {"_s", 1e9}};
  for (const auto& [suffix, ns] : kUnits) {
    absl::string_view name = column;
    if (!absl::ConsumeSuffix(&name, suffix)) continue;
    if (name == "latency" || name == "mean" || name == "p50" || name == "p99") {
      return std::pair(std::string(name), ns);
    }
  }
  return std::nullopt;
}

// Where the known columns of a CSV stand.
struct Columns {
  struct Column {
    size_t at = 0;
    double ns = 1;
    std::string name;
  };
  std::map<std::string, Column> quantities;
  std::optional<size_t> op, count;
  size_t number = 0;

  bool Found() const { return quantities.contains("latency") || quantities.contains("mean"); }
};

std::vector<std::string> Cells(absl::string_view line) {
  std::vector<std::string> cells;
  for (absl::string_view cell : absl::StrSplit(line, ',')) {
    cells.emplace_back(absl::StripAsciiWhitespace(cell));
  }
  return cells;
}

Columns ReadNames(absl::string_view line) {
  Columns columns;
  const std::vector<std::string> names = Cells(line);
  columns.number = names.size();
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == "op") columns.op = i;
    if (names[i] == "count") columns.count = i;
    const auto quantity = Quantity(names[i]);
    if (quantity) {
      columns.quantities[quantity->first] = {.at = i, .ns = quantity->second, .name = names[i]};
    }
  }
  return columns;
}

std::optional<double> NsAt(const std::vector<std::string>& cells, const Columns& columns,
                           const char* name) {
  const auto column = columns.quantities.find(name);
  double value = 0;
  if (column == columns.quantities.end() || !absl::SimpleAtod(cells[column->second.at], &value)) {
    return std::nullopt;
  }
  value *= column->second.ns;
  if (!(value >= 0 && value < kMostNs)) return std::nullopt;
  return value;
}

// False: the line is not one of the table.
bool TakeLine(const std::vector<std::string>& cells, const Columns& columns,
              std::vector<OwnFigure>* figures) {
  if (cells.size() != columns.number) return false;
  const std::string op = columns.op ? cells[*columns.op] : "";
  const bool each = columns.quantities.contains("latency");
  const auto value = NsAt(cells, columns, each ? "latency" : "mean");
  if (!value) return false;
  auto figure = std::find_if(figures->begin(), figures->end(),
                             [&](const OwnFigure& f) { return each && f.op == op; });
  if (figure == figures->end()) {
    const Columns::Column& column = columns.quantities.at(each ? "latency" : "mean");
    figures->push_back(
        {.op = op, .source = absl::StrCat("csv, ", column.name, each ? " of each request" : "")});
    figure = figures->end() - 1;
  }
  if (each) {
    figure->each_ns.push_back(static_cast<int64_t>(std::llround(*value)));
    return true;
  }
  figure->mean_ns = *value;
  figure->p50_ns = NsAt(cells, columns, "p50");
  figure->p99_ns = NsAt(cells, columns, "p99");
  if (columns.count) (void)absl::SimpleAtoi(cells[*columns.count], &figure->count);
  return true;
}

OwnFigures ReadCsv(absl::string_view output) {
  OwnFigures own;
  std::optional<Columns> columns;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (!columns) {
      Columns found = ReadNames(line);
      if (found.Found()) columns = std::move(found);
      continue;
    }
    if (!TakeLine(Cells(line), *columns, &own.figures)) break;
  }
  for (OwnFigure& figure : own.figures) {
    if (!figure.each_ns.empty()) SumUp(&figure);
  }
  if (!columns) {
    own.problem =
        "no line of its output names a column latency_ns, latency_us, latency_ms, "
        "latency_s or mean_... (CSV)";
  } else if (own.figures.empty()) {
    own.problem = "below the column names of its CSV no line has a value";
  }
  return own;
}

// ---- fio ----

double NumberAt(const Json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_number() ? at->get<double>() : 0;
}

std::optional<double> PercentileAt(const Json& latency, const char* name) {
  const auto all = latency.find("percentile");
  if (all == latency.end() || !all->is_object()) return std::nullopt;
  const auto at = all->find(name);
  if (at == all->end() || !at->is_number()) return std::nullopt;
  return at->get<double>();
}

// Of one direction of one job; false: it had no request.
bool TakeDirection(const Json& direction, const char* op, const std::string& name,
                   OwnFigure* figure) {
  const double count = NumberAt(direction, "total_ios");
  const auto latency = direction.find("lat_ns");
  if (count <= 0 || latency == direction.end() || !latency->is_object()) return false;
  const Json* percentiles = &*latency;
  absl::string_view whose;
  const auto completion = direction.find("clat_ns");
  const double mean = NumberAt(*latency, "mean");
  if (!latency->contains("percentile") && completion != direction.end() &&
      completion->is_object() && completion->contains("percentile") &&
      NumberAt(*completion, "mean") >= kAllOfLatency * mean) {
    percentiles = &*completion;
    whose = ", percentiles of clat_ns";
  }
  *figure = {.op = op,
             .count = static_cast<uint64_t>(count),
             .mean_ns = mean,
             .p50_ns = PercentileAt(*percentiles, "50.000000"),
             .p99_ns = PercentileAt(*percentiles, "99.000000"),
             .each_ns = {},
             .source = absl::StrCat("fio, lat_ns of ", name, whose)};
  return true;
}

// Where the object that begins at `begin` ends, behind its brace; npos: it does not.
size_t EndOfObject(absl::string_view text, size_t begin) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return absl::string_view::npos;
}

// The last object with `jobs`: one may be printed at every interval of its status. Notes stand
// before, between and behind, with braces and quotes of their own.
Json FindJobs(absl::string_view output) {
  Json found;
  size_t budget = kReadOver * output.size();
  for (size_t at = output.find('{'); at != absl::string_view::npos; at = output.find('{', at)) {
    const size_t end = EndOfObject(output, at);
    const size_t read = std::min(end, output.size()) - at;
    Json root;
    if (end != absl::string_view::npos) {
      const absl::string_view object = output.substr(at, read);
      root = Json::parse(object.begin(), object.end(), nullptr, false);
    }
    at += root.is_object() ? read : 1;
    const auto jobs = root.is_object() ? root.find("jobs") : root.end();
    if (root.is_object() && jobs != root.end() && jobs->is_array()) found = std::move(*jobs);
    if (read > budget) break;
    budget -= read;
  }
  return found;
}

OwnFigures ReadFio(absl::string_view output) {
  OwnFigures own;
  const Json jobs = FindJobs(output);
  if (!jobs.is_array()) {
    own.problem = "its output holds no JSON object with `jobs`, as fio --output-format=json writes";
    return own;
  }
  static constexpr std::pair<const char*, const char*> kDirections[] = {
      {"read", "get"}, {"write", "put"}, {"trim", "delete"}, {"mixed", ""}};
  for (const auto& [name, op] : kDirections) {
    std::vector<OwnFigure> of_jobs;
    for (const Json& job : jobs) {
      OwnFigure figure;
      const auto direction = job.is_object() ? job.find(name) : job.end();
      if (!job.is_object() || direction == job.end() || !direction->is_object()) continue;
      if (TakeDirection(*direction, op, name, &figure)) of_jobs.push_back(std::move(figure));
    }
    if (of_jobs.empty()) continue;
    OwnFigure sum = of_jobs.front();
    for (size_t i = 1; i < of_jobs.size(); ++i) {  // percentiles of several jobs do not add up
      const double all = static_cast<double>(sum.count + of_jobs[i].count);
      sum.mean_ns = (sum.mean_ns * static_cast<double>(sum.count) +
                     of_jobs[i].mean_ns * static_cast<double>(of_jobs[i].count)) /
                    all;
      sum.count += of_jobs[i].count;
      sum.p50_ns = sum.p99_ns = std::nullopt;
    }
    own.figures.push_back(std::move(sum));
  }
  if (own.figures.empty()) own.problem = "no job of its fio JSON has made a request";
  return own;
}

}  // namespace

void SumUp(OwnFigure* figure) {
  std::vector<int64_t> sorted = figure->each_ns;
  std::sort(sorted.begin(), sorted.end());
  figure->count = sorted.size();
  figure->p50_ns = figure->p99_ns = std::nullopt;
  figure->mean_ns = 0;
  if (sorted.empty()) return;
  double sum = 0;
  for (const int64_t one : sorted) sum += static_cast<double>(one);
  figure->mean_ns = sum / static_cast<double>(sorted.size());
  const auto at = [&sorted](size_t percent) {
    return static_cast<double>(sorted[(sorted.size() * percent + 99) / 100 - 1]);
  };
  figure->p50_ns = at(50);
  if (sorted.size() >= 100) figure->p99_ns = at(99);
}

OwnFigures ReadOwnFigures(absl::string_view output, FigureFormat format) {
  switch (format) {
    case FigureFormat::kNone:
      return {};
    case FigureFormat::kCsv:
      return ReadCsv(output);
    case FigureFormat::kFio:
      return ReadFio(output);
    case FigureFormat::kAuto:
      break;
  }
  OwnFigures csv = ReadCsv(output);
  if (!csv.figures.empty()) return csv;
  OwnFigures fio = ReadFio(output);
  if (!fio.figures.empty()) return fio;
  return {.figures = {}, .problem = absl::StrCat(csv.problem, ", and ", fio.problem)};
}

}  // namespace kbench
