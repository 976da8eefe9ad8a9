#include "tests/analysis/report/hdr_log_reader.h"

#include <zlib.h>

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kbench::analysis {
namespace {

// Big-endian fields from the front of a string; a read past the end is remembered.
class Reader {
 public:
  explicit Reader(absl::string_view data) : data_(data) {}

  bool at_end() const { return data_.empty(); }
  bool ok() const { return ok_; }

  uint64_t Big(int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; ++i) v = v << 8 | Byte();
    return v;
  }

  // ZigZag LEB128 of at most nine bytes, the ninth with all its eight bits.
  int64_t Word() {
    uint64_t v = 0;
    for (int i = 0; i < 9; ++i) {
      const uint64_t byte = Byte();
      if (i == 8) {
        v |= byte << 56;
        break;
      }
      v |= (byte & 0x7f) << (7 * i);
      if ((byte & 0x80) == 0) break;
    }
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }

 private:
  uint8_t Byte() {
    if (data_.empty()) return ok_ = false, 0;
    const auto byte = static_cast<uint8_t>(data_.front());
    data_.remove_prefix(1);
    return byte;
  }

  absl::string_view data_;
  bool ok_ = true;
};

// Sub-buckets: the smallest power of two that resolves `digits` over one doubling.
int SubBucketBits(int digits) {
  int64_t needed = 2;
  for (int i = 0; i < digits; ++i) needed *= 10;
  int bits = 0;
  while ((int64_t{1} << bits) < needed) ++bits;
  return bits;
}

int64_t ValueAt(int64_t index, int digits) {
  const int half_bits = SubBucketBits(digits) - 1;
  const int64_t half = int64_t{1} << half_bits;
  const int64_t bucket = (index >> half_bits) - 1;
  const int64_t sub = (index & (half - 1)) + half;
  return bucket < 0 ? sub - half : sub << bucket;
}

absl::Status ReadPayload(Reader* in, HdrInterval* out) {
  int64_t index = 0;
  while (!in->at_end()) {
    const int64_t word = in->Word();
    if (!in->ok()) return absl::DataLossError("a count is cut off");
    if (word < 0) {
      index -= word;
      continue;
    }
    if (word > 0) out->counts[ValueAt(index, out->digits)] += static_cast<uint64_t>(word);
    ++index;
  }
  return absl::OkStatus();
}

absl::Status ReadEncoded(absl::string_view encoded, HdrInterval* out) {
  Reader in(encoded);
  if (in.Big(4) != 0x1c849313) return absl::DataLossError("not a V2 histogram");
  const uint64_t size = in.Big(4);
  if (in.Big(4) != 0) return absl::DataLossError("the normalizing index is not 0");
  out->digits = static_cast<int>(in.Big(4));
  out->lowest = static_cast<int64_t>(in.Big(8));
  out->highest = static_cast<int64_t>(in.Big(8));
  const uint64_t ratio_bits = in.Big(8);
  double ratio = 0;
  std::memcpy(&ratio, &ratio_bits, sizeof ratio);
  if (!in.ok() || encoded.size() != 40 + size) return absl::DataLossError("wrong payload size");
  if (ratio != 1.0) return absl::DataLossError("the conversion ratio is not 1");
  return ReadPayload(&in, out);
}

absl::Status ReadCompressed(absl::string_view base64, HdrInterval* out) {
  std::string bytes;
  if (!absl::Base64Unescape(base64, &bytes)) return absl::DataLossError("not base64");
  Reader in(bytes);
  if (in.Big(4) != 0x1c849314) return absl::DataLossError("not a compressed V2 histogram");
  if (in.Big(4) + 8 != bytes.size()) return absl::DataLossError("wrong compressed size");
  std::string encoded(1 << 20, '\0');
  uLongf size = encoded.size();
  if (uncompress(reinterpret_cast<Bytef*>(encoded.data()), &size,
                 reinterpret_cast<const Bytef*>(bytes.data()) + 8, bytes.size() - 8) != Z_OK) {
    return absl::DataLossError("zlib refuses it");
  }
  return ReadEncoded(absl::string_view(encoded).substr(0, size), out);
}

absl::Status ReadInterval(absl::string_view line, HdrInterval* out) {
  std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  if (absl::ConsumePrefix(&fields[0], "Tag=")) {
    out->tag = std::string(fields[0]);
    fields.erase(fields.begin());
  }
  if (fields.size() != 4 || !absl::SimpleAtod(fields[0], &out->start_s) ||
      !absl::SimpleAtod(fields[1], &out->length_s) || !absl::SimpleAtod(fields[2], &out->max_ms)) {
    return absl::DataLossError(absl::StrCat("not an interval: ", line));
  }
  return ReadCompressed(fields[3], out);
}

}  // namespace

absl::StatusOr<HdrLog> ReadHdrLog(absl::string_view text) {
  HdrLog log;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::ConsumePrefix(&line, "#")) {
      log.comments.emplace_back(line);
    } else if (absl::StartsWith(line, "\"")) {
      log.header = std::string(line);
    } else {
      log.intervals.emplace_back();
      if (auto status = ReadInterval(line, &log.intervals.back()); !status.ok()) return status;
    }
  }
  return log;
}

int64_t HdrLowestEquivalent(int64_t value, int digits) {
  const int bits = SubBucketBits(digits);
  int shift = 0;
  while ((value >> shift) >= (int64_t{1} << bits)) ++shift;
  return value >> shift << shift;
}

}  // namespace kbench::analysis
