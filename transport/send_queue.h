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
    size_t head_done = 0;   // bytes of the first frame that the kernel has
    uint64_t queued = 0;    // stream bytes ever pushed
    uint64_t accepted = 0;  // stream bytes ever taken by the kernel

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
  // `on_sent(token)` for each that is complete.
  template <typename OnSent>
  void Accept(Line* line, size_t bytes, MonoTime submitted, MonoTime returned, OnSent on_sent);

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
  line->accepted += bytes;
  while (bytes > 0) {
    const Slot& slot = slots_[line->head];
    SendStamps* stamps = slot.frame.stamps;
    if (line->head_done == 0) stamps->submitted = submitted;
    const size_t left = slot.size() - line->head_done;
    if (bytes < left) {
      line->head_done += bytes;
      stamps->flags |= kShortSend;
      return;
    }
    bytes -= left;
    stamps->send_returned = returned;
    const uint32_t token = slot.frame.token;
    PopHead(line);
    on_sent(token);
  }
}

}  // namespace kbench
