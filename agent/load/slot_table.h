// Places for the requests of one flow, and the sequence numbers that find them again.
//
// A request's sequence number carries its slot in the low bits, so that an answer finds its
// request by masking, however long it was away and in whatever order answers come:
//
//   sequence := (n << slot_bits) | slot       n = 1, 2, 3, ...: strictly increasing, as Kinetic
//   asks
//
// A batch is one request of several messages, each with a sequence number of its own: n goes up by
// one with each, and the request's is the last one, whose answer ends it.
//
// There are more slots than requests that may be unanswered: one whose answer has come, or which
// was given up, keeps its slot until the transport has let go of its buffers and stamps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/load/op_record.h"
#include "agent/load/workload.h"
#include "base/clock.h"
#include "kinetic/answer.h"
#include "kinetic/types.h"

namespace kbench {

// A message of a batch but its last: a frame on its way.
struct BatchPart {
  std::string head;
  SendStamps stamps;
};

struct Slot {
  enum class State : uint8_t {
    kFree,
    kInFlight,  // unanswered, within its time-out
    kOver,      // answered or lost; the transport may still use its buffers or write its stamps
  };
  State state = State::kFree;
  bool sent = false;      // the transport gave kSent for every frame
  bool settled = false;   // probed: its kernel stamps are final
  bool measured = false;  // intended within the window: recorded
  OpKind kind = OpKind::kNoop;
  uint32_t unsent_frames = 1;
  // What was said to the messages of a batch before its last:
  kinetic::StatusCode step_status = kinetic::StatusCode::kSuccess;  // the first that is not good
  bool step_forged = false;                                         // one was not signed by our key
  kinetic::AnswerFault step_fault = kinetic::AnswerFault::kNone;    // the first one's that has one
  uint32_t answers_owed = 1;                                        // with that to the last
  uint64_t step_bytes = 0;
  uint32_t number = 0;  // index in the table
  uint32_t before = 0;  // neighbours in the order of issue, while in flight
  uint32_t after = 0;
  uint64_t key = 0;             // the key's word, where one is read or written
  uint64_t key_number = 0;      // Op::key
  uint64_t first_sequence = 0;  // of a batch's first message; otherwise record.sequence
  std::string head;
  std::vector<BatchPart> parts;  // of a batch, in a table that has room for them
  OpRecord record;
};

class SlotTable {
 public:
  // `depth` requests may be unanswered at once, each of `parts` frames and one more; `head_bytes`
  // are reserved for each frame's head.
  SlotTable(uint32_t depth, uint32_t head_bytes, uint32_t parts);

  // Slots, and so frames without their kSent, of a table for `depth`.
  static uint32_t SizeFor(uint32_t depth) { return 2 * depth + 8; }

  bool full() const { return free_.empty(); }
  uint32_t in_flight() const { return in_flight_; }
  uint64_t issued() const { return issued_; }

  // A free slot as the youngest in flight, with a new sequence number. Precondition: !full().
  Slot* Take();
  // Makes the slot's request one of `more` messages more; sequence number i of them is
  // SequenceOf(*slot, i), with i = more that of the request.
  void Extend(Slot* slot, uint32_t more);
  uint64_t SequenceOf(const Slot& slot, uint32_t i) const {
    return slot.first_sequence + (uint64_t{i} << bits_);
  }
  // The slot leaves the flight: kInFlight -> kOver.
  void Land(Slot* slot);
  // kOver -> kFree.
  void Free(Slot* slot);

  Slot* at(uint32_t number) { return &slots_[number]; }
  std::vector<Slot>& all() { return slots_; }
  // The request in flight with this sequence number, or null.
  Slot* Find(uint64_t sequence);
  // The batch in flight one of whose messages but the last has this sequence number, or null.
  Slot* FindBatch(uint64_t sequence);
  // True for a number that was given to some request, whatever became of it.
  bool WasIssued(uint64_t sequence) const { return sequence >> bits_ <= issued_ && sequence != 0; }
  // Longest in flight; null when nothing is.
  Slot* oldest() { return in_flight_ == 0 ? nullptr : &slots_[slots_[end()].after]; }

 private:
  Slot* InFlight(uint64_t sequence);
  uint32_t end() const { return static_cast<uint32_t>(slots_.size()) - 1; }  // the list's anchor

  std::vector<Slot> slots_;  // the last one is the anchor of the list in order of issue
  std::vector<uint32_t> free_;
  uint32_t bits_;
  uint32_t in_flight_ = 0;
  uint64_t issued_ = 0;
};

}  // namespace kbench
