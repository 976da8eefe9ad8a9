#include "agent/load/slot_table.h"

#include <bit>

namespace kbench {

SlotTable::SlotTable(uint32_t depth, uint32_t head_bytes, uint32_t parts)
    : slots_(SizeFor(depth) + 1), bits_(static_cast<uint32_t>(std::bit_width(SizeFor(depth)))) {
  for (uint32_t i = 0; i < slots_.size(); ++i) slots_[i].number = i;
  slots_[end()].before = slots_[end()].after = end();
  free_.reserve(end());
  for (uint32_t i = end(); i-- > 0;) {
    slots_[i].head.reserve(head_bytes);
    slots_[i].parts.resize(parts);
    for (BatchPart& part : slots_[i].parts) part.head.reserve(2 * size_t{head_bytes});
    free_.push_back(i);
  }
}

Slot* SlotTable::Take() {
  Slot* slot = &slots_[free_.back()];
  free_.pop_back();
  Slot& anchor = slots_[end()];
  slot->before = anchor.before;
  slot->after = end();
  slots_[anchor.before].after = slot->number;
  anchor.before = slot->number;
  slot->state = Slot::State::kInFlight;
  slot->sent = slot->settled = slot->measured = false;
  slot->unsent_frames = 1;
  slot->step_status = kinetic::StatusCode::kSuccess;
  slot->step_forged = false;
  slot->step_fault = kinetic::AnswerFault::kNone;
  slot->answers_owed = 1;
  slot->step_bytes = 0;
  slot->record = OpRecord{};
  slot->record.sequence = slot->first_sequence = (++issued_ << bits_) | slot->number;
  ++in_flight_;
  return slot;
}

void SlotTable::Extend(Slot* slot, uint32_t more) {
  issued_ += more;
  slot->record.sequence = SequenceOf(*slot, more);
}

void SlotTable::Land(Slot* slot) {
  slots_[slot->before].after = slot->after;
  slots_[slot->after].before = slot->before;
  slot->state = Slot::State::kOver;
  --in_flight_;
}

void SlotTable::Free(Slot* slot) {
  slot->state = Slot::State::kFree;
  free_.push_back(slot->number);
}

Slot* SlotTable::InFlight(uint64_t sequence) {
  const uint64_t number = sequence & ((uint64_t{1} << bits_) - 1);
  if (number >= end()) return nullptr;
  Slot* slot = &slots_[number];
  return slot->state == Slot::State::kInFlight ? slot : nullptr;
}

Slot* SlotTable::Find(uint64_t sequence) {
  Slot* slot = InFlight(sequence);
  return slot != nullptr && slot->record.sequence == sequence ? slot : nullptr;
}

Slot* SlotTable::FindBatch(uint64_t sequence) {
  Slot* slot = InFlight(sequence);
  const bool found =
      slot != nullptr && sequence >= slot->first_sequence && sequence < slot->record.sequence;
  return found ? slot : nullptr;
}

}  // namespace kbench
