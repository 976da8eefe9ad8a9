#include "agent/request_maker.h"

namespace kbench {
namespace {

using kinetic::MessageType;

// What no key of ours lies behind: every key begins with 8 bytes of a 64-bit word, or its digits.
constexpr absl::string_view kBehindAllKeys = "\xff\xff\xff\xff\xff\xff\xff\xff";

MessageType TypeOf(OpKind kind) {
  switch (kind) {
    case OpKind::kGet:
    case OpKind::kGetMiss:
      return MessageType::kGet;
    case OpKind::kPut:
    case OpKind::kPutConditional:
      return MessageType::kPut;
    case OpKind::kDelete:
      return MessageType::kDelete;
    case OpKind::kNext:
      return MessageType::kGetNext;
    case OpKind::kPrevious:
      return MessageType::kGetPrevious;
    case OpKind::kVersion:
      return MessageType::kGetVersion;
    case OpKind::kRange:
      return MessageType::kGetKeyRange;
    case OpKind::kFlush:
      return MessageType::kFlushAllData;
    case OpKind::kGetLog:
      return MessageType::kGetLog;
    case OpKind::kNoop:
      return MessageType::kNoop;
  }
  return MessageType::kInvalid;
}

// The shortest change of *key that lies behind it: nothing of its length stands between, but keys
// that begin with it. The whole of a key of 0xff bytes has nothing of its length behind it.
absl::string_view JustBehind(std::string* key) {
  const size_t last = key->find_last_not_of('\xff');
  if (last == std::string::npos) return *key;
  ++(*key)[last];
  return absl::string_view(*key).substr(0, last + 1);
}

}  // namespace

RequestMaker::RequestMaker(const Options& options)
    : options_(options), key_text_(options.keys.size(), '\0') {
  command_.has_header = log_command_.has_header = true;
  log_command_.get_log.emplace().types = {kinetic::GetLog::Type::kStatistics};
}

void RequestMaker::AddKey(const Op& op) {
  if (op.kind == OpKind::kGetMiss) {
    options_.keys.WriteAbsent(op.key, key_text_.data());
  } else {
    options_.keys.Write(op.key, key_text_.data());
  }
  absl::string_view key = key_text_;
  if (op.kind == OpKind::kRange) {
    kinetic::Range& range = command_.range.emplace();
    range.start_key = key;
    range.start_key_inclusive = true;
    range.end_key = kBehindAllKeys;
    range.end_key_inclusive = true;
    range.max_returned = options_.range_keys;
    return;
  }
  // The neighbours of these are the key itself: so the answer, and its length, are known.
  if (op.kind == OpKind::kNext) key.remove_suffix(1);
  if (op.kind == OpKind::kPrevious) key = JustBehind(&key_text_);
  kinetic::KeyValue& key_value = command_.key_value.emplace();
  key_value.key = key;
  if (WritesValue(op.kind) || op.kind == OpKind::kDelete) {
    key_value.force = op.kind != OpKind::kPutConditional;
    key_value.synchronization = options_.synchronization;
  }
}

Bytes RequestMaker::Make(const Op& op, uint64_t sequence, std::string* head) {
  kinetic::Command& command = op.kind == OpKind::kGetLog ? log_command_ : command_;
  command.header.cluster_version = flow_.cluster_version;
  command.header.connection_id = flow_.connection_id;
  command.header.sequence = sequence;
  command.header.message_type = TypeOf(op.kind);
  command_.key_value.reset();
  command_.range.reset();
  if (HasKey(op.kind)) AddKey(op);
  const Bytes value = WritesValue(op.kind) ? options_.values->ValueOf(op.key) : Bytes();
  head->clear();
  encoder_.Append(command, kinetic::Signature::Hmac(options_.identity, options_.key),
                  static_cast<uint32_t>(value.size()), head);
  return value;
}

}  // namespace kbench
