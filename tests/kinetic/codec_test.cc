#include "kinetic/codec.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "base/varint.h"
#include "proto/kinetic.pb.h"

namespace kbench::kinetic {
namespace {

const HmacKey& FactoryKey() {
  static const auto* const key = new HmacKey(kFactoryKey);
  return *key;
}

Signature FactorySignature() { return Signature::Hmac(kFactoryIdentity, &FactoryKey()); }

std::string EncodeMessage(const Command& command, const Signature& signature) {
  Encoder encoder;
  std::string pdu;
  encoder.Append(command, signature, 0, &pdu);
  return pdu.substr(kFrameHeaderSize);
}

// A message around any command bytes, as another implementation might have made it.
std::string Wrap(absl::string_view command_bytes) {
  wire::Message message;
  message.set_command_bytes(std::string(command_bytes));
  return message.SerializeAsString();
}

Header FullHeader() {
  return {.cluster_version = -2,
          .connection_id = 3,
          .sequence = UINT64_MAX,
          .ack_sequence = 5,
          .message_type = MessageType::kPut,
          .timeout_ms = 6,
          .early_exit = true,
          .priority = 7,
          .time_quanta_ms = 8,
          .batch_id = 9};
}

P2pOperation FullP2p() {
  P2pOperation inner;
  inner.peer = P2pOperation::Peer{.hostname = "inner host", .port = 8124, .tls = false};
  inner.operations = {{.key = "inner key"}};
  P2pOperation outer;
  outer.peer = P2pOperation::Peer{.hostname = "host", .port = 8123, .tls = true};
  outer.operations = {{.key = "key",
                       .version = "version",
                       .new_key = "new key",
                       .force = true,
                       .status = P2pOperation::Status{.code = StatusCode::kNotFound,
                                                      .message = "child",
                                                      .detailed_message = "child detail"},
                       .nested = {inner}},
                      {.key = "second key"}};
  outer.all_child_operations_succeeded = false;
  return outer;
}

GetLog FullLog() {
  GetLog log;
  log.types = {GetLog::Type::kUtilizations, GetLog::Type::kDevice};
  log.utilizations = {{.name = "HDA", .value = 0.25}, {.name = "CPU", .value = 0.5}};
  log.temperatures = {
      {.name = "HDA", .current = 1, .minimum = 2, .maximum = 3, .target = 4},
  };
  log.capacity = GetLog::Capacity{.nominal_capacity_bytes = 1ull << 40, .portion_full = 0.75};
  log.configuration = GetLog::Configuration{.vendor = "vendor",
                                            .model = "model",
                                            .serial_number = "serial",
                                            .world_wide_name = "wwn",
                                            .version = "version",
                                            .compilation_date = "date",
                                            .source_hash = "hash",
                                            .protocol_version = "4.0.1",
                                            .protocol_compilation_date = "protocol date",
                                            .protocol_source_hash = "protocol hash",
                                            .port = 8123,
                                            .tls_port = 8443,
                                            .current_power_level = 1};
  log.configuration->interfaces = {
      {.name = "eth0", .mac = "mac", .ipv4_address = "127.0.0.1", .ipv6_address = "::1"}};
  log.statistics = {
      {.message_type = MessageType::kGet, .count = 11, .bytes = 12, .max_latency_ms = 13}};
  log.messages = "messages";
  log.limits = GetLog::Limits{.max_key_size = 1,
                              .max_value_size = 2,
                              .max_version_size = 3,
                              .max_tag_size = 4,
                              .max_connections = UINT32_MAX,
                              .max_outstanding_read_requests = 6,
                              .max_outstanding_write_requests = 7,
                              .max_message_size = 8,
                              .max_key_range_count = 9,
                              .max_identity_count = 10,
                              .max_pin_size = 11,
                              .max_operation_count_per_batch = 12,
                              .max_batch_count_per_device = 13,
                              .max_batch_size = 14,
                              .max_deletes_per_batch = 15};
  log.device_name = "device";
  return log;
}

// Says everything that a command can say, each time with another value.
Command FullCommand() {
  Command command;
  command.has_header = true;
  command.header = FullHeader();
  command.key_value = KeyValue{.key = "key",
                               .new_version = "new",
                               .db_version = "db",
                               .tag = "tag",
                               .algorithm = 100,
                               .metadata_only = true,
                               .force = false,
                               .synchronization = Synchronization::kFlush};
  command.range = Range{.start_key = "start",
                        .end_key = "end",
                        .start_key_inclusive = true,
                        .end_key_inclusive = false,
                        .max_returned = 200,
                        .reverse = true,
                        .keys = {"a", "b"}};
  command.setup = Setup{.new_cluster_version = 21, .setup_op_type = 2};
  command.p2p = FullP2p();
  command.get_log = FullLog();
  Security security;
  security.acls = {
      {.identity = 31,
       .key = "acl key",
       .hmac_algorithm = 1,
       .scopes = {{.offset = 32, .value = "scope", .permissions = {0, 9}, .tls_required = true}},
       .max_priority = 5}};
  security.old_lock_pin = "old lock";
  security.new_lock_pin = "new lock";
  security.old_erase_pin = "old erase";
  security.new_erase_pin = "new erase";
  security.security_op_type = 3;
  command.security = security;
  command.pin_op_type = 4;
  command.batch = Batch{.count = 41, .sequences = {1, 300, 2}, .failed_sequence = 42};
  command.power_level = 3;
  command.status = CommandStatus{.code = StatusCode::kNestedOperationErrors,
                                 .message = "message",
                                 .detailed_message = "detail"};
  return command;
}

constexpr char kFullCommandText[] = R"(header {
  cluster_version: -2
  connection_id: 3
  sequence: 18446744073709551615
  ack_sequence: 5
  message_type: 4
  timeout: 6
  early_exit: true
  priority: 7
  time_quanta: 8
  batch_id: 9
}
body {
  key_value {
    new_version: "new"
    key: "key"
    db_version: "db"
    tag: "tag"
    algorithm: 100
    metadata_only: true
    force: false
    synchronization: 3
  }
  range {
    start_key: "start"
    end_key: "end"
    start_key_inclusive: true
    end_key_inclusive: false
    max_returned: 200
    reverse: true
    keys: "a"
    keys: "b"
  }
  setup {
    new_cluster_version: 21
    setup_op_type: 2
  }
  p2p_operation {
    peer {
      hostname: "host"
      port: 8123
      tls: true
    }
    operation {
      key: "key"
      version: "version"
      new_key: "new key"
      force: true
      status {
        code: 7
        status_message: "child"
        detailed_message: "child detail"
      }
      p2pop {
        peer {
          hostname: "inner host"
          port: 8124
          tls: false
        }
        operation {
          key: "inner key"
        }
      }
    }
    operation {
      key: "second key"
    }
    all_child_operations_succeeded: false
  }
  get_log {
    types: 0
    types: 7
    utilizations {
      name: "HDA"
      value: 0.25
    }
    utilizations {
      name: "CPU"
      value: 0.5
    }
    temperatures {
      name: "HDA"
      current: 1
      minimum: 2
      maximum: 3
      target: 4
    }
    capacity {
      nominal_capacity_in_bytes: 1099511627776
      portion_full: 0.75
    }
    configuration {
      vendor: "vendor"
      model: "model"
      serial_number: "serial"
      version: "version"
      interface {
        name: "eth0"
        mac: "mac"
        ipv4_address: "127.0.0.1"
        ipv6_address: "::1"
      }
      port: 8123
      tls_port: 8443
      compilation_date: "date"
      source_hash: "hash"
      world_wide_name: "wwn"
      protocol_version: "4.0.1"
      protocol_compilation_date: "protocol date"
      protocol_source_hash: "protocol hash"
      current_power_level: 1
    }
    statistics {
      message_type: 2
      count: 11
      bytes: 12
      max_latency: 13
    }
    messages: "messages"
    limits {
      max_key_size: 1
      max_value_size: 2
      max_version_size: 3
      max_tag_size: 4
      max_connections: 4294967295
      max_outstanding_read_requests: 6
      max_outstanding_write_requests: 7
      max_message_size: 8
      max_key_range_count: 9
      max_identity_count: 10
      max_pin_size: 11
      max_operation_count_per_batch: 12
      max_batch_count_per_device: 13
      max_batch_size: 14
      max_deletes_per_batch: 15
    }
    device {
      name: "device"
    }
  }
  security {
    acl {
      identity: 31
      key: "acl key"
      hmac_algorithm: 1
      scope {
        offset: 32
        value: "scope"
        permission: 0
        permission: 9
        tls_required: true
      }
      max_priority: 5
    }
    old_lock_pin: "old lock"
    new_lock_pin: "new lock"
    old_erase_pin: "old erase"
    new_erase_pin: "new erase"
    security_op_type: 3
  }
  pin_op {
    pin_op_type: 4
  }
  batch {
    count: 41
    sequence: 1
    sequence: 300
    sequence: 2
    failed_sequence: 42
  }
  power {
    level: 3
  }
}
status {
  code: 17
  status_message: "message"
  detailed_message: "detail"
}
)";

// The schema's own list of fields: one that FullCommand() forgot would be proved by nothing.
void ExpectEveryFieldSomewhere(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *type.field(i);
    const bool present = field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                                             : reflection.HasField(message, &field);
    EXPECT_TRUE(present) << field.full_name();
    if (!present || field.cpp_type() != field.CPPTYPE_MESSAGE) continue;
    if (field.message_type() == wire::P2POperation::descriptor() && field.name() == "p2pop") {
      continue;  // the same type again, filled with less
    }
    ExpectEveryFieldSomewhere(field.is_repeated()
                                  ? reflection.GetRepeatedMessage(message, &field, 0)
                                  : reflection.GetMessage(message, &field));
  }
}

TEST(Codec, PutsEveryMemberIntoTheFieldOfItsName) {
  Decoder decoder;
  const std::string message = EncodeMessage(FullCommand(), FactorySignature());
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  wire::Command proto;
  ASSERT_TRUE(proto.ParseFromString(std::string(decoder.message().command_bytes)));
  std::string text;
  ASSERT_TRUE(google::protobuf::TextFormat::PrintToString(proto, &text));
  EXPECT_EQ(text, kFullCommandText);
  ExpectEveryFieldSomewhere(proto);
}

TEST(Codec, GivesEveryMemberBack) {
  Decoder decoder;
  const std::string message = EncodeMessage(FullCommand(), FactorySignature());
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_EQ(decoder.message().auth_type, AuthType::kHmac);
  EXPECT_EQ(decoder.message().identity, kFactoryIdentity);
  EXPECT_TRUE(decoder.message().has_command);
  EXPECT_TRUE(decoder.message().command == FullCommand());
  EXPECT_TRUE(VerifyHmac(decoder.message(), FactoryKey()));
}

TEST(Codec, KeepsEmptyApartFromAbsent) {
  Command empty;
  empty.has_header = true;
  empty.key_value = KeyValue{.key = "", .tag = "", .algorithm = 0, .force = false};
  empty.range = Range{.start_key = "", .max_returned = 0};
  empty.get_log = GetLog{};
  empty.get_log->limits = GetLog::Limits{};
  empty.security = Security{};
  empty.p2p = P2pOperation{};
  empty.batch = Batch{};
  empty.setup.emplace();
  empty.status = CommandStatus{.message = ""};
  Decoder decoder;
  const std::string message = EncodeMessage(empty, FactorySignature());
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_TRUE(decoder.message().command == empty);
}

TEST(Codec, OfAnEmptyCommandIsAnEmptyCommandNotNone) {
  Decoder decoder;
  const std::string message = EncodeMessage({}, FactorySignature());
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_TRUE(decoder.message().has_command);
  EXPECT_TRUE(decoder.message().command == Command{});
  EXPECT_TRUE(VerifyHmac(decoder.message(), FactoryKey()));
}

TEST(Encoder, AppendsAfterWhatIsThereAndAnnouncesTheValue) {
  Encoder encoder;
  std::string out = "before";
  Command command;
  command.has_header = true;
  encoder.Append(command, FactorySignature(), 70'000, &out);
  ASSERT_EQ(out.substr(0, 6), "before");
  const auto header = DecodeFrameHeader(AsBytes(out).data() + 6, {});
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->message_size, out.size() - 6 - kFrameHeaderSize);
  EXPECT_EQ(header->value_size, 70'000u);
}

TEST(Encoder, RemembersNothingOfItsLastCommand) {
  Encoder used;
  std::string out;
  used.Append(FullCommand(), FactorySignature(), 5, &out);
  used.Append(FullCommand(), {.kind = Signature::Kind::kPin, .pin = "1234"}, 5, &out);
  Command small;
  small.has_header = true;
  small.header.sequence = 1;
  for (const Signature& signature : {FactorySignature(), Signature::Unsolicited(),
                                     Signature{.kind = Signature::Kind::kPin, .pin = "5"}}) {
    out.clear();
    used.Append(small, signature, 0, &out);
    EXPECT_EQ(out.substr(kFrameHeaderSize), EncodeMessage(small, signature));
  }
}

TEST(Encoder, SignsAsAsked) {
  const HmacKey other("secret2");
  Decoder decoder;
  std::string message = EncodeMessage(FullCommand(), Signature::Hmac(2, &other));
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_EQ(decoder.message().identity, 2);
  EXPECT_TRUE(VerifyHmac(decoder.message(), other));
  EXPECT_FALSE(VerifyHmac(decoder.message(), FactoryKey()));

  message = EncodeMessage(FullCommand(), {.kind = Signature::Kind::kPin, .pin = "1234"});
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_EQ(decoder.message().auth_type, AuthType::kPin);
  EXPECT_EQ(decoder.message().pin, "1234");
  EXPECT_FALSE(decoder.message().hmac || decoder.message().identity);
  EXPECT_FALSE(VerifyHmac(decoder.message(), FactoryKey()));

  message = EncodeMessage(FullCommand(), Signature::Unsolicited());
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_EQ(decoder.message().auth_type, AuthType::kUnsolicitedStatus);
  EXPECT_FALSE(decoder.message().hmac || decoder.message().identity || decoder.message().pin);
}

TEST(Decoder, RemembersNothingOfItsLastMessage) {
  Decoder decoder;
  const std::string full = EncodeMessage(FullCommand(), FactorySignature());
  ASSERT_TRUE(decoder.Decode(AsBytes(full)).ok());
  ASSERT_TRUE(decoder.Decode({}).ok());
  EXPECT_TRUE(decoder.message() == Message{});

  ASSERT_TRUE(decoder.Decode(AsBytes(full)).ok());
  EXPECT_FALSE(decoder.Decode(AsBytes("\xff")).ok());
  EXPECT_TRUE(decoder.message() == Message{});
  ASSERT_TRUE(decoder.Decode(AsBytes(full)).ok()) << "an error is not sticky here";
  EXPECT_TRUE(decoder.message().command == FullCommand());
}

TEST(Decoder, DoesNotReferToTheBytesItWasGiven) {
  Decoder decoder;
  std::string message = EncodeMessage(FullCommand(), FactorySignature());
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  message.assign(message.size(), '\xff');
  EXPECT_TRUE(decoder.message().command == FullCommand());
  EXPECT_TRUE(VerifyHmac(decoder.message(), FactoryKey()));
}

// The simulator's answer to an unknown identity: 11 bytes in all, authType and nothing else.
TEST(Decoder, AcceptsAMessageWithoutACommand) {
  Decoder decoder;
  ASSERT_TRUE(decoder.Decode(AsBytes("\x20\x01")).ok());
  EXPECT_EQ(decoder.message().auth_type, AuthType::kHmac);
  EXPECT_FALSE(decoder.message().has_command);
  EXPECT_FALSE(decoder.message().hmac || decoder.message().identity);
  EXPECT_FALSE(VerifyHmac(decoder.message(), FactoryKey()));
}

TEST(Decoder, AcceptsAMessageWithoutAnAuthTypeButVerifiesNoneOfIt) {
  wire::Message proto;
  ASSERT_TRUE(proto.ParseFromString(EncodeMessage(FullCommand(), FactorySignature())));
  proto.clear_auth_type();
  Decoder decoder;
  const std::string message = proto.SerializeAsString();
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_FALSE(decoder.message().auth_type);
  EXPECT_TRUE(decoder.message().command == FullCommand());
  EXPECT_FALSE(VerifyHmac(decoder.message(), FactoryKey()));
}

TEST(Decoder, PassesUnknownNumbersOn) {
  wire::Command proto;
  proto.mutable_header()->set_message_type(77);
  proto.mutable_header()->set_priority(-12);
  proto.mutable_body()->mutable_key_value()->set_synchronization(99);
  proto.mutable_status()->set_code(1000);
  std::string message = Wrap(proto.SerializeAsString()) + "\x20\x63";  // authType 99
  Decoder decoder;
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_EQ(decoder.message().auth_type, static_cast<AuthType>(99));
  const Command& command = decoder.message().command;
  EXPECT_EQ(command.header.message_type, static_cast<MessageType>(77));
  EXPECT_EQ(command.header.priority, -12);
  EXPECT_EQ(command.key_value->synchronization, static_cast<Synchronization>(99));
  EXPECT_EQ(command.status->code, static_cast<StatusCode>(1000));
}

TEST(Decoder, IgnoresUnknownFieldsAtEveryLevel) {
  // Field 100: varint 1 (a0 06 01) in the message, in the command, and in its header.
  const std::string unknown = "\xa0\x06\x01";
  const std::string header = "\x38\x1e" + unknown;  // messageType 30
  const std::string command =
      std::string("\x0a") + static_cast<char>(header.size()) + header + unknown;
  const std::string message = unknown + Wrap(command);
  Decoder decoder;
  ASSERT_TRUE(decoder.Decode(AsBytes(message)).ok());
  EXPECT_TRUE(decoder.message().has_command);
  EXPECT_EQ(decoder.message().command_bytes, command) << "the HMAC covers unknown fields too";
  EXPECT_EQ(decoder.message().command.header.message_type, MessageType::kNoop);
}

// proto2 allows both forms for a repeated number; other clients may use either.
TEST(Decoder, ReadsPackedAndUnpackedLists) {
  Decoder decoder;
  const std::string packed = Wrap(std::string("\x12\x06\x4a\x04\x12\x02\x07\x08", 8));
  ASSERT_TRUE(decoder.Decode(AsBytes(packed)).ok());
  ASSERT_TRUE(decoder.message().command.batch);
  EXPECT_THAT(decoder.message().command.batch->sequences, testing::ElementsAre(7, 8));
  const std::string unpacked = Wrap(std::string("\x12\x06\x4a\x04\x10\x07\x10\x08", 8));
  ASSERT_TRUE(decoder.Decode(AsBytes(unpacked)).ok());
  EXPECT_THAT(decoder.message().command.batch->sequences, testing::ElementsAre(7, 8));
}

TEST(Decoder, SaysWhichOfTheTwoLayersIsBroken) {
  Decoder decoder;
  const absl::Status message = decoder.Decode(AsBytes("GET / HTTP/1.1"));
  EXPECT_EQ(message.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(message.message()), testing::HasSubstr("message of 14 bytes"));
  const absl::Status command = decoder.Decode(AsBytes(Wrap("\x0a\x7f")));
  EXPECT_EQ(command.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(command.message()), testing::HasSubstr("commandBytes"));
}

std::string Field(char tag, absl::string_view content) {
  std::string out(1, tag);
  AppendVarint(&out, content.size());
  return out.append(content.data(), content.size());
}

// Bytes, not a protobuf object, which would need the stack that the decoder refuses to use.
std::string NestedP2p(int depth) {
  std::string p2p;
  for (int i = 0; i < depth; ++i) p2p = Field('\x12', Field('\x42', p2p));  // operation, p2pop
  return Wrap(Field('\x12', Field('\x22', p2p)));                           // body, p2pOperation
}

TEST(Decoder, ReadsP2pOperationsNestedAsDeepAsAnyoneSends) {
  Decoder decoder;
  ASSERT_TRUE(decoder.Decode(AsBytes(NestedP2p(40))).ok());
  int depth = 0;
  for (const P2pOperation* p2p = &*decoder.message().command.p2p; !p2p->operations.empty();
       p2p = &p2p->operations.front().nested.front()) {
    ++depth;
  }
  EXPECT_EQ(depth, 40);
}

TEST(Decoder, RefusesP2pOperationsNestedWithoutEnd) {
  Decoder decoder;
  for (int depth : {100, 2000}) {
    EXPECT_EQ(decoder.Decode(AsBytes(NestedP2p(depth))).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace kbench::kinetic
