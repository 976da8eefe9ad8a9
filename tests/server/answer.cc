#include "tests/server/answer.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace kbench::server {
namespace {

std::optional<std::string> Own(const std::optional<kinetic::Text>& text) {
  if (!text.has_value()) return std::nullopt;
  return std::string(*text);
}

void TakeLog(const kinetic::GetLog& log, Answer* answer) {
  answer->limits = log.limits;
  answer->statistics = log.statistics;
  answer->temperatures = log.temperatures.size();
  answer->utilizations = log.utilizations.size();
  answer->log_types = log.types;
  answer->messages = Own(log.messages);
  if (log.capacity.has_value()) answer->capacity_bytes = log.capacity->nominal_capacity_bytes;
  if (!log.configuration.has_value()) return;
  answer->vendor = Own(log.configuration->vendor);
  answer->port = log.configuration->port;
  answer->interfaces = log.configuration->interfaces.size();
}

}  // namespace

Answer ParseAnswer(Bytes message, Bytes value, absl::string_view key) {
  kinetic::Decoder decoder;
  const absl::Status status = decoder.Decode(message);
  EXPECT_TRUE(status.ok()) << status;
  const kinetic::Message& m = decoder.message();
  Answer answer;
  answer.auth_type = m.auth_type.value_or(kinetic::AuthType::kInvalid);
  answer.signature_good = kinetic::VerifyHmac(m, kinetic::HmacKey(key));
  answer.identity = m.identity;
  const kinetic::Header& header = m.command.header;
  answer.cluster_version = header.cluster_version;
  answer.connection_id = header.connection_id;
  answer.ack_sequence = header.ack_sequence;
  answer.type = header.message_type;
  if (m.command.status.has_value()) {
    answer.status = m.command.status->code.value_or(kinetic::StatusCode::kInvalid);
    answer.status_message = Own(m.command.status->message).value_or("");
    answer.has_status_message = m.command.status->message.has_value();
  }
  if (m.command.key_value.has_value()) {
    answer.has_key_value = true;
    answer.key = Own(m.command.key_value->key);
    answer.db_version = Own(m.command.key_value->db_version);
    answer.tag = Own(m.command.key_value->tag);
    answer.algorithm = m.command.key_value->algorithm;
  }
  if (m.command.range.has_value()) {
    answer.has_range = true;
    for (const kinetic::Text k : m.command.range->keys) answer.keys.emplace_back(k);
    answer.range_end_key = Own(m.command.range->end_key);
  }
  if (m.command.batch.has_value()) {
    answer.has_batch = true;
    answer.batch_sequences = m.command.batch->sequences;
    answer.failed_sequence = m.command.batch->failed_sequence;
  }
  if (m.command.get_log.has_value()) TakeLog(*m.command.get_log, &answer);
  answer.value = std::string(AsText(value));
  answer.message = std::string(AsText(message));
  return answer;
}

std::string RequestBytes(const kinetic::Command& command, int64_t identity, absl::string_view key,
                         absl::string_view value) {
  const kinetic::HmacKey hmac_key(key);
  std::string out;
  kinetic::Encoder().Append(command, kinetic::Signature::Hmac(identity, &hmac_key),
                            static_cast<uint32_t>(value.size()), &out);
  absl::StrAppend(&out, value);
  return out;
}

std::string FrameBytes(absl::string_view message, absl::string_view value) {
  uint8_t header[kinetic::kFrameHeaderSize];
  kinetic::EncodeFrameHeader({.message_size = static_cast<uint32_t>(message.size()),
                              .value_size = static_cast<uint32_t>(value.size())},
                             header);
  return absl::StrCat(AsText(header), message, value);
}

kinetic::Command Request(kinetic::MessageType type, int64_t connection_id, uint64_t sequence) {
  kinetic::Command command;
  command.has_header = true;
  command.header.cluster_version = 0;
  command.header.connection_id = connection_id;
  command.header.sequence = sequence;
  command.header.message_type = type;
  return command;
}

}  // namespace kbench::server
