// The few fields of a Kinetic message by which requests and answers are told apart and matched,
// pulled out of its protobuf without decoding the rest. Field numbers: proto/kinetic.proto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "kinetic/types.h"

namespace kbench::observer {

struct MessageHead {
  kinetic::AuthType auth_type = kinetic::AuthType::kInvalid;
  bool has_header = false;  // there was a Command.header; what follows is of it
  std::optional<int64_t> connection_id;
  std::optional<uint64_t> ack_sequence;
  uint64_t sequence = 0;
  kinetic::MessageType type = kinetic::MessageType::kInvalid;
  bool in_batch = false;          // it has a batchID
  std::optional<int32_t> status;  // code of an answer; none: not in the bytes that were looked at

  bool unsolicited() const { return auth_type == kinetic::AuthType::kUnsolicitedStatus; }
  // It is answered only if it is refused: the answer to END_BATCH is for all of them.
  bool answered_with_its_batch() const {
    return type == kinetic::MessageType::kStartBatch ||
           (in_batch && type != kinetic::MessageType::kEndBatch &&
            type != kinetic::MessageType::kAbortBatch);
  }
};

// `message` holds the first bytes of a message of `whole_size` bytes. False: it is no Kinetic
// message, or its header does not lie in these bytes.
bool ParseMessageHead(Bytes message, size_t whole_size, MessageHead* head);

}  // namespace kbench::observer
