// A reader of HdrHistogram logs, written from the public description of the V2 encoding alone and
// sharing nothing with the writer under test but the bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench::analysis {

struct HdrInterval {
  std::string tag;
  double start_s = 0;
  double length_s = 0;
  double max_ms = 0;
  int digits = 0;
  int64_t lowest = 0;
  int64_t highest = 0;
  std::map<int64_t, uint64_t> counts;  // lowest value of a bucket -> samples
};

struct HdrLog {
  std::vector<std::string> comments;  // without "#"
  std::string header;                 // the line of column names
  std::vector<HdrInterval> intervals;
};

absl::StatusOr<HdrLog> ReadHdrLog(absl::string_view text);

// The lowest value that shares its bucket with `value`, at `digits` significant digits.
int64_t HdrLowestEquivalent(int64_t value, int digits);

}  // namespace kbench::analysis
