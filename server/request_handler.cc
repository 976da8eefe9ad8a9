#include "server/request_handler.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench::server {

using kinetic::Command;
using kinetic::KeyValue;
using kinetic::MessageType;
using kinetic::StatusCode;
using kinetic::Synchronization;
using kinetic::Text;

namespace {

// Absent reads as empty, as on every server seen.
absl::string_view OrEmpty(const std::optional<Text>& text) { return text.value_or(Text()); }

void Succeed(Command* response) { response->status.emplace().code = StatusCode::kSuccess; }

// An entry's metadata as a body, and its value unless only metadata was asked for.
Payload Show(absl::string_view key, const EntryRef& entry, bool metadata_only, Command* response) {
  Succeed(response);
  KeyValue& shown = response->key_value.emplace();
  shown.key = key;
  shown.db_version = entry->version;
  if (entry->tag.has_value()) shown.tag = *entry->tag;
  shown.algorithm = entry->algorithm;
  if (metadata_only) return {};
  return {.owner = entry, .bytes = entry->value.bytes()};
}

}  // namespace

Payload RequestHandler::Handle(const Command& request, Value value, Command* response) {
  const uint64_t bytes_in = value.size();
  Payload payload = Dispatch(request, std::move(value), response);
  counters_->Add(*request.header.message_type, bytes_in + payload.bytes.size());
  return payload;
}

Payload RequestHandler::Dispatch(const Command& request, Value value, Command* response) {
  static const KeyValue kNothing;
  const KeyValue& key_value = request.key_value.has_value() ? *request.key_value : kNothing;
  if (!WithinLimits(key_value, response)) return {};
  switch (*request.header.message_type) {
    case MessageType::kNoop:
      Succeed(response);
      return {};
    case MessageType::kGet:
      return Get(key_value, response);
    case MessageType::kPut:
      if (MayChange(request, response)) Put(key_value, std::move(value), response);
      return {};
    case MessageType::kDelete:
      if (MayChange(request, response)) Delete(key_value, response);
      return {};
    case MessageType::kGetVersion:
      GetVersion(key_value, response);
      return {};
    case MessageType::kGetNext:
      return GetNeighbour(key_value, /*next=*/true, response);
    case MessageType::kGetPrevious:
      return GetNeighbour(key_value, /*next=*/false, response);
    case MessageType::kGetKeyRange:
      GetKeyRange(request, response);
      return {};
    case MessageType::kFlushAllData:
      store_->Flush();
      Succeed(response);
      return {};
    case MessageType::kGetLog:
      return logs_->Answer(request, response);
    default:
      Refuse(StatusCode::kInvalidRequest,
             absl::StrCat("this server does not offer ", Name(*request.header.message_type)),
             response);
      return {};
  }
}

void RequestHandler::Put(const KeyValue& put, Value value, Command* response) {
  const absl::string_view key = OrEmpty(put.key);
  const bool force = put.force.value_or(false);
  if (!force && !VersionAgrees(store_->Find(key).get(), OrEmpty(put.db_version), force)) {
    return Refuse(StatusCode::kVersionMismatch, "dbVersion is not the stored version", response);
  }
  auto entry = std::make_shared<Entry>();
  entry->version = std::string(OrEmpty(put.new_version));
  if (put.tag.has_value()) entry->tag = std::string(*put.tag);
  entry->algorithm = put.algorithm;
  entry->value = std::move(value);
  store_->Put(key, std::move(entry));
  if (*put.synchronization != Synchronization::kWriteBack) store_->Flush();
  Succeed(response);
}

void RequestHandler::Delete(const KeyValue& erase, Command* response) {
  const absl::string_view key = OrEmpty(erase.key);
  const bool force = erase.force.value_or(false);
  const EntryRef stored = store_->Find(key);
  if (stored == nullptr && !force) {
    return Refuse(StatusCode::kNotFound, "", response);
  }
  if (!VersionAgrees(stored.get(), OrEmpty(erase.db_version), force)) {
    return Refuse(StatusCode::kVersionMismatch, "dbVersion is not the stored version", response);
  }
  store_->Erase(key);
  if (*erase.synchronization != Synchronization::kWriteBack) store_->Flush();
  Succeed(response);
}

Payload RequestHandler::Get(const KeyValue& get, Command* response) {
  const absl::string_view key = OrEmpty(get.key);
  const EntryRef entry = store_->Find(key);
  if (entry == nullptr) {
    Refuse(StatusCode::kNotFound, "", response);
    return {};
  }
  return Show(key, entry, get.metadata_only.value_or(false), response);
}

Payload RequestHandler::GetNeighbour(const KeyValue& get, bool next, Command* response) {
  const absl::string_view key = OrEmpty(get.key);
  const std::optional<Store::Item> item = next ? store_->Next(key) : store_->Previous(key);
  if (!item.has_value()) {
    Refuse(StatusCode::kNotFound, "", response);
    return {};
  }
  return Show(item->key, item->entry, get.metadata_only.value_or(false), response);
}

void RequestHandler::GetVersion(const KeyValue& get, Command* response) {
  const EntryRef entry = store_->Find(OrEmpty(get.key));
  if (entry == nullptr) return Refuse(StatusCode::kNotFound, "", response);
  Succeed(response);
  response->key_value.emplace().db_version = entry->version;
}

void RequestHandler::GetKeyRange(const Command& request, Command* response) {
  static const kinetic::Range kNothing;
  const kinetic::Range& range = request.range.has_value() ? *request.range : kNothing;
  const absl::string_view first = OrEmpty(range.start_key);
  const absl::string_view last = OrEmpty(range.end_key);
  if (const size_t longest = std::max(first.size(), last.size()); longest > limits_->key_size) {
    return Refuse(StatusCode::kInvalidRequest,
                  absl::StrCat("a key of ", longest, " bytes is above the limit of ",
                               limits_->key_size, " bytes"),
                  response);
  }
  const uint32_t wanted = range.max_returned.value_or(limits_->range_keys);
  if (wanted > limits_->range_keys) {
    return Refuse(StatusCode::kInvalidRequest,
                  absl::StrCat("maxReturned ", wanted, " is above the limit of ",
                               limits_->range_keys, " keys"),
                  response);
  }
  Succeed(response);
  std::vector<Text>& keys = response->range.emplace().keys;
  if (wanted == 0) return;
  store_->Scan({.key = first, .inclusive = range.start_key_inclusive.value_or(false)},
               {.key = last, .inclusive = range.end_key_inclusive.value_or(false)},
               range.reverse.value_or(false), [&](absl::string_view key) {
                 keys.push_back(key);
                 return keys.size() < wanted;
               });
}

bool RequestHandler::WithinLimits(const KeyValue& key_value, Command* response) {
  const struct {
    absl::string_view what;
    absl::string_view bytes;
    uint32_t limit;
  } parts[] = {
      {"key", OrEmpty(key_value.key), limits_->key_size},
      {"newVersion", OrEmpty(key_value.new_version), limits_->version_size},
      {"dbVersion", OrEmpty(key_value.db_version), limits_->version_size},
      {"tag", OrEmpty(key_value.tag), limits_->tag_size},
  };
  for (const auto& part : parts) {
    if (part.bytes.size() <= part.limit) continue;
    Refuse(StatusCode::kInvalidRequest,
           absl::StrCat("a ", part.what, " of ", part.bytes.size(), " bytes is above the limit of ",
                        part.limit, " bytes"),
           response);
    return false;
  }
  return true;
}

bool RequestHandler::MayChange(const Command& request, Command* response) {
  const absl::string_view what =
      *request.header.message_type == MessageType::kPut ? "PUT" : "DELETE";
  if (request.header.batch_id.has_value()) {
    Refuse(StatusCode::kInvalidRequest,
           absl::StrCat(what, " names batch ", *request.header.batch_id,
                        ", but this server does not offer batches"),
           response);
    return false;
  }
  const Synchronization synchronization =
      request.key_value.has_value()
          ? request.key_value->synchronization.value_or(Synchronization::kInvalid)
          : Synchronization::kInvalid;
  switch (synchronization) {
    case Synchronization::kWriteThrough:
    case Synchronization::kWriteBack:
    case Synchronization::kFlush:
      return true;
    case Synchronization::kInvalid:
      break;
  }
  Refuse(StatusCode::kInvalidRequest,
         absl::StrCat(what, " needs a synchronization of WRITETHROUGH, WRITEBACK or FLUSH"),
         response);
  return false;
}

void RequestHandler::Refuse(StatusCode code, std::string why, Command* response) {
  why_ = std::move(why);
  response->status = {.code = code};
  if (!why_.empty()) response->status->message = why_;
}

}  // namespace kbench::server
