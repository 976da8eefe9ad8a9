#include "agent/observer/message_head.h"

namespace kbench::observer {
namespace {

enum WireType { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

// Walks the fields of one protobuf message, of which the end may be missing.
class Fields {
 public:
  Fields(Bytes bytes, uint64_t whole_size) : bytes_(bytes), missing_(whole_size - bytes.size()) {}

  // Moves to the next field. False: there is none, see bad().
  bool Next() {
    if (bytes_.empty() || bad_) return false;
    uint64_t tag = 0;
    if (!Varint(&tag)) return false;
    number_ = static_cast<uint32_t>(tag >> 3);
    if (number_ == 0 || tag >> 35 != 0) return Fail();
    switch (tag & 7) {
      case kVarint:
        nested_ = false;
        return Varint(&value_);
      case kFixed64:
        return Skip(8);
      case kFixed32:
        return Skip(4);
      case kLengthDelimited: {
        if (!Varint(&value_)) return false;
        nested_ = true;
        if (value_ > bytes_.size() + missing_) return Fail();
        content_ = bytes_.first(std::min<uint64_t>(value_, bytes_.size()));
        bytes_ = bytes_.subspan(content_.size());
        missing_ -= value_ - content_.size();
        return true;
      }
      default:
        return Fail();
    }
  }

  uint32_t number() const { return number_; }
  bool IsVarint(uint32_t number) const { return number_ == number && !nested_; }
  bool IsNested(uint32_t number) const { return number_ == number && nested_; }
  uint64_t value() const { return value_; }  // of a varint, or the whole size of a nested one
  Bytes content() const { return content_; }
  bool bad() const { return bad_; }

 private:
  bool Fail() {
    bad_ = true;
    return false;
  }
  bool Varint(uint64_t* value) {
    *value = 0;
    for (size_t i = 0; i < bytes_.size() && i < 10; ++i) {
      *value |= static_cast<uint64_t>(bytes_[i] & 0x7f) << (7 * i);
      if ((bytes_[i] & 0x80) != 0) continue;
      bytes_ = bytes_.subspan(i + 1);
      return true;
    }
    if (bytes_.size() >= 10 || missing_ == 0) return Fail();
    bytes_ = {};  // the rest of it is missing
    return false;
  }
  bool Skip(uint64_t size) {
    number_ = 0;  // none that anybody asks for
    if (size > bytes_.size() + missing_) return Fail();
    if (size > bytes_.size()) missing_ -= size - bytes_.size();
    bytes_ = bytes_.subspan(std::min<uint64_t>(size, bytes_.size()));
    return true;
  }

  Bytes bytes_;
  uint64_t missing_;
  bool bad_ = false;
  uint32_t number_ = 0;
  bool nested_ = false;
  uint64_t value_ = 0;
  Bytes content_;
};

bool ParseHeader(Bytes bytes, uint64_t whole_size, MessageHead* head) {
  Fields fields(bytes, whole_size);
  while (fields.Next()) {
    if (fields.IsVarint(3)) head->connection_id = static_cast<int64_t>(fields.value());
    if (fields.IsVarint(4)) head->sequence = fields.value();
    if (fields.IsVarint(6)) head->ack_sequence = fields.value();
    if (fields.IsVarint(7)) head->type = static_cast<kinetic::MessageType>(fields.value());
    if (fields.IsVarint(14)) head->in_batch = true;
  }
  head->has_header = true;
  return !fields.bad() && bytes.size() == whole_size;
}

// The status stands behind the body, which may be longer than what was kept.
void ParseStatus(Fields* fields, MessageHead* head) {
  while (fields->Next()) {
    if (!fields->IsNested(3)) continue;
    Fields status(fields->content(), fields->value());
    while (status.Next()) {
      if (status.IsVarint(1)) head->status = static_cast<int32_t>(status.value());
    }
    return;
  }
}

bool ParseCommand(Bytes bytes, uint64_t whole_size, MessageHead* head) {
  Fields fields(bytes, whole_size);
  while (fields.Next()) {
    if (!fields.IsNested(1)) continue;
    // Writers put fields in the order of their numbers: of a request, what follows is not looked
    // at.
    if (!ParseHeader(fields.content(), fields.value(), head)) return false;
    if (!kinetic::IsRequest(head->type)) ParseStatus(&fields, head);
    return true;
  }
  return !fields.bad() && bytes.size() == whole_size;
}

}  // namespace

bool ParseMessageHead(Bytes message, size_t whole_size, MessageHead* head) {
  *head = MessageHead();
  Fields fields(message, whole_size);
  bool good = message.size() == whole_size;
  while (fields.Next()) {
    if (fields.IsVarint(4)) head->auth_type = static_cast<kinetic::AuthType>(fields.value());
    if (fields.IsNested(7)) {
      if (!ParseCommand(fields.content(), fields.value(), head)) return false;
      good = true;
    }
  }
  return good && !fields.bad() && head->auth_type != kinetic::AuthType::kInvalid;
}

}  // namespace kbench::observer
