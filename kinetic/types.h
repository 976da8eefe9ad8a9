// The protocol's vocabulary as plain C++: enumerations with the wire's numbers, and one struct for
// everything a Kinetic message can say. Nothing here knows protobuf.
//
// Optional members mirror the wire: "absent" and "empty" are different messages. Text and byte
// strings are views: when decoding, into the decoder, valid until its next call; when encoding,
// into the caller's memory, read during the call only.
//
// Source of numbers and names: the public Kinetic protocol, versions 3.0 to 4.0.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kbench::kinetic {

inline constexpr uint16_t kDefaultPort = 8123;
inline constexpr absl::string_view kFactoryKey = "asdfasdf";  // of identity 1
inline constexpr int64_t kFactoryIdentity = 1;

enum class AuthType : int32_t { kInvalid = -1, kHmac = 1, kPin = 2, kUnsolicitedStatus = 3 };

// Requests are even; the response of a request is request - 1.
enum class MessageType : int32_t {
  kInvalid = -1,
  kGetResponse = 1,
  kGet = 2,
  kPutResponse = 3,
  kPut = 4,
  kDeleteResponse = 5,
  kDelete = 6,
  kGetNextResponse = 7,
  kGetNext = 8,
  kGetPreviousResponse = 9,
  kGetPrevious = 10,
  kGetKeyRangeResponse = 11,
  kGetKeyRange = 12,
  kGetVersionResponse = 15,
  kGetVersion = 16,
  kSetupResponse = 21,
  kSetup = 22,
  kGetLogResponse = 23,
  kGetLog = 24,
  kSecurityResponse = 25,
  kSecurity = 26,
  kPeerToPeerPushResponse = 27,
  kPeerToPeerPush = 28,
  kNoopResponse = 29,
  kNoop = 30,
  kFlushAllDataResponse = 31,
  kFlushAllData = 32,
  kPinOpResponse = 35,
  kPinOp = 36,
  kMediaScanResponse = 37,
  kMediaScan = 38,
  kMediaOptimizeResponse = 39,
  kMediaOptimize = 40,
  kStartBatchResponse = 41,
  kStartBatch = 42,
  kEndBatchResponse = 43,
  kEndBatch = 44,
  kAbortBatchResponse = 45,
  kAbortBatch = 46,
  kSetPowerLevelResponse = 47,
  kSetPowerLevel = 48,
};

enum class StatusCode : int32_t {
  kInvalid = -1,
  kNotAttempted = 0,
  kSuccess = 1,
  kHmacFailure = 2,
  kNotAuthorized = 3,
  kVersionFailure = 4,  // The cluster version is wrong; the header carries the server's.
  kInternalError = 5,
  kHeaderRequired = 6,
  kNotFound = 7,
  kVersionMismatch = 8,  // The entry's version is not the request's dbVersion.
  kServiceBusy = 9,
  kExpired = 10,
  kDataError = 11,
  kPermDataError = 12,
  kRemoteConnectionError = 13,
  kNoSpace = 14,
  kNoSuchHmacAlgorithm = 15,
  kInvalidRequest = 16,
  kNestedOperationErrors = 17,
  kDeviceLocked = 18,
  kDeviceAlreadyUnlocked = 19,
  kConnectionTerminated = 20,
  kInvalidBatch = 21,
  kHibernate = 22,
  kShutdown = 23,
};
inline constexpr int kStatusCodeCount = 25;  // -1 .. 23

enum class Synchronization : int32_t {
  kInvalid = -1,
  kWriteThrough = 1,
  kWriteBack = 2,
  kFlush = 3,
};

// What an identity may do, to which keys: Security::Scope::permissions.
enum class Permission : int32_t {
  kRead = 0,
  kWrite = 1,
  kDelete = 2,
  kRange = 3,
  kSetup = 4,
  kPeerToPeer = 5,
  kGetLog = 7,
  kSecurity = 8,
  kPowerManagement = 9,
};
enum class SetupOp : int32_t { kFirmware = 1, kClusterVersion = 2 };
enum class SecurityOp : int32_t { kAcl = 1, kErasePin = 2, kLockPin = 3 };
enum class PinOp : int32_t { kUnlock = 1, kLock = 2, kErase = 3, kSecureErase = 4 };
enum class PowerLevel : int32_t { kOperational = 1, kHibernate = 2, kShutdown = 3, kFail = 4 };
inline constexpr int32_t kHmacSha1 = 1;  // Security::Acl::hmac_algorithm

// The wire's names: "GET_RESPONSE", "NOT_FOUND"; "UNKNOWN(77)" for a number nobody defined.
std::string Name(AuthType type);
std::string Name(MessageType type);
std::string Name(StatusCode code);
std::string Name(Synchronization synchronization);

constexpr MessageType ResponseOf(MessageType request) {
  return static_cast<MessageType>(static_cast<int32_t>(request) - 1);
}
constexpr bool IsRequest(MessageType type) {
  return static_cast<int32_t>(type) > 0 && static_cast<int32_t>(type) % 2 == 0;
}

using Text = absl::string_view;

struct Header {
  std::optional<int64_t> cluster_version;
  std::optional<int64_t> connection_id;
  std::optional<uint64_t> sequence;
  std::optional<uint64_t> ack_sequence;
  std::optional<MessageType> message_type;
  std::optional<uint64_t> timeout_ms;
  std::optional<bool> early_exit;
  std::optional<int32_t> priority;  // 3.x and 4.x number priorities differently: kept as sent.
  std::optional<uint64_t> time_quanta_ms;
  std::optional<uint32_t> batch_id;
  bool operator==(const Header&) const = default;
};

struct KeyValue {
  std::optional<Text> key;
  std::optional<Text> new_version;
  std::optional<Text> db_version;
  std::optional<Text> tag;
  std::optional<int32_t> algorithm;  // 0 is not in the schema but is sent by libkinetic.
  std::optional<bool> metadata_only;
  std::optional<bool> force;
  std::optional<Synchronization> synchronization;
  bool operator==(const KeyValue&) const = default;
};

struct Range {
  std::optional<Text> start_key;
  std::optional<Text> end_key;
  std::optional<bool> start_key_inclusive;
  std::optional<bool> end_key_inclusive;
  std::optional<uint32_t> max_returned;
  std::optional<bool> reverse;
  std::vector<Text> keys;
  bool operator==(const Range&) const = default;
};

struct Setup {
  std::optional<int64_t> new_cluster_version;
  std::optional<int32_t> setup_op_type;  // 1 firmware, 2 cluster version
  bool operator==(const Setup&) const = default;
};

struct P2pOperation {
  struct Peer {
    std::optional<Text> hostname;
    std::optional<int32_t> port;
    std::optional<bool> tls;
    bool operator==(const Peer&) const = default;
  };
  struct Status {
    std::optional<StatusCode> code;
    std::optional<Text> message;
    std::optional<Text> detailed_message;
    bool operator==(const Status&) const = default;
  };
  struct Operation {
    std::optional<Text> key;
    std::optional<Text> version;
    std::optional<Text> new_key;
    std::optional<bool> force;
    std::optional<Status> status;
    std::vector<P2pOperation> nested;  // none or one
    bool operator==(const Operation&) const = default;
  };
  std::optional<Peer> peer;
  std::vector<Operation> operations;
  std::optional<bool> all_child_operations_succeeded;
  bool operator==(const P2pOperation&) const = default;
};

struct GetLog {
  enum class Type : int32_t {
    kInvalid = -1,
    kUtilizations = 0,
    kTemperatures = 1,
    kCapacities = 2,
    kConfiguration = 3,
    kStatistics = 4,
    kMessages = 5,
    kLimits = 6,
    kDevice = 7,
  };
  struct Utilization {
    Text name;
    std::optional<float> value;  // 0 to 1
    bool operator==(const Utilization&) const = default;
  };
  struct Temperature {
    Text name;
    std::optional<float> current, minimum, maximum, target;  // degrees Celsius
    bool operator==(const Temperature&) const = default;
  };
  struct Capacity {
    std::optional<uint64_t> nominal_capacity_bytes;
    std::optional<float> portion_full;
    bool operator==(const Capacity&) const = default;
  };
  struct Interface {
    Text name, mac, ipv4_address, ipv6_address;  // all printable text
    bool operator==(const Interface&) const = default;
  };
  struct Configuration {
    std::optional<Text> vendor, model, serial_number, world_wide_name, version, compilation_date,
        source_hash, protocol_version, protocol_compilation_date, protocol_source_hash;
    std::vector<Interface> interfaces;
    std::optional<int32_t> port, tls_port;
    std::optional<int32_t> current_power_level;
    bool operator==(const Configuration&) const = default;
  };
  struct Statistics {
    MessageType message_type = MessageType::kInvalid;
    uint64_t count = 0;
    uint64_t bytes = 0;
    std::optional<uint64_t> max_latency_ms;
    bool operator==(const Statistics&) const = default;
  };
  // 4294967295 on the wire means "no limit".
  struct Limits {
    std::optional<uint32_t> max_key_size, max_value_size, max_version_size, max_tag_size,
        max_connections, max_outstanding_read_requests, max_outstanding_write_requests,
        max_message_size, max_key_range_count, max_identity_count, max_pin_size,
        max_operation_count_per_batch, max_batch_count_per_device, max_batch_size,
        max_deletes_per_batch;
    bool operator==(const Limits&) const = default;
  };
  std::vector<Type> types;
  std::vector<Utilization> utilizations;
  std::vector<Temperature> temperatures;
  std::optional<Capacity> capacity;
  std::optional<Configuration> configuration;
  std::vector<Statistics> statistics;
  std::optional<Text> messages;
  std::optional<Limits> limits;
  std::optional<Text> device_name;
  bool operator==(const GetLog&) const = default;
};

struct Security {
  struct Scope {
    std::optional<uint64_t> offset;
    std::optional<Text> value;
    std::vector<int32_t> permissions;
    std::optional<bool> tls_required;
    bool operator==(const Scope&) const = default;
  };
  struct Acl {
    std::optional<int64_t> identity;
    std::optional<Text> key;
    std::optional<int32_t> hmac_algorithm;
    std::vector<Scope> scopes;
    std::optional<int32_t> max_priority;
    bool operator==(const Acl&) const = default;
  };
  std::vector<Acl> acls;
  std::optional<Text> old_lock_pin, new_lock_pin, old_erase_pin, new_erase_pin;
  std::optional<int32_t> security_op_type;  // 1 ACL, 2 erase PIN, 3 lock PIN
  bool operator==(const Security&) const = default;
};

struct Batch {
  std::optional<uint32_t> count;
  std::vector<uint64_t> sequences;
  std::optional<uint64_t> failed_sequence;
  bool operator==(const Batch&) const = default;
};

struct CommandStatus {
  std::optional<StatusCode> code;
  std::optional<Text> message;
  std::optional<Text> detailed_message;
  bool operator==(const CommandStatus&) const = default;
};

// One Command: what a PDU says, whoever signed it.
struct Command {
  bool has_header = false;
  Header header;
  std::optional<KeyValue> key_value;
  std::optional<Range> range;
  std::optional<Setup> setup;
  std::optional<P2pOperation> p2p;
  std::optional<GetLog> get_log;
  std::optional<Security> security;
  std::optional<int32_t> pin_op_type;  // 1 unlock, 2 lock, 3 erase, 4 secure erase
  std::optional<Batch> batch;
  std::optional<int32_t> power_level;  // 1 operational, 2 hibernate, 3 shutdown, 4 fail
  std::optional<CommandStatus> status;
  bool operator==(const Command&) const = default;
};

// One Message: the command and who vouches for it.
struct Message {
  std::optional<AuthType> auth_type;
  std::optional<int64_t> identity;  // of hmacAuth
  std::optional<Text> hmac;         // of hmacAuth, 20 bytes when well made
  std::optional<Text> pin;          // of pinAuth
  bool has_command = false;
  Text command_bytes;  // exactly as on the wire: what the HMAC covers
  Command command;
  bool operator==(const Message&) const = default;
};

}  // namespace kbench::kinetic
