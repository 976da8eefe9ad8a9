#include "server/changes.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench::server {

using kinetic::KeyValue;
using kinetic::Permission;
using kinetic::StatusCode;

Objection Changes::HasWhatItNeeds(const KeyValue& put) const {
  if (dialect_->tag_needed && !put.tag.has_value()) return Invalid("Tag required");
  return std::nullopt;
}

Objection Changes::WithinLimits(const KeyValue& key_value, uint64_t value_size) const {
  const struct {
    absl::string_view what;
    uint64_t size;
    uint64_t limit;
  } parts[] = {
      {"key", OrEmpty(key_value.key).size(), limits_->key_size},
      {"newVersion", OrEmpty(key_value.new_version).size(), limits_->version_size},
      {"dbVersion", OrEmpty(key_value.db_version).size(), limits_->version_size},
      {"tag", OrEmpty(key_value.tag).size(), limits_->tag_size},
      {"value", value_size, limits_->value_size},
  };
  for (const auto& part : parts) {
    if (part.size <= part.limit) continue;
    return Invalid(absl::StrCat("a ", part.what, " of ", part.size, " bytes is above the limit of ",
                                part.limit, " bytes"));
  }
  return std::nullopt;
}

Objection Changes::Synchronization(const KeyValue& key_value,
                                   kinetic::Synchronization* synchronization) const {
  *synchronization = key_value.synchronization.value_or(default_synchronization_);
  switch (*synchronization) {
    case kinetic::Synchronization::kWriteThrough:
    case kinetic::Synchronization::kWriteBack:
    case kinetic::Synchronization::kFlush:
      return std::nullopt;
    case kinetic::Synchronization::kInvalid:
      break;
  }
  return Invalid("a change needs a synchronization of WRITETHROUGH, WRITEBACK or FLUSH");
}

Objection Changes::MayApply(const ChangeRequest& change, const Caller& caller) const {
  const bool put = change.entry != nullptr;
  RETURN_IF_REFUSED(caller.May(put ? Permission::kWrite : Permission::kDelete, change.key));
  if (change.force || !store_->keeps_versions()) return std::nullopt;
  const absl::StatusOr<EntryRef> stored = store_->Find(change.key);
  if (!stored.ok()) return OfStore(stored.status());
  if (*stored == nullptr && !put) return Refusal{.code = StatusCode::kNotFound, .why = ""};
  const kinetic::Text version = *stored == nullptr ? kinetic::Text() : (*stored)->version;
  if (change.db_version == version) return std::nullopt;
  return Refusal{.code = StatusCode::kVersionMismatch,
                 .why = dialect_->mismatch_says_why ? "dbVersion is not the stored version" : ""};
}

EntryRef Changes::MakeEntry(const KeyValue& put, Value value) {
  auto entry = std::make_shared<Entry>();
  entry->version = std::string(OrEmpty(put.new_version));
  if (put.tag.has_value()) entry->tag = std::string(*put.tag);
  entry->algorithm = put.algorithm;
  entry->value = std::move(value);
  return entry;
}

}  // namespace kbench::server
