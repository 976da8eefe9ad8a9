#include "client/requests.h"

namespace kbench::client {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::SecurityOp;
using kinetic::SetupOp;
using kinetic::Synchronization;
using kinetic::Text;

namespace {

template <typename Enum>
int32_t Number(Enum value) {
  return static_cast<int32_t>(value);
}

Command Of(MessageType type) {
  Command command;
  command.has_header = true;
  command.header.message_type = type;
  return command;
}

Command OfKey(MessageType type, Text key) {
  Command command = Of(type);
  command.key_value = {.key = key};
  return command;
}

Command Change(MessageType type, Text key, const Versions& versions,
               Synchronization synchronization) {
  Command command = OfKey(type, key);
  if (!versions.expected.empty()) command.key_value->db_version = versions.expected;
  if (versions.force) command.key_value->force = true;
  command.key_value->synchronization = synchronization;
  return command;
}

Command OfRange(MessageType type, const kinetic::Range& range) {
  Command command = Of(type);
  command.range = range;
  return command;
}

Command OfBatch(MessageType type, uint32_t id) {
  Command command = Of(type);
  command.header.batch_id = id;
  return command;
}

}  // namespace

Command PutRequest(Text key, const Versions& versions, Synchronization synchronization) {
  Command command = Change(MessageType::kPut, key, versions, synchronization);
  if (!versions.next.empty()) command.key_value->new_version = versions.next;
  return command;
}

void SetTag(const kinetic::Tag& tag, Command* put) {
  put->key_value->tag = tag.text();
  put->key_value->algorithm = Number(tag.algorithm);
}

Command DeleteRequest(Text key, const Versions& versions, Synchronization synchronization) {
  return Change(MessageType::kDelete, key, versions, synchronization);
}

Command GetRequest(Text key, bool metadata_only) {
  Command command = OfKey(MessageType::kGet, key);
  if (metadata_only) command.key_value->metadata_only = true;
  return command;
}

Command GetNextRequest(Text key) { return OfKey(MessageType::kGetNext, key); }
Command GetPreviousRequest(Text key) { return OfKey(MessageType::kGetPrevious, key); }
Command GetVersionRequest(Text key) { return OfKey(MessageType::kGetVersion, key); }
Command KeyRangeRequest(const kinetic::Range& range) {
  return OfRange(MessageType::kGetKeyRange, range);
}

Command GetLogRequest(const std::vector<kinetic::GetLog::Type>& types) {
  Command command = Of(MessageType::kGetLog);
  command.get_log.emplace().types = types;
  return command;
}

Command DeviceLogRequest(Text name) {
  Command command = GetLogRequest({kinetic::GetLog::Type::kDevice});
  command.get_log->device_name = name;
  return command;
}

Command NoopRequest() { return Of(MessageType::kNoop); }
Command FlushRequest() { return Of(MessageType::kFlushAllData); }
Command MediaScanRequest(const kinetic::Range& range) {
  return OfRange(MessageType::kMediaScan, range);
}
Command MediaOptimizeRequest(const kinetic::Range& range) {
  return OfRange(MessageType::kMediaOptimize, range);
}

Command StartBatchRequest(uint32_t id) { return OfBatch(MessageType::kStartBatch, id); }
Command EndBatchRequest(uint32_t id, uint32_t count) {
  Command command = OfBatch(MessageType::kEndBatch, id);
  command.batch.emplace().count = count;
  return command;
}
Command AbortBatchRequest(uint32_t id) { return OfBatch(MessageType::kAbortBatch, id); }

Command PushRequest(const kinetic::P2pOperation& push) {
  Command command = Of(MessageType::kPeerToPeerPush);
  command.p2p = push;
  return command;
}

Command SetClusterVersionRequest(int64_t version) {
  Command command = Of(MessageType::kSetup);
  command.setup = {.new_cluster_version = version,
                   .setup_op_type = Number(SetupOp::kClusterVersion)};
  return command;
}

Command FirmwareRequest() {
  Command command = Of(MessageType::kSetup);
  command.setup = {.setup_op_type = Number(SetupOp::kFirmware)};
  return command;
}

Command SetAclsRequest(const std::vector<kinetic::Security::Acl>& acls) {
  Command command = Of(MessageType::kSecurity);
  command.security = {.acls = acls, .security_op_type = Number(SecurityOp::kAcl)};
  return command;
}

Command SetLockPinRequest(Text old_pin, Text new_pin) {
  Command command = Of(MessageType::kSecurity);
  command.security = {.old_lock_pin = old_pin,
                      .new_lock_pin = new_pin,
                      .security_op_type = Number(SecurityOp::kLockPin)};
  return command;
}

Command SetErasePinRequest(Text old_pin, Text new_pin) {
  Command command = Of(MessageType::kSecurity);
  command.security = {.old_erase_pin = old_pin,
                      .new_erase_pin = new_pin,
                      .security_op_type = Number(SecurityOp::kErasePin)};
  return command;
}

Command PinRequest(kinetic::PinOp op) {
  Command command = Of(MessageType::kPinOp);
  command.pin_op_type = Number(op);
  return command;
}

Command PowerRequest(kinetic::PowerLevel level) {
  Command command = Of(MessageType::kSetPowerLevel);
  command.power_level = Number(level);
  return command;
}

}  // namespace kbench::client
