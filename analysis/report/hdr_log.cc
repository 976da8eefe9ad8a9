#include "analysis/report/hdr_log.h"

#include <time.h>
#include <zlib.h>

#include <bit>
#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/varint.h"

namespace kbench::analysis {
namespace {

constexpr uint32_t kEncodedCookie = 0x1c849313;
constexpr uint32_t kCompressedCookie = 0x1c849314;
constexpr uint32_t kSignificantDigits = 2;

void AppendBig32(std::string* out, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(v >> shift));
}

void AppendBig64(std::string* out, uint64_t v) {
  AppendBig32(out, static_cast<uint32_t>(v >> 32));
  AppendBig32(out, static_cast<uint32_t>(v));
}

// LEB128 but for the ninth byte, which has no continuation bit.
void AppendHdrWord(std::string* out, int64_t value) {
  uint64_t v = ZigZag(value);
  for (int i = 0; i < 8 && v >= 0x80; ++i) {
    out->push_back(static_cast<char>(v | 0x80));
    v >>= 7;
  }
  out->push_back(static_cast<char>(v));
}

std::string Payload(const Histogram& histogram) {
  std::string out;
  int64_t empty = 0;
  for (int i = 0; i < Histogram::kBucketCount; ++i) {
    const uint64_t count = histogram.bucket(i);
    if (count == 0) {
      ++empty;
      continue;
    }
    if (empty > 0) AppendHdrWord(&out, empty == 1 ? 0 : -empty);
    empty = 0;
    AppendHdrWord(&out, static_cast<int64_t>(count));
  }
  return out;
}

std::string Deflate(const std::string& data) {
  uLongf size = compressBound(data.size());
  std::string out(size, '\0');
  // Cannot fail with a buffer of compressBound() bytes, short of memory that is gone anyway.
  compress2(reinterpret_cast<Bytef*>(out.data()), &size,
            reinterpret_cast<const Bytef*>(data.data()), data.size(), Z_DEFAULT_COMPRESSION);
  out.resize(size);
  return out;
}

}  // namespace

std::string HdrEncode(const Histogram& histogram) {
  const std::string payload = Payload(histogram);
  std::string out;
  AppendBig32(&out, kEncodedCookie);
  AppendBig32(&out, static_cast<uint32_t>(payload.size()));
  AppendBig32(&out, 0);
  AppendBig32(&out, kSignificantDigits);
  AppendBig64(&out, 1);
  AppendBig64(&out, static_cast<uint64_t>(Histogram::kHighest));
  AppendBig64(&out, std::bit_cast<uint64_t>(1.0));
  return out + payload;
}

std::string HdrEncodeCompressed(const Histogram& histogram) {
  const std::string deflated = Deflate(HdrEncode(histogram));
  std::string out;
  AppendBig32(&out, kCompressedCookie);
  AppendBig32(&out, static_cast<uint32_t>(deflated.size()));
  return absl::Base64Escape(out + deflated);
}

std::string HdrLogHeader(absl::string_view started_utc) {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
  const std::string text(started_utc);
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute,
                  &second) != 6) {
    year = 1970, month = day = 1, hour = minute = second = 0;
  }
  tm utc = {};
  utc.tm_year = year - 1900, utc.tm_mon = month - 1, utc.tm_mday = day;
  utc.tm_hour = hour, utc.tm_min = minute, utc.tm_sec = second;
  return absl::StrFormat(
      "#[Histogram log format version 1.3]\n"
      "#[Response time per op, in nanoseconds; from the intended instant to decoded]\n"
      "#[StartTime: %d.000 (seconds since epoch), %s]\n"
      "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
      timegm(&utc), text);
}

std::string HdrLogLine(absl::string_view tag, Nanos start, Nanos length,
                       const Histogram& histogram) {
  std::string out;
  if (histogram.overflow() + histogram.underflow() > 0) {
    absl::StrAppendFormat(&out, "#[%s: %d samples above and %d below the histogram's range]\n", tag,
                          histogram.overflow(), histogram.underflow());
  }
  absl::StrAppendFormat(&out, "Tag=%s,%.3f,%.3f,%.3f,%s\n", tag, start.seconds(), length.seconds(),
                        histogram.max().micros() / 1e3, HdrEncodeCompressed(histogram));
  return out;
}

}  // namespace kbench::analysis
