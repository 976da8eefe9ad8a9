#include "agent/request_maker.h"

namespace kbench {
namespace {

kinetic::MessageType TypeOf(OpKind kind) {
  switch (kind) {
    case OpKind::kGet:
      return kinetic::MessageType::kGet;
    case OpKind::kPut:
      return kinetic::MessageType::kPut;
    case OpKind::kDelete:
      return kinetic::MessageType::kDelete;
    case OpKind::kNoop:
      return kinetic::MessageType::kNoop;
  }
  return kinetic::MessageType::kInvalid;
}

}  // namespace

RequestMaker::RequestMaker(const Options& options)
    : options_(options), key_text_(options.keys.size(), '\0') {
  command_.has_header = true;
}

Bytes RequestMaker::Make(const Op& op, uint64_t sequence, std::string* head) {
  command_.header.cluster_version = flow_.cluster_version;
  command_.header.connection_id = flow_.connection_id;
  command_.header.sequence = sequence;
  command_.header.message_type = TypeOf(op.kind);
  command_.key_value.reset();
  if (op.kind != OpKind::kNoop) {
    options_.keys.Write(op.key, key_text_.data());
    kinetic::KeyValue& key_value = command_.key_value.emplace();
    key_value.key = key_text_;
    if (op.kind != OpKind::kGet) {
      key_value.force = true;
      key_value.synchronization = options_.synchronization;
    }
  }
  const Bytes value = op.kind == OpKind::kPut ? options_.values->ValueOf(op.key) : Bytes();
  head->clear();
  encoder_.Append(command_, kinetic::Signature::Hmac(options_.identity, options_.key),
                  static_cast<uint32_t>(value.size()), head);
  return value;
}

}  // namespace kbench
