// The kernel's own stamps of a flow's packets (SO_TIMESTAMPING), and which frame each belongs to.
//
//   send   one cmsg on a sendmsg() asks for two stamps of that call's last byte: SCHED (entering
//          the queueing discipline) and SND (given to the device). Each comes back through the
//          socket's error queue with a key: the offset of that byte in the stream, modulo 2^32.
//   receive  comes as a cmsg of recvmsg(): the stamp of the last packet that call touched.
//
// An error queue left full turns a waiting client into a busy one (EPOLLERR cannot be masked) and
// ends by blocking the receive window, so whoever asks for stamps drains them at once.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "transport/send_stamps.h"

namespace kbench {

// A frame longer than this leaves in more than one segment, whatever the device: the stamps of its
// last byte then contain the sending of the rest.
inline constexpr size_t kOneSegmentBytes = 65'000;

enum class SendStampKind : uint8_t { kScheduled, kSent };
// Of the kernel's number (SCM_TSTAMP_SCHED, SCM_TSTAMP_SND); none: a stamp that nobody asked for.
std::optional<SendStampKind> SendStampKindOf(uint32_t type);

// Probed frames of a flow, and what became of their send stamps.
struct StampCounts {
  uint64_t asked = 0;
  uint64_t missing = 0;    // let go without both, though they had left
  uint64_t abandoned = 0;  // there was no room to wait for them

  void Add(const StampCounts& other) {
    asked += other.asked;
    missing += other.missing;
    abandoned += other.abandoned;
  }
};

// Finds the frame of each stamp. Frames are expected in stream order, at most `capacity` at a time:
// one more and the oldest is abandoned (its stamps stay zero) and counted. No allocation after
// construction; 2^31 bytes at most between a frame and its stamp.
class StampMatcher {
 public:
  StampMatcher() = default;
  explicit StampMatcher(size_t capacity) : ring_(capacity) {}

  // A probed frame whose last byte is at stream offset `last_byte` (modulo 2^32).
  void Expect(uint32_t last_byte, SendStamps* stamps);

  // Gives the stamp to every expected frame that ends at or before `key` and has no closer one. A
  // key beyond the frame's end marks kMergedSendStamp; a second stamp with the same key marks
  // kRetransmitted and the first is kept.
  void Apply(SendStampKind kind, uint32_t key, RealTime at);

  // Lets go of all frames that end at or before `last_byte`. Those that end within its last
  // `unsent` bytes are still in the socket's buffer and cannot have a stamp: none is missing.
  void ForgetThrough(uint32_t last_byte, uint32_t unsent = 0);

  bool empty() const { return size_ == 0; }
  // True when no frame that ends at or before `last_byte` lacks a stamp.
  bool CompleteThrough(uint32_t last_byte) const;
  const StampCounts& counts() const { return counts_; }

 private:
  struct Expected {
    uint32_t last_byte = 0;
    uint32_t keys[2] = {};  // of the stamps taken, by SendStampKind
    SendStamps* stamps = nullptr;
  };

  Expected& At(size_t i) { return ring_[(first_ + i) % ring_.size()]; }
  const Expected& At(size_t i) const { return ring_[(first_ + i) % ring_.size()]; }

  std::vector<Expected> ring_;
  size_t first_ = 0;
  size_t size_ = 0;
  StampCounts counts_;
};

struct StampGrant {
  bool granted = false;
  std::string text;  // what the kernel said, for the facts
};

// Switches stamping on for a connected socket with nothing in flight.
StampGrant EnableKernelStamps(int fd);

// Room for the one control message of a receive or of a send.
struct alignas(size_t) StampControl {
  char bytes[128];
};

// Makes a sendmsg() with `header` ask for the stamps of its last byte.
void AskForSendStamps(msghdr* header, StampControl* control);

// Makes a recvmsg() with `header` deliver the stamp; read it with ReceiveStamp() afterwards.
void AskForReceiveStamp(msghdr* header, StampControl* control);
RealTime ReceiveStamp(msghdr* header);

struct DrainCount {
  int system_calls = 0;
  int stamps = 0;
};

// Takes everything out of the socket's error queue.
DrainCount DrainErrorQueue(int fd, StampMatcher* matcher);

// Bytes have come back on a flow: lets go of all frames up to `last_byte`, the last one that the
// socket took. First it fetches, where `drain` allows, the stamps that are still in the error
// queue, and asks how much has not left the socket's buffer. No system calls when no stamp is
// missing.
DrainCount SettleStamps(int fd, uint32_t last_byte, bool drain, StampMatcher* matcher);

}  // namespace kbench
