// What a transport writes down of a request while it carries it: agent/load/op_record.h shows where
// these points lie among the others.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace kbench {

enum OpFlags : uint32_t {
  kMergedSendStamp = 1u << 0,
  kSharedReceiveStamp = 1u << 1,
  kMultiSegmentRequest = 1u << 2,
  kShortSend = 1u << 3,
  kRetransmitted = 1u << 4,
  kNothingOutstanding = 1u << 5,
};

// Written by the transport while it carries a request.
struct SendStamps {
  MonoTime submitted;      // just before the system call that gave the first byte to the kernel
  MonoTime send_returned;  // after the system call that gave the last byte
  // While the frame waited, or since before, the flow's socket was full of earlier bytes: from when
  // a send call took less than it was offered (uring: or from the submission of a send whose
  // completion did not come with the call that submitted it) until the next call that took all it
  // was offered, or this frame's first byte, was submitted. Unset: there was room.
  MonoTime full_from;
  MonoTime full_until;
  RealTime kernel_scheduled;
  RealTime kernel_sent;
  uint32_t flags = 0;  // OpFlags
};

}  // namespace kbench
