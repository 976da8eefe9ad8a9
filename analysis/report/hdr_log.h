// A histogram in HdrHistogram's own text log, so that its tools and plotters read our results.
// base/histogram's buckets are HdrHistogram's with lowest value 1 and 2 significant digits, so the
// export is exact: bucket for bucket, count for count.
//
//   line     := Tag=<op>,<start s>,<length s>,<max ms>,<base64 of compressed>
//   compressed := cookie 0x1c849314 :i32be, size :i32be, zlib(encoded)
//   encoded  := cookie 0x1c849313 :i32be, payload size :i32be, normalizing index 0 :i32be,
//               digits 2 :i32be, lowest 1 :i64be, highest :i64be, ratio 1.0 :f64be, payload
//   payload  := ZigZag LEB128 words: a count, or minus the length of a run of empty buckets. The
//               ninth byte of a word carries eight bits, so that no word is longer.
//
// Source: the public HdrHistogram V2 encoding and log format 1.3. What is beyond the highest value
// has no bucket in that format and goes into a comment line.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/histogram.h"

namespace kbench::analysis {

// The uncompressed V2 encoding.
std::string HdrEncode(const Histogram& histogram);
// Base64 of the compressed V2 encoding.
std::string HdrEncodeCompressed(const Histogram& histogram);

// The first lines of a log; `started_utc` as in "2026-11-23T23:36:00Z".
std::string HdrLogHeader(absl::string_view started_utc);
// One line, and a comment line before it when samples lie outside the buckets.
std::string HdrLogLine(absl::string_view tag, Nanos start, Nanos length,
                       const Histogram& histogram);

}  // namespace kbench::analysis
