#include "agent/load/request_maker.h"

#include <array>

namespace kbench {
namespace {

using kinetic::MessageType;

// What no key of ours lies behind: every key begins with 8 bytes of a 64-bit word, or its digits.
constexpr absl::string_view kBehindAllKeys = "\xff\xff\xff\xff\xff\xff\xff\xff";

// The shortest change of *key that lies behind it: nothing of its length stands between, but keys
// that begin with it. The whole of a key of 0xff bytes has nothing of its length behind it.
absl::string_view JustBehind(std::string* key) {
  const size_t last = key->find_last_not_of('\xff');
  if (last == std::string::npos) return *key;
  ++(*key)[last];
  return absl::string_view(*key).substr(0, last + 1);
}

}  // namespace

MessageType MessageTypeOf(OpKind kind) {
  switch (kind) {
    case OpKind::kGet:
    case OpKind::kGetMiss:
      return MessageType::kGet;
    case OpKind::kPut:
    case OpKind::kPutNew:
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
    case OpKind::kBatch:
      return MessageType::kEndBatch;
    case OpKind::kFlush:
      return MessageType::kFlushAllData;
    case OpKind::kGetLog:
      return MessageType::kGetLog;
    case OpKind::kNoop:
      return MessageType::kNoop;
  }
  return MessageType::kInvalid;
}

RequestMaker::RequestMaker(const Options& options)
    : options_(options), key_text_(options.keys.size(), '\0') {
  command_.has_header = batch_command_.has_header = log_command_.has_header = true;
  log_command_.get_log.emplace().types = {kinetic::GetLog::Type::kStatistics};
  if (options_.tag.has_value()) tagger_.emplace(*options_.tag, options_.values);
}

uint64_t RequestMaker::WordOf(const Op& op) const {
  if (op.kind == OpKind::kGetMiss) return options_.keys.AbsentWord(op.key);
  if (op.kind == OpKind::kPutNew) return options_.keys.NewWord(op.key);
  return options_.keys.Word(op.key);
}

void RequestMaker::SetHeader(kinetic::Command* command, MessageType type, uint64_t sequence) {
  command->header.cluster_version = flow_.cluster_version;
  command->header.connection_id = flow_.connection_id;
  command->header.sequence = sequence;
  command->header.message_type = type;
  command->header.batch_id.reset();
}

void RequestMaker::AddKey(OpKind kind, uint64_t word) {
  options_.keys.Write(word, key_text_.data());
  absl::string_view key = key_text_;
  if (kind == OpKind::kRange) {
    kinetic::Range& range = command_.range.emplace();
    range.start_key = key;
    range.start_key_inclusive = true;
    range.end_key = kBehindAllKeys;
    range.end_key_inclusive = true;
    range.max_returned = options_.range_keys;
    return;
  }
  // The neighbours of these are the key itself: so the answer, and its length, are known.
  if (kind == OpKind::kNext) key.remove_suffix(1);
  if (kind == OpKind::kPrevious) key = JustBehind(&key_text_);
  kinetic::KeyValue& key_value = command_.key_value.emplace();
  key_value.key = key;
  if (WritesValue(kind) || kind == OpKind::kDelete) {
    key_value.force = kind != OpKind::kPutConditional && kind != OpKind::kPutNew;
    key_value.synchronization = options_.synchronization;
  }
}

void RequestMaker::Append(const kinetic::Command& command, uint32_t value_size, std::string* head) {
  encoder_.Append(command, kinetic::Signature::Hmac(options_.identity, options_.key), value_size,
                  head);
}

Bytes RequestMaker::AppendPut(uint64_t word, std::string* head) {
  constexpr int kWriteBits = 44;
  const ValuePool& values = *options_.values;
  const uint32_t size = values.SizeOf(word);
  std::array<uint8_t, kValueLabelSize> bytes;
  Bytes label;
  if (ValuePool::labelled(size)) {
    const uint64_t version = uint64_t{options_.flow} << kWriteBits | ++writes_;
    EncodeValueLabel(values.LabelOf(word, version), bytes.data());
    label = bytes;
  }
  if (tagger_.has_value()) {
    tag_ = tagger_->Make(word, label);
    command_.key_value->tag = tag_.text();
    command_.key_value->algorithm = static_cast<int32_t>(tag_.algorithm);
  }
  Append(command_, size, head);
  head->append(reinterpret_cast<const char*>(label.data()), label.size());
  return values.BodyOf(word);
}

Bytes RequestMaker::Make(const Op& op, uint64_t sequence, std::string* head) {
  kinetic::Command& command = op.kind == OpKind::kGetLog ? log_command_ : command_;
  SetHeader(&command, MessageTypeOf(op.kind), sequence);
  command_.key_value.reset();
  command_.range.reset();
  head->clear();
  const uint64_t word = HasKey(op.kind) ? WordOf(op) : 0;
  if (HasKey(op.kind)) AddKey(op.kind, word);
  if (WritesValue(op.kind)) return AppendPut(word, head);
  Append(command, 0, head);
  return {};
}

Bytes RequestMaker::MakeBatchPut(const Op& op, uint32_t number, uint32_t id, uint64_t start,
                                 uint64_t sequence, std::string* head) {
  head->clear();
  if (number == 0) {
    batch_command_.batch.reset();
    SetHeader(&batch_command_, MessageType::kStartBatch, start);
    batch_command_.header.batch_id = id;
    Append(batch_command_, 0, head);
  }
  command_.range.reset();
  SetHeader(&command_, MessageType::kPut, sequence);
  command_.header.batch_id = id;
  const uint64_t word = options_.keys.Word((op.key + number) % options_.key_count);
  AddKey(OpKind::kPut, word);
  return AppendPut(word, head);
}

void RequestMaker::MakeBatchEnd(uint32_t id, uint64_t sequence, std::string* head) {
  head->clear();
  SetHeader(&batch_command_, MessageType::kEndBatch, sequence);
  batch_command_.header.batch_id = id;
  batch_command_.batch.emplace().count = options_.batch_ops;
  Append(batch_command_, 0, head);
}

}  // namespace kbench
