#include "server/entry_codec.h"

#include <cstring>
#include <memory>
#include <utility>

#include "base/varint.h"

namespace kbench::server {
namespace {

constexpr char kFormat = 1;
constexpr uint8_t kHasTag = 1, kHasAlgorithm = 2;

void AppendText(absl::string_view text, std::string* out) {
  AppendVarint(out, text.size());
  out->append(text.data(), text.size());
}

bool ConsumeText(absl::string_view* in, std::string* text) {
  uint64_t size = 0;
  if (!ConsumeVarint(in, &size) || size > in->size()) return false;
  *text = std::string(in->substr(0, size));
  in->remove_prefix(size);
  return true;
}

bool Parse(absl::string_view record, Entry* entry) {
  if (record.size() < 2 || record[0] != kFormat) return false;
  const auto flags = static_cast<uint8_t>(record[1]);
  record.remove_prefix(2);
  if (!ConsumeText(&record, &entry->version)) return false;
  if ((flags & kHasTag) != 0 && !ConsumeText(&record, &entry->tag.emplace())) return false;
  if ((flags & kHasAlgorithm) != 0) {
    uint64_t algorithm = 0;
    if (!ConsumeVarint(&record, &algorithm)) return false;
    entry->algorithm = static_cast<int32_t>(UnZigZag(algorithm));
  }
  entry->value = Value(record.size());
  if (!record.empty()) std::memcpy(entry->value.data(), record.data(), record.size());
  return true;
}

}  // namespace

std::string EncodeEntryHead(const Entry& entry) {
  std::string out(1, kFormat);
  out.push_back(static_cast<char>((entry.tag.has_value() ? kHasTag : 0) |
                                  (entry.algorithm.has_value() ? kHasAlgorithm : 0)));
  AppendText(entry.version, &out);
  if (entry.tag.has_value()) AppendText(*entry.tag, &out);
  if (entry.algorithm.has_value()) AppendVarint(&out, ZigZag(*entry.algorithm));
  return out;
}

absl::StatusOr<EntryRef> DecodeEntry(absl::string_view record) {
  auto entry = std::make_shared<Entry>();
  if (Parse(record, entry.get())) return EntryRef(std::move(entry));
  return absl::DataLossError("a stored object is no record of this server");
}

}  // namespace kbench::server
