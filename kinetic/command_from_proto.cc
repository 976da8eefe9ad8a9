#include "kinetic/command_proto.h"
#include "proto/kinetic.pb.h"

// Takes a field into an optional member, and leaves the member absent where the field is.
#define TAKE(member, proto, field) \
  if ((proto).has_##field()) Set((proto).field(), &(member))

namespace kbench::kinetic {
namespace {

template <typename From, typename To>
void Set(const From& from, std::optional<To>* to) {
  *to = static_cast<To>(from);
}

Header FromProto(const wire::Header& proto) {
  Header header;
  TAKE(header.cluster_version, proto, cluster_version);
  TAKE(header.connection_id, proto, connection_id);
  TAKE(header.sequence, proto, sequence);
  TAKE(header.ack_sequence, proto, ack_sequence);
  TAKE(header.message_type, proto, message_type);
  TAKE(header.timeout_ms, proto, timeout);
  TAKE(header.early_exit, proto, early_exit);
  TAKE(header.priority, proto, priority);
  TAKE(header.time_quanta_ms, proto, time_quanta);
  TAKE(header.batch_id, proto, batch_id);
  return header;
}

KeyValue FromProto(const wire::KeyValue& proto) {
  KeyValue key_value;
  TAKE(key_value.new_version, proto, new_version);
  TAKE(key_value.key, proto, key);
  TAKE(key_value.db_version, proto, db_version);
  TAKE(key_value.tag, proto, tag);
  TAKE(key_value.algorithm, proto, algorithm);
  TAKE(key_value.metadata_only, proto, metadata_only);
  TAKE(key_value.force, proto, force);
  TAKE(key_value.synchronization, proto, synchronization);
  return key_value;
}

Range FromProto(const wire::Range& proto) {
  Range range;
  TAKE(range.start_key, proto, start_key);
  TAKE(range.end_key, proto, end_key);
  TAKE(range.start_key_inclusive, proto, start_key_inclusive);
  TAKE(range.end_key_inclusive, proto, end_key_inclusive);
  TAKE(range.max_returned, proto, max_returned);
  TAKE(range.reverse, proto, reverse);
  range.keys.assign(proto.keys().begin(), proto.keys().end());
  return range;
}

Setup FromProto(const wire::Setup& proto) {
  Setup setup;
  TAKE(setup.new_cluster_version, proto, new_cluster_version);
  TAKE(setup.setup_op_type, proto, setup_op_type);
  return setup;
}

// CommandStatus and P2pOperation::Status are the same message on the wire.
template <typename AnyStatus>
AnyStatus StatusFromProto(const wire::Status& proto) {
  AnyStatus status;
  TAKE(status.code, proto, code);
  TAKE(status.message, proto, status_message);
  TAKE(status.detailed_message, proto, detailed_message);
  return status;
}

// Recursive, as deep as protobuf's parser let the message be (100 levels).
P2pOperation FromProto(const wire::P2POperation& proto) {
  P2pOperation p2p;
  if (proto.has_peer()) {
    P2pOperation::Peer& peer = p2p.peer.emplace();
    TAKE(peer.hostname, proto.peer(), hostname);
    TAKE(peer.port, proto.peer(), port);
    TAKE(peer.tls, proto.peer(), tls);
  }
  for (const wire::P2POperation::Operation& in : proto.operation()) {
    P2pOperation::Operation& operation = p2p.operations.emplace_back();
    TAKE(operation.key, in, key);
    TAKE(operation.version, in, version);
    TAKE(operation.new_key, in, new_key);
    TAKE(operation.force, in, force);
    if (in.has_status()) operation.status = StatusFromProto<P2pOperation::Status>(in.status());
    if (in.has_p2pop()) operation.nested.push_back(FromProto(in.p2pop()));
  }
  TAKE(p2p.all_child_operations_succeeded, proto, all_child_operations_succeeded);
  return p2p;
}

GetLog::Configuration FromProto(const wire::GetLog::Configuration& proto) {
  GetLog::Configuration configuration;
  TAKE(configuration.vendor, proto, vendor);
  TAKE(configuration.model, proto, model);
  TAKE(configuration.serial_number, proto, serial_number);
  TAKE(configuration.version, proto, version);
  for (const wire::GetLog::Interface& in : proto.interface()) {
    configuration.interfaces.push_back({.name = in.name(),
                                        .mac = in.mac(),
                                        .ipv4_address = in.ipv4_address(),
                                        .ipv6_address = in.ipv6_address()});
  }
  TAKE(configuration.port, proto, port);
  TAKE(configuration.tls_port, proto, tls_port);
  TAKE(configuration.compilation_date, proto, compilation_date);
  TAKE(configuration.source_hash, proto, source_hash);
  TAKE(configuration.world_wide_name, proto, world_wide_name);
  TAKE(configuration.protocol_version, proto, protocol_version);
  TAKE(configuration.protocol_compilation_date, proto, protocol_compilation_date);
  TAKE(configuration.protocol_source_hash, proto, protocol_source_hash);
  TAKE(configuration.current_power_level, proto, current_power_level);
  return configuration;
}

GetLog::Limits FromProto(const wire::GetLog::Limits& proto) {
  GetLog::Limits limits;
  TAKE(limits.max_key_size, proto, max_key_size);
  TAKE(limits.max_value_size, proto, max_value_size);
  TAKE(limits.max_version_size, proto, max_version_size);
  TAKE(limits.max_tag_size, proto, max_tag_size);
  TAKE(limits.max_connections, proto, max_connections);
  TAKE(limits.max_outstanding_read_requests, proto, max_outstanding_read_requests);
  TAKE(limits.max_outstanding_write_requests, proto, max_outstanding_write_requests);
  TAKE(limits.max_message_size, proto, max_message_size);
  TAKE(limits.max_key_range_count, proto, max_key_range_count);
  TAKE(limits.max_identity_count, proto, max_identity_count);
  TAKE(limits.max_pin_size, proto, max_pin_size);
  TAKE(limits.max_operation_count_per_batch, proto, max_operation_count_per_batch);
  TAKE(limits.max_batch_count_per_device, proto, max_batch_count_per_device);
  TAKE(limits.max_batch_size, proto, max_batch_size);
  TAKE(limits.max_deletes_per_batch, proto, max_deletes_per_batch);
  return limits;
}

GetLog FromProto(const wire::GetLog& proto) {
  GetLog log;
  for (int32_t type : proto.types()) log.types.push_back(static_cast<GetLog::Type>(type));
  for (const wire::GetLog::Utilization& in : proto.utilizations()) {
    GetLog::Utilization& utilization = log.utilizations.emplace_back();
    utilization.name = in.name();
    TAKE(utilization.value, in, value);
  }
  for (const wire::GetLog::Temperature& in : proto.temperatures()) {
    GetLog::Temperature& temperature = log.temperatures.emplace_back();
    temperature.name = in.name();
    TAKE(temperature.current, in, current);
    TAKE(temperature.minimum, in, minimum);
    TAKE(temperature.maximum, in, maximum);
    TAKE(temperature.target, in, target);
  }
  if (proto.has_capacity()) {
    GetLog::Capacity& capacity = log.capacity.emplace();
    TAKE(capacity.nominal_capacity_bytes, proto.capacity(), nominal_capacity_in_bytes);
    TAKE(capacity.portion_full, proto.capacity(), portion_full);
  }
  if (proto.has_configuration()) log.configuration = FromProto(proto.configuration());
  for (const wire::GetLog::Statistics& in : proto.statistics()) {
    GetLog::Statistics& statistics = log.statistics.emplace_back();
    if (in.has_message_type()) {
      statistics.message_type = static_cast<MessageType>(in.message_type());
    }
    statistics.count = in.count();
    statistics.bytes = in.bytes();
    TAKE(statistics.max_latency_ms, in, max_latency);
  }
  TAKE(log.messages, proto, messages);
  if (proto.has_limits()) log.limits = FromProto(proto.limits());
  if (proto.has_device()) log.device_name = proto.device().name();
  return log;
}

Security::Acl FromProto(const wire::Security::Acl& proto) {
  Security::Acl acl;
  TAKE(acl.identity, proto, identity);
  TAKE(acl.key, proto, key);
  TAKE(acl.hmac_algorithm, proto, hmac_algorithm);
  for (const wire::Security::Scope& in : proto.scope()) {
    Security::Scope& scope = acl.scopes.emplace_back();
    TAKE(scope.offset, in, offset);
    TAKE(scope.value, in, value);
    scope.permissions.assign(in.permission().begin(), in.permission().end());
    TAKE(scope.tls_required, in, tls_required);
  }
  TAKE(acl.max_priority, proto, max_priority);
  return acl;
}

Security FromProto(const wire::Security& proto) {
  Security security;
  for (const wire::Security::Acl& acl : proto.acl()) security.acls.push_back(FromProto(acl));
  TAKE(security.old_lock_pin, proto, old_lock_pin);
  TAKE(security.new_lock_pin, proto, new_lock_pin);
  TAKE(security.old_erase_pin, proto, old_erase_pin);
  TAKE(security.new_erase_pin, proto, new_erase_pin);
  TAKE(security.security_op_type, proto, security_op_type);
  return security;
}

Batch FromProto(const wire::Batch& proto) {
  Batch batch;
  TAKE(batch.count, proto, count);
  batch.sequences.assign(proto.sequence().begin(), proto.sequence().end());
  TAKE(batch.failed_sequence, proto, failed_sequence);
  return batch;
}

void BodyFromProto(const wire::Body& proto, Command* command) {
  if (proto.has_key_value()) command->key_value = FromProto(proto.key_value());
  if (proto.has_range()) command->range = FromProto(proto.range());
  if (proto.has_setup()) command->setup = FromProto(proto.setup());
  if (proto.has_p2p_operation()) command->p2p = FromProto(proto.p2p_operation());
  if (proto.has_get_log()) command->get_log = FromProto(proto.get_log());
  if (proto.has_security()) command->security = FromProto(proto.security());
  TAKE(command->pin_op_type, proto.pin_op(), pin_op_type);
  if (proto.has_batch()) command->batch = FromProto(proto.batch());
  TAKE(command->power_level, proto.power(), level);
}

// Member by member: a whole Command is large, and most of it is absent in the hot operations.
void Reset(Command* command) {
  command->has_header = false;
  command->header = {};
  command->key_value.reset();
  command->range.reset();
  command->setup.reset();
  command->p2p.reset();
  command->get_log.reset();
  command->security.reset();
  command->pin_op_type.reset();
  command->batch.reset();
  command->power_level.reset();
  command->status.reset();
}

}  // namespace

void FromProto(const wire::Command& proto, Command* command) {
  Reset(command);
  command->has_header = proto.has_header();
  if (proto.has_header()) command->header = FromProto(proto.header());
  if (proto.has_body()) BodyFromProto(proto.body(), command);
  if (proto.has_status()) command->status = StatusFromProto<CommandStatus>(proto.status());
}

}  // namespace kbench::kinetic
