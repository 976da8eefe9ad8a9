#include "transport/send_queue.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "transport/kernel_stamps.h"

namespace kbench {

SendQueue::SendQueue(uint32_t frames_max) : slots_(frames_max) {
  for (uint32_t i = frames_max; i > 0; --i) {
    slots_[i - 1].next = free_;
    free_ = i - 1;
  }
}

void SendQueue::Push(Line* line, const OutgoingFrame& frame) {
  if (free_ == kNone) {
    std::fprintf(stderr, "kbench: bug: more than frames_max = %zu frames without their kSent\n",
                 slots_.size());
    std::abort();
  }
  const uint32_t index = free_;
  Slot& slot = slots_[index];
  free_ = slot.next;
  slot = {.frame = frame, .next = kNone};
  (line->empty() ? line->head : slots_[line->tail].next) = index;
  line->tail = index;
  line->queued += slot.size();
  if (slot.size() > kOneSegmentBytes) frame.stamps->flags |= kMultiSegmentRequest;
}

SendQueue::Call SendQueue::Gather(const Line& line, FlushMode flush, size_t bytes_max,
                                  std::span<iovec> parts) const {
  Call call;
  size_t skip = line.head_done;
  size_t room = bytes_max == 0 ? SIZE_MAX : bytes_max;
  uint32_t index = line.head;
  auto add = [&](Bytes bytes) {
    const size_t skipped = std::min(skip, bytes.size());
    skip -= skipped;
    const size_t taken = std::min(bytes.size() - skipped, room);
    if (taken == 0) return;
    parts[call.parts++] = {.iov_base = const_cast<uint8_t*>(bytes.data() + skipped),
                           .iov_len = taken};
    call.bytes += taken;
    room -= taken;
  };
  while (index != kNone && room > 0 && call.parts + 2 <= parts.size()) {
    const Slot& slot = slots_[index];
    add(slot.frame.head);
    add(slot.frame.value);
    call.probed = call.probed || slot.frame.probe;
    index = slot.next;
    if (flush == FlushMode::kOp) break;
  }
  call.takes_line = line.accepted + call.bytes == line.queued;
  return call;
}

void SendQueue::NoRoom(Line* line, MonoTime since) {
  if (line->full) return;
  line->full = true;
  line->full_from = since;
}

void SendQueue::Room(Line* line, MonoTime submitted) {
  if (!line->full) return;
  line->full = false;
  line->full_until = submitted;
  line->full_through = line->queued;
}

void SendQueue::PopHead(Line* line) {
  const uint32_t index = line->head;
  line->head = slots_[index].next;
  if (line->head == kNone) line->tail = kNone;
  line->head_done = 0;
  slots_[index].next = free_;
  free_ = index;
}

void SendQueue::Clear(Line* line) {
  while (!line->empty()) PopHead(line);
}

}  // namespace kbench
