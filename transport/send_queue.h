// Frames on their way to the kernel: one line per flow, in order, all from one slab, so that
// queueing allocates nothing however the flows share the load. Every transport that has a kernel
// below it cuts its send calls here and nowhere else, so that all stacks give the kernel the same
// bytes in the same calls:
//
//   kBatch  one call takes all frames of the line (as many as the call's iovecs hold)
//   kOp     one call takes one frame
//
// A call that the kernel takes only a part of is resumed exactly behind that part.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "transport/transport.h"

namespace kbench {

class SendQueue {
 public:
  static constexpr uint32_t kNone = ~0u;
  // iovecs of one call; a frame with a value takes two.
  static constexpr size_t kCallParts = 256;

  struct Line {
    uint32_t head = kNone;
    uint32_t tail = kNone;
    size_t head_done = 0;       // bytes of the first frame that the kernel has
    uint64_t queued = 0;        // stream bytes ever pushed
    uint64_t accepted = 0;      // stream bytes ever taken by the kernel
    bool full = false;          // the kernel has no room ...
    MonoTime full_from;         // ... since, or last had none from
    MonoTime full_until;        // last had none until
    uint64_t full_through = 0;  // frames that begin before this stream byte waited for its end

    bool empty() const { return head == kNone; }
  };

  struct Call {
    size_t parts = 0;
    size_t bytes = 0;
    bool probed = false;      // a frame in it asks for stamps
    bool takes_line = false;  // nothing is left behind it
  };

  explicit SendQueue(uint32_t frames_max);

  void Push(Line* line, const OutgoingFrame& frame);

  // Lays out the next call. `bytes_max` 0: no limit.
  Call Gather(const Line& line, FlushMode flush, size_t bytes_max, std::span<iovec> parts) const;

  // The kernel took `bytes` of the last Gather(): stamps the frames that they touch and calls
  // `on_sent(token)` for each that is complete. Then one of the two below.
  template <typename OnSent>
  void Accept(Line* line, size_t bytes, MonoTime submitted, MonoTime returned, OnSent on_sent);
  // The kernel has had no room for the line's bytes since.
  static void NoRoom(Line* line, MonoTime since);
  // A call was submitted that took all it was offered.
  static void Room(Line* line, MonoTime submitted);

  // Lets go of a line that will never be sent.
  void Clear(Line* line);

 private:
  struct Slot {
    OutgoingFrame frame;
    uint32_t next = kNone;

    size_t size() const { return frame.head.size() + frame.value.size(); }
  };

  void PopHead(Line* line);

  std::vector<Slot> slots_;
  uint32_t free_ = kNone;
};

template <typename OnSent>
void SendQueue::Accept(Line* line, size_t bytes, MonoTime submitted, MonoTime returned,
                       OnSent on_sent) {
  uint64_t begin = line->accepted;  // of the frame, where its first byte is among these
  line->accepted += bytes;
  while (bytes > 0) {
    const Slot& slot = slots_[line->head];
    SendStamps* stamps = slot.frame.stamps;
    if (line->head_done == 0) {
      stamps->submitted = submitted;
      if (line->full || begin < line->full_through) {
        stamps->full_from = line->full_from;
        stamps->full_until = line->full ? submitted : line->full_until;
      }
    }
    const size_t left = slot.size() - line->head_done;
    if (bytes < left) {
      line->head_done += bytes;
      stamps->flags |= kShortSend;
      return;
    }
    bytes -= left;
    begin += left;
    stamps->send_returned = returned;
    const uint32_t token = slot.frame.token;
    PopHead(line);
    on_sent(token);
  }
}

}  // namespace kbench
