#include "server/reads.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::KeyValue;
using kinetic::MessageType;
using kinetic::Permission;
using kinetic::StatusCode;

namespace {

bool IsInverted(const kinetic::Range& range) {
  const kinetic::Text start = OrEmpty(range.start_key), end = OrEmpty(range.end_key);
  return !end.empty() && end < start;
}

Store::Bound BoundOf(const std::optional<kinetic::Text>& key,
                     const std::optional<bool>& inclusive) {
  return {
      .key = OrEmpty(key), .inclusive = inclusive.value_or(false), .open = OrEmpty(key).empty()};
}

}  // namespace

Objection Reads::Get(const KeyValue& get, const Caller& caller, Command* response,
                     Payload* payload) {
  const kinetic::Text key = OrEmpty(get.key);
  RETURN_IF_REFUSED(changes_->WithinLimits(get, 0));
  RETURN_IF_REFUSED(caller.May(Permission::kRead, key));
  const absl::StatusOr<EntryRef> entry = store_->Find(key);
  if (!entry.ok()) return OfStore(entry.status());
  if (*entry == nullptr) return NotFound(MessageType::kGet);
  *payload = Show(key, *entry, get.metadata_only.value_or(false), response);
  return std::nullopt;
}

Objection Reads::GetNeighbour(const KeyValue& get, bool next, const Caller& caller,
                              Command* response, Payload* payload) {
  const kinetic::Text key = OrEmpty(get.key);
  RETURN_IF_REFUSED(changes_->WithinLimits(get, 0));
  absl::StatusOr<std::optional<Store::Item>> item;
  std::string from(key);
  while (true) {
    item = next ? store_->Next(from) : store_->Previous(from);
    if (!item.ok()) return OfStore(item.status());
    if (!item->has_value()) return NotFound(MessageType::kGetNext);
    // The permission is for what is shown, not for where the search began.
    const Objection refused = caller.May(Permission::kRead, (*item)->key);
    if (!refused.has_value()) break;
    if (!dialect_->skips_unreadable_neighbours) return refused;
    from = (*item)->key;
  }
  key_ = std::move((*item)->key);
  *payload = Show(key_, (*item)->entry, get.metadata_only.value_or(false), response);
  return std::nullopt;
}

Objection Reads::GetVersion(const KeyValue& get, const Caller& caller, Command* response) {
  const kinetic::Text key = OrEmpty(get.key);
  RETURN_IF_REFUSED(changes_->WithinLimits(get, 0));
  RETURN_IF_REFUSED(caller.May(Permission::kRead, key));
  const absl::StatusOr<EntryRef> entry = store_->Find(key);
  if (!entry.ok()) return OfStore(entry.status());
  if (*entry == nullptr) return NotFound(MessageType::kGetVersion);
  key_ = (*entry)->version;
  response->key_value->db_version = key_;
  return std::nullopt;
}

Objection Reads::CheckRange(const kinetic::Range& range, const Caller& caller,
                            uint32_t* keys_max) const {
  const size_t longest = std::max(OrEmpty(range.start_key).size(), OrEmpty(range.end_key).size());
  if (longest > limits_->key_size) {
    return Invalid(absl::StrCat("a key of ", longest, " bytes is above the limit of ",
                                limits_->key_size, " bytes"));
  }
  *keys_max = range.max_returned.value_or(limits_->range_keys);
  if (*keys_max > limits_->range_keys) {
    return Invalid(absl::StrCat("maxReturned ", *keys_max, " is above the limit of ",
                                limits_->range_keys, " keys"));
  }
  if (*keys_max == 0) return Invalid("maxReturned is 0");
  return caller.MaySomewhere(Permission::kRange);
}

Objection Reads::GetKeyRange(const kinetic::Range& range, const Caller& caller, Command* response) {
  const Dialect& dialect = *dialect_;
  using NoKeys = Dialect::NoKeys;
  const bool zero =
      range.max_returned == 0u ||
      (dialect.max_returned_zero == NoKeys::kInternalError && !range.max_returned.has_value());
  if (zero && dialect.max_returned_zero == NoKeys::kInternalError) {
    return Refusal{.code = StatusCode::kInternalError, .why = "the number of entries is <= 0"};
  }
  if (dialect.range_end_needed && OrEmpty(range.end_key).empty()) {
    return Invalid("a range has an endKey");
  }
  if (IsInverted(range) && dialect.inverted_range == NoKeys::kInvalidRequest) {
    return Invalid("the range's endKey is below its startKey");
  }
  if (IsInverted(range) && dialect.inverted_range == NoKeys::kInternalError) {
    return Refusal{.code = StatusCode::kInternalError, .why = "fromKey > toKey"};
  }
  if (zero && dialect.max_returned_zero == NoKeys::kSuccess) {
    return caller.MaySomewhere(Permission::kRange);
  }
  uint32_t keys_max = 0;
  RETURN_IF_REFUSED(CheckRange(range, caller, &keys_max));
  keys_.clear();
  uint64_t bytes = 0;
  const absl::Status scanned =
      store_->Scan(BoundOf(range.start_key, range.start_key_inclusive),
                   BoundOf(range.end_key, range.end_key_inclusive), range.reverse.value_or(false),
                   [&](absl::string_view key) {
                     // The keys are contiguous: the range ends at the first that may not be
                     // seen.
                     if (caller.May(Permission::kRange, key).has_value()) return false;
                     bytes += key.size() + 8;
                     keys_.emplace_back(key);
                     return keys_.size() < keys_max && bytes < limits_->message_size;
                   });
  if (!scanned.ok()) return OfStore(scanned);
  if (bytes + 1024 > limits_->message_size) {
    return Refusal{.code = StatusCode::kInternalError,
                   .why = "the answer is above the limit of a message; ask for fewer keys"};
  }
  // A range without keys is absent: libkinetic's iterators end where there is none.
  if (!keys_.empty()) response->range.emplace().keys.assign(keys_.begin(), keys_.end());
  return std::nullopt;
}

Refusal Reads::NotFound(MessageType type) const {
  const bool says = type == MessageType::kGet;
  return {.code = StatusCode::kNotFound,
          .why = says ? std::string(dialect_->not_found_text) : std::string()};
}

Payload Reads::Show(kinetic::Text key, const EntryRef& entry, bool metadata_only,
                    Command* response) const {
  const Dialect& dialect = *dialect_;
  KeyValue& shown = *response->key_value;
  shown.key = key;
  shown.db_version = entry->version;
  if (entry->tag.has_value()) {
    shown.tag = *entry->tag;
  } else if (dialect.tag_always) {
    shown.tag = "";
  }
  shown.algorithm = entry->algorithm;
  if (!shown.algorithm.has_value() && dialect.algorithm_of_none != 0) {
    shown.algorithm = dialect.algorithm_of_none;
  }
  // The answer points into the entry, whose only owner this may be.
  if (metadata_only) return {.owner = entry};
  return {.owner = entry, .bytes = entry->value.bytes()};
}

}  // namespace kbench::server
