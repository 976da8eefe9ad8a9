#include "agent/load/answer_judge.h"

namespace kbench {
namespace {

// An answer that is none fails its request, whatever else it says.
void TakeFault(kinetic::AnswerFault fault, Completion* completion) {
  using kinetic::AnswerFault;
  completion->text = kinetic::Describe(fault);
  if (fault == AnswerFault::kNoCommand || fault == AnswerFault::kNoStatus) {
    completion->status = kinetic::StatusCode::kInvalid;
  } else if (fault == AnswerFault::kValue) {
    completion->verdict = Verdict::kUnexpectedValue;
  } else {
    completion->verdict = Verdict::kWrongMessageType;
  }
}

}  // namespace

std::optional<uint64_t> AnswerJudge::KeyOf(const Reply& reply, const Slot& slot) const {
  // A neighbour's value is that of the key that came with it.
  const bool neighbour = slot.kind == OpKind::kNext || slot.kind == OpKind::kPrevious;
  return neighbour ? keys_->WordOf(reply.key) : std::optional<uint64_t>(slot.key);
}

std::optional<uint32_t> AnswerJudge::ExpectedSize(const Reply& reply, const Slot& slot) const {
  const ValuePool* values = options_.values;
  if (values == nullptr || values->sizes().fixed()) return options_.value_bytes;
  const std::optional<uint64_t> key = KeyOf(reply, slot);
  return key ? std::optional<uint32_t>(values->SizeOf(*key)) : std::nullopt;
}

absl::string_view AnswerJudge::ValueFault(const Reply& reply, const Slot& slot) {
  const std::optional<uint64_t> key = KeyOf(reply, slot);
  if (!key.has_value()) return "its key is none that kbench wrote";
  const absl::string_view fault = options_.exact ? options_.values->FaultOf(reader_->value(), *key)
                                                 : reader_->value_fault(*key);
  return fault.empty() ? reader_->tag_fault() : fault;
}

Completion AnswerJudge::Judge(const Reply& reply, kinetic::AnswerFault fault, const Slot& slot) {
  using kinetic::AnswerFault;
  using kinetic::StatusCode;
  // What is wrong with a message of a batch comes before what follows from it.
  if (slot.step_fault != AnswerFault::kNone) fault = slot.step_fault;
  Completion completion = {
      .status = reply.status, .text = reply.text, .response_bytes = reply.size + slot.step_bytes};
  const bool success = reply.status == StatusCode::kSuccess;
  const bool expected = reply.status == ExpectedStatus(slot.kind);
  if (fault != AnswerFault::kNone) {
    TakeFault(fault, &completion);
  } else if (slot.step_status != StatusCode::kSuccess) {
    // Why the batch failed; what is said to its end follows from it.
    completion.status = slot.step_status;
    completion.text = "said to a message of the batch before its end";
  } else if ((!reply.authentic && (success || expected)) || slot.step_forged) {
    completion.verdict = Verdict::kWrongHmac;
  } else if (success && !expected) {
    completion.verdict = Verdict::kUnexpectedHit;
  } else if (expected && ReadsValue(slot.kind) && reply.value_size != ExpectedSize(reply, slot)) {
    completion.verdict = Verdict::kWrongValueLength;
  } else if (expected && ReadsValue(slot.kind) && options_.verify) {
    const absl::string_view wrong = ValueFault(reply, slot);
    completion.untagged = !reader_->tag_known();
    if (!wrong.empty()) {
      completion.verdict = Verdict::kWrongValue;
      completion.text = wrong;
    }
  }
  completion.good =
      completion.status == ExpectedStatus(slot.kind) && completion.verdict == Verdict::kByStatus;
  return completion;
}

}  // namespace kbench
