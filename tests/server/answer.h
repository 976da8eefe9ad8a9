// What a server's PDU says, in values that outlive the bytes; and a request's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "kinetic/codec.h"
#include "kinetic/types.h"

namespace kbench::server {

struct Answer {
  kinetic::AuthType auth_type = kinetic::AuthType::kInvalid;
  bool signature_good = false;  // HMACAUTH, made with the key that the test expects
  std::optional<int64_t> identity;
  std::optional<int64_t> cluster_version, connection_id;
  std::optional<uint64_t> ack_sequence;
  std::optional<kinetic::MessageType> type;
  kinetic::StatusCode status = kinetic::StatusCode::kInvalid;
  std::string status_message;
  bool has_status_message = false;
  bool has_key_value = false, has_range = false, has_batch = false;
  std::optional<std::string> key, db_version, tag;
  std::optional<int32_t> algorithm;
  std::vector<std::string> keys;
  std::optional<std::string> range_end_key;
  std::vector<uint64_t> batch_sequences;
  std::optional<uint64_t> failed_sequence;
  std::optional<kinetic::GetLog::Limits> limits;
  std::vector<kinetic::GetLog::Statistics> statistics;
  size_t temperatures = 0, utilizations = 0, interfaces = 0;
  std::optional<std::string> vendor, device_name, messages;
  std::optional<int32_t> port;
  std::optional<uint64_t> capacity_bytes;
  std::vector<kinetic::GetLog::Type> log_types;
  std::string value;
  std::string message;  // the PDU's bytes between frame header and value: see wire_answer.h
};

// Fails the test when `message` is no Kinetic message.
Answer ParseAnswer(Bytes message, Bytes value, absl::string_view key);

// One whole PDU.
std::string RequestBytes(const kinetic::Command& command, int64_t identity, absl::string_view key,
                         absl::string_view value = "");

// A frame round bytes that need not be a message.
std::string FrameBytes(absl::string_view message, absl::string_view value = "");

// A command with header, to be completed.
kinetic::Command Request(kinetic::MessageType type, int64_t connection_id, uint64_t sequence);

}  // namespace kbench::server
