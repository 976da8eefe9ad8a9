// What one connection has still to send: its answers, in the order of their requests.
//
//   bytes     [ head | head value | head ............ | head ]      one growing buffer
//   answers   [  0   |  1         |  2 --> big value  |  3   ]      big values stay in the store
//
// An answer may be held until an instant; it then holds those behind it, too. A parked answer
// stands aside instead and is overtaken: until its instant has come, or all of them are let go.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "kinetic/types.h"
#include "server/op_counters.h"
#include "server/residence_ring.h"

namespace kbench::server {

// Bytes that are sent from where they are, and what keeps them alive meanwhile.
struct Payload {
  std::shared_ptr<const void> owner;
  Bytes bytes;
};

class Outbox {
 public:
  // What an answer is about, for the limits on what may be unanswered.
  enum class Kind : uint8_t { kOther, kRead, kWrite };
  static Kind KindOf(kinetic::MessageType type);

  // Where the next answer's bytes are appended, before Seal().
  std::string* tail() { return &bytes_; }
  // What was appended since the last Seal() is one answer; `payload` follows it on the wire. Its
  // residence is recorded under `sequence`, if there is one.
  void Seal(Payload payload, std::optional<uint64_t> sequence, Kind kind = Kind::kOther);
  // Of what request the last answer sealed is, for AddLatency() of `counters` when it is sent.
  void CountLatency(kinetic::MessageType request, OpCounters* counters);
  // The last answer sealed stands aside for so long.
  void Park(Nanos hold);
  // Those whose instant has come by `now`, or all of them, are behind the others now.
  void Ripen(MonoTime now);
  void ReleaseParked();
  size_t parked() const { return parked_.size(); }

  // Of the last answer sealed, which must not be sent yet: when its request came
  // (flags: kinetic::Residence), and the instant before which it must not leave.
  void SetReceived(RealTime received, uint32_t flags);
  void HoldUntil(MonoTime due);

  bool empty() const { return front_ == answers_.size() && parked_.empty(); }
  size_t unsent() const { return unsent_; }
  // Answers of this kind that are not sent whole.
  uint32_t unanswered(Kind kind) const { return unanswered_[static_cast<size_t>(kind)]; }
  // Some answer has an instant before which it must not leave.
  bool holds() const { return held_ > 0 || !parked_.empty(); }
  // When the next answer may leave; not set when one may leave at once or there is none.
  MonoTime next_due() const;

  // Lists bytes that may leave by `now`, about `max_bytes` of them; the number of elements used.
  // They are valid until the next call that is not const.
  int Gather(MonoTime now, size_t max_bytes, std::span<iovec> out) const;
  // The kernel took the first `n` bytes of what Gather() listed; `at` was read just before.
  // Answers whose first byte is among them are recorded in `ring`.
  void Sent(size_t n, RealTime at, ResidenceRing* ring);

 private:
  struct Answer {
    size_t head_size = 0;
    Payload payload;
    MonoTime due;
    RealTime received;
    std::optional<uint64_t> sequence;
    uint32_t flags = 0;
    Kind kind = Kind::kOther;
    kinetic::MessageType request = kinetic::MessageType::kInvalid;
    OpCounters* counters = nullptr;

    size_t size() const { return head_size + payload.bytes.size(); }
  };

  struct Parked {
    std::string head;
    Answer answer;
    Nanos hold;
    MonoTime due;
  };

  Answer& last() { return last_is_parked_ ? parked_.back().answer : answers_.back(); }
  void Unpark(Parked* parked);
  void DropSent();

  std::string bytes_;
  size_t front_byte_ = 0;  // where the front answer's head begins in bytes_
  size_t sealed_ = 0;      // where the next answer's head begins
  std::vector<Answer> answers_;
  size_t front_ = 0;       // index of the first answer that is not sent whole
  size_t front_sent_ = 0;  // bytes of it that are
  size_t unsent_ = 0;
  size_t held_ = 0;  // answers with an instant of their own
  std::vector<Parked> parked_;
  bool last_is_parked_ = false;
  std::array<uint32_t, 3> unanswered_ = {};
};

}  // namespace kbench::server
