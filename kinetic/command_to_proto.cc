#include <type_traits>

#include "kinetic/command_proto.h"
#include "proto/kinetic.pb.h"

// Sends a member if it is present: text by assignment, so that the field's buffer is used again.
#define SEND(proto, field, member) \
  if (member) (proto)->set_##field(Number(*(member)))
#define SEND_TEXT(proto, field, member) \
  if (member) Assign(*(member), (proto)->mutable_##field())
#define SEND_NAME(proto, field, member) \
  if (!(member).empty()) Assign(member, (proto)->mutable_##field())

namespace kbench::kinetic {
namespace {

template <typename T>
auto Number(T value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<int32_t>(value);
  } else {
    return value;
  }
}

void Assign(Text text, std::string* field) { field->assign(text.data(), text.size()); }

void ToProto(const Header& header, wire::Header* proto) {
  SEND(proto, cluster_version, header.cluster_version);
  SEND(proto, connection_id, header.connection_id);
  SEND(proto, sequence, header.sequence);
  SEND(proto, ack_sequence, header.ack_sequence);
  SEND(proto, message_type, header.message_type);
  SEND(proto, timeout, header.timeout_ms);
  SEND(proto, early_exit, header.early_exit);
  SEND(proto, priority, header.priority);
  SEND(proto, time_quanta, header.time_quanta_ms);
  SEND(proto, batch_id, header.batch_id);
}

void ToProto(const KeyValue& key_value, wire::KeyValue* proto) {
  SEND_TEXT(proto, new_version, key_value.new_version);
  SEND_TEXT(proto, key, key_value.key);
  SEND_TEXT(proto, db_version, key_value.db_version);
  SEND_TEXT(proto, tag, key_value.tag);
  SEND(proto, algorithm, key_value.algorithm);
  SEND(proto, metadata_only, key_value.metadata_only);
  SEND(proto, force, key_value.force);
  SEND(proto, synchronization, key_value.synchronization);
}

void ToProto(const Range& range, wire::Range* proto) {
  SEND_TEXT(proto, start_key, range.start_key);
  SEND_TEXT(proto, end_key, range.end_key);
  SEND(proto, start_key_inclusive, range.start_key_inclusive);
  SEND(proto, end_key_inclusive, range.end_key_inclusive);
  SEND(proto, max_returned, range.max_returned);
  SEND(proto, reverse, range.reverse);
  for (Text key : range.keys) Assign(key, proto->add_keys());
}

void ToProto(const Setup& setup, wire::Setup* proto) {
  SEND(proto, new_cluster_version, setup.new_cluster_version);
  SEND(proto, setup_op_type, setup.setup_op_type);
}

// CommandStatus and P2pOperation::Status are the same message on the wire.
template <typename AnyStatus>
void StatusToProto(const AnyStatus& status, wire::Status* proto) {
  SEND(proto, code, status.code);
  SEND_TEXT(proto, status_message, status.message);
  SEND_TEXT(proto, detailed_message, status.detailed_message);
}

void ToProto(const P2pOperation& p2p, wire::P2POperation* proto) {
  if (p2p.peer) {
    wire::P2POperation::Peer* peer = proto->mutable_peer();
    SEND_TEXT(peer, hostname, p2p.peer->hostname);
    SEND(peer, port, p2p.peer->port);
    SEND(peer, tls, p2p.peer->tls);
  }
  for (const P2pOperation::Operation& operation : p2p.operations) {
    wire::P2POperation::Operation* out = proto->add_operation();
    SEND_TEXT(out, key, operation.key);
    SEND_TEXT(out, version, operation.version);
    SEND_TEXT(out, new_key, operation.new_key);
    SEND(out, force, operation.force);
    if (operation.status) StatusToProto(*operation.status, out->mutable_status());
    if (!operation.nested.empty()) ToProto(operation.nested.front(), out->mutable_p2pop());
  }
  SEND(proto, all_child_operations_succeeded, p2p.all_child_operations_succeeded);
}

void ToProto(const GetLog::Configuration& configuration, wire::GetLog::Configuration* proto) {
  SEND_TEXT(proto, vendor, configuration.vendor);
  SEND_TEXT(proto, model, configuration.model);
  SEND_TEXT(proto, serial_number, configuration.serial_number);
  SEND_TEXT(proto, version, configuration.version);
  for (const GetLog::Interface& interface : configuration.interfaces) {
    wire::GetLog::Interface* out = proto->add_interface();
    SEND_NAME(out, name, interface.name);
    SEND_NAME(out, mac, interface.mac);
    SEND_NAME(out, ipv4_address, interface.ipv4_address);
    SEND_NAME(out, ipv6_address, interface.ipv6_address);
  }
  SEND(proto, port, configuration.port);
  SEND(proto, tls_port, configuration.tls_port);
  SEND_TEXT(proto, compilation_date, configuration.compilation_date);
  SEND_TEXT(proto, source_hash, configuration.source_hash);
  SEND_TEXT(proto, world_wide_name, configuration.world_wide_name);
  SEND_TEXT(proto, protocol_version, configuration.protocol_version);
  SEND_TEXT(proto, protocol_compilation_date, configuration.protocol_compilation_date);
  SEND_TEXT(proto, protocol_source_hash, configuration.protocol_source_hash);
  SEND(proto, current_power_level, configuration.current_power_level);
}

void ToProto(const GetLog::Limits& limits, wire::GetLog::Limits* proto) {
  SEND(proto, max_key_size, limits.max_key_size);
  SEND(proto, max_value_size, limits.max_value_size);
  SEND(proto, max_version_size, limits.max_version_size);
  SEND(proto, max_tag_size, limits.max_tag_size);
  SEND(proto, max_connections, limits.max_connections);
  SEND(proto, max_outstanding_read_requests, limits.max_outstanding_read_requests);
  SEND(proto, max_outstanding_write_requests, limits.max_outstanding_write_requests);
  SEND(proto, max_message_size, limits.max_message_size);
  SEND(proto, max_key_range_count, limits.max_key_range_count);
  SEND(proto, max_identity_count, limits.max_identity_count);
  SEND(proto, max_pin_size, limits.max_pin_size);
  SEND(proto, max_operation_count_per_batch, limits.max_operation_count_per_batch);
  SEND(proto, max_batch_count_per_device, limits.max_batch_count_per_device);
  SEND(proto, max_batch_size, limits.max_batch_size);
  SEND(proto, max_deletes_per_batch, limits.max_deletes_per_batch);
}

void ToProto(const GetLog& log, wire::GetLog* proto) {
  for (GetLog::Type type : log.types) proto->add_types(Number(type));
  for (const GetLog::Utilization& utilization : log.utilizations) {
    wire::GetLog::Utilization* out = proto->add_utilizations();
    SEND_NAME(out, name, utilization.name);
    SEND(out, value, utilization.value);
  }
  for (const GetLog::Temperature& temperature : log.temperatures) {
    wire::GetLog::Temperature* out = proto->add_temperatures();
    SEND_NAME(out, name, temperature.name);
    SEND(out, current, temperature.current);
    SEND(out, minimum, temperature.minimum);
    SEND(out, maximum, temperature.maximum);
    SEND(out, target, temperature.target);
  }
  if (log.capacity) {
    wire::GetLog::Capacity* out = proto->mutable_capacity();
    SEND(out, nominal_capacity_in_bytes, log.capacity->nominal_capacity_bytes);
    SEND(out, portion_full, log.capacity->portion_full);
  }
  if (log.configuration) ToProto(*log.configuration, proto->mutable_configuration());
  for (const GetLog::Statistics& statistics : log.statistics) {
    wire::GetLog::Statistics* out = proto->add_statistics();
    if (statistics.message_type != MessageType::kInvalid) {
      out->set_message_type(Number(statistics.message_type));
    }
    out->set_count(statistics.count);
    out->set_bytes(statistics.bytes);
    SEND(out, max_latency, statistics.max_latency_ms);
  }
  SEND_TEXT(proto, messages, log.messages);
  if (log.limits) ToProto(*log.limits, proto->mutable_limits());
  if (log.device_name) Assign(*log.device_name, proto->mutable_device()->mutable_name());
}

void ToProto(const Security::Acl& acl, wire::Security::Acl* proto) {
  SEND(proto, identity, acl.identity);
  SEND_TEXT(proto, key, acl.key);
  SEND(proto, hmac_algorithm, acl.hmac_algorithm);
  for (const Security::Scope& scope : acl.scopes) {
    wire::Security::Scope* out = proto->add_scope();
    SEND(out, offset, scope.offset);
    SEND_TEXT(out, value, scope.value);
    for (int32_t permission : scope.permissions) out->add_permission(permission);
    SEND(out, tls_required, scope.tls_required);
  }
  SEND(proto, max_priority, acl.max_priority);
}

void ToProto(const Security& security, wire::Security* proto) {
  for (const Security::Acl& acl : security.acls) ToProto(acl, proto->add_acl());
  SEND_TEXT(proto, old_lock_pin, security.old_lock_pin);
  SEND_TEXT(proto, new_lock_pin, security.new_lock_pin);
  SEND_TEXT(proto, old_erase_pin, security.old_erase_pin);
  SEND_TEXT(proto, new_erase_pin, security.new_erase_pin);
  SEND(proto, security_op_type, security.security_op_type);
}

void ToProto(const Batch& batch, wire::Batch* proto) {
  SEND(proto, count, batch.count);
  for (uint64_t sequence : batch.sequences) proto->add_sequence(sequence);
  SEND(proto, failed_sequence, batch.failed_sequence);
}

void BodyToProto(const Command& command, wire::Body* proto) {
  if (command.key_value) ToProto(*command.key_value, proto->mutable_key_value());
  if (command.range) ToProto(*command.range, proto->mutable_range());
  if (command.setup) ToProto(*command.setup, proto->mutable_setup());
  if (command.p2p) ToProto(*command.p2p, proto->mutable_p2p_operation());
  if (command.get_log) ToProto(*command.get_log, proto->mutable_get_log());
  if (command.security) ToProto(*command.security, proto->mutable_security());
  if (command.pin_op_type) proto->mutable_pin_op()->set_pin_op_type(*command.pin_op_type);
  if (command.batch) ToProto(*command.batch, proto->mutable_batch());
  if (command.power_level) proto->mutable_power()->set_level(*command.power_level);
}

bool HasBody(const Command& command) {
  return command.key_value || command.range || command.setup || command.p2p || command.get_log ||
         command.security || command.pin_op_type || command.batch || command.power_level;
}

}  // namespace

void ToProto(const Command& command, wire::Command* proto) {
  if (command.has_header) ToProto(command.header, proto->mutable_header());
  if (HasBody(command)) BodyToProto(command, proto->mutable_body());
  if (command.status) StatusToProto(*command.status, proto->mutable_status());
}

}  // namespace kbench::kinetic
