// What a client program says of its own requests on its standard output, in a form that is known:
//
//   csv   a line of column names and lines of values. With a column `latency_ns`, `latency_us`,
//         `latency_ms` or `latency_s` each line is one request, in the order of its answers; with
//         `mean_...` it is a summary, which may have `p50_...` and `p99_...`. Columns `op` and
//         `count` may stand beside them, others are passed over, as are lines before the names
//   fio   the object that fio --output-format=json writes, the last one of several, whatever text
//         stands around it: per direction the mean of lat_ns, and its p50 and p99, or those of
//         clat_ns where that is the whole of lat_ns (of an engine that submits apart it is not)
//
// What is not known is not guessed: then there are no figures, and a reason.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/load/external_client.h"

namespace kbench {

struct OwnFigure {
  std::string op;  // "get", "put", ... or as it wrote it; empty: it named none
  uint64_t count = 0;
  double mean_ns = 0;
  std::optional<double> p50_ns;
  std::optional<double> p99_ns;
  std::vector<int64_t> each_ns;  // per request, where it says so

  // What packets show of the same, of all that the program did (agent/run/client_requests.h).
  uint64_t answers_seen = 0;
  double wire_seen_ns = 0;
  std::optional<double> sum_seen_ns;
  std::string source;  // "csv, latency_us of each request", "fio, lat_ns of read"
};

struct OwnFigures {
  std::vector<OwnFigure> figures;
  std::string problem;  // why there are none; empty with format none
};

OwnFigures ReadOwnFigures(absl::string_view output, FigureFormat format);

// Mean and percentiles of `each_ns` into the rest.
void SumUp(OwnFigure* figure);

}  // namespace kbench
