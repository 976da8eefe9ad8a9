// The bytes a flow receives, as answers: cut into PDUs, decoded, their HMAC checked. Values are
// counted, and checked if that is asked for, but not copied.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/load/value_label.h"
#include "base/bytes.h"
#include "kinetic/answer.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"
#include "kinetic/hmac.h"
#include "kinetic/tag.h"
#include "kinetic/types.h"

namespace kbench {

// One PDU from the server. Views are valid until the next Next().
struct Reply {
  bool unsolicited = false;  // UNSOLICITEDSTATUS: the handshake, or why the flow is about to end
  bool authentic = false;    // signed with our key. Unsolicited statuses never are
  std::optional<uint64_t> ack_sequence;
  kinetic::AnswerHead head;  // by which it is told whether it is an answer to a request
  kinetic::StatusCode status = kinetic::StatusCode::kInvalid;
  absl::string_view text;
  int64_t connection_id = 0;
  std::optional<int64_t> cluster_version;
  const kinetic::GetLog::Limits* limits = nullptr;  // null: none were said
  absl::string_view key;  // of an object that was read; empty when none was named
  uint32_t value_size = 0;
  uint64_t size = 0;  // bytes on the wire
};

class ReplyReader {
 public:
  // With `check_values` every value is looked at: see value_fault() and tag_fault().
  ReplyReader(const kinetic::HmacKey* key, bool check_values);

  // A new stream begins.
  void Reset();

  // The next complete answer in *in, moving *in past it; null when *in holds no more. An error
  // means that this is no Kinetic stream (any more): every later call repeats it.
  absl::StatusOr<const Reply*> Next(Bytes* in);

  // Of the last reply, if values are checked: ValueCheck::Fault().
  absl::string_view value_fault(uint64_t key) const { return value_check_.Fault(key); }
  const ValueCheck& value() const { return value_check_; }
  // Likewise: TagCheck::Fault(), to be asked once; and whether it had a tag that can be compared.
  absl::string_view tag_fault() { return tag_check_.Fault(); }
  bool tag_known() const { return tag_check_.knows(); }
  // False when a part of the next PDU has been taken.
  bool at_boundary() const { return frames_.at_boundary(); }

 private:
  absl::StatusOr<bool> ConsumeAndCheck(Bytes* in);
  void Take(const kinetic::Message& message);

  const kinetic::HmacKey* key_;
  bool check_values_;
  ValueCheck value_check_;
  kinetic::TagCheck tag_check_;
  bool decoded_ = false;  // the message of the PDU that is coming; only if values are checked
  kinetic::FrameReader frames_;
  kinetic::Decoder decoder_;
  Reply reply_;
};

}  // namespace kbench
