// Whether a PDU is what a request is answered with. An answer has a command with a status, and its
// message type is that of its request less one.
//
// Known servers leave some of it out (docs/protocol.md, "What an answer must have"), and only this
// is let pass:
//
//   a refusal without a message type   of a request that was not looked at further; a refusal is
//                                      never a good answer, so nothing is believed with it
//   no command at all                  kinetic-java's simulator, to an identity that it does not
//                                      know: a refusal that has a name of its own, kNoCommand
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "kinetic/types.h"

namespace kbench::kinetic {

enum class AnswerFault : uint8_t {
  kNone,
  kNoCommand,
  kNoStatus,
  kNoType,
  kOtherType,
  kValue,  // it carries a value where none belongs
};

// What of an answer is looked at.
struct AnswerHead {
  bool has_command = false;
  std::optional<MessageType> type;
  StatusCode status = StatusCode::kInvalid;  // kInvalid: none was said
  uint32_t value_size = 0;
};

inline AnswerHead HeadOf(const Message& message, uint32_t value_size) {
  AnswerHead head = {.has_command = message.has_command,
                     .type = message.command.header.message_type,
                     .value_size = value_size};
  const std::optional<CommandStatus>& status = message.command.status;
  if (status.has_value()) head.status = status->code.value_or(StatusCode::kInvalid);
  return head;
}

constexpr bool MayCarryValue(MessageType request) {
  return request == MessageType::kGet || request == MessageType::kGetNext ||
         request == MessageType::kGetPrevious || request == MessageType::kGetLog;
}

// `wanted` is the status of a good answer to this request; SUCCESS is one in any case.
constexpr AnswerFault FaultOf(const AnswerHead& answer, MessageType request,
                              StatusCode wanted = StatusCode::kSuccess) {
  if (!answer.has_command) return AnswerFault::kNoCommand;
  if (answer.type.has_value() && *answer.type != ResponseOf(request)) {
    return AnswerFault::kOtherType;
  }
  if (answer.status == StatusCode::kInvalid) return AnswerFault::kNoStatus;
  const bool refusal = answer.status != StatusCode::kSuccess && answer.status != wanted;
  if (refusal) return AnswerFault::kNone;
  if (!answer.type.has_value()) return AnswerFault::kNoType;
  if (answer.value_size > 0 && !MayCarryValue(request)) return AnswerFault::kValue;
  return AnswerFault::kNone;
}

// The server broke the protocol, rather than refused in a way of its own.
constexpr bool IsProtocolError(AnswerFault fault) {
  return fault != AnswerFault::kNone && fault != AnswerFault::kNoCommand;
}

constexpr absl::string_view Describe(AnswerFault fault) {
  switch (fault) {
    case AnswerFault::kNone:
      break;
    case AnswerFault::kNoCommand:
      return "the answer has no command";
    case AnswerFault::kNoStatus:
      return "the answer has no status";
    case AnswerFault::kNoType:
      return "the answer has no message type";
    case AnswerFault::kOtherType:
      return "the answer has the message type of another request's";
    case AnswerFault::kValue:
      return "the answer carries a value, and none belongs there";
  }
  return "";
}

}  // namespace kbench::kinetic
