// Every stamp of one request, in one record. The points, in the order in which they happen:
//
//   intended  started  encoded  submitted  [scheduled  sent] ...
//   a0        a1       a2       a3          SCHED      SND
//                                      ... [kernel_received]  woke  received  decoded
//                                            RXSW             a4    a5        a6
//
// Those in brackets are the kernel's own (SO_TIMESTAMPING), taken for sampled requests only. All
// are of this host; a stamp that was not taken is zero. `polled` lies before `woke`, on either side
// of kernel_received: after it, the worker was late.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "transport/send_stamps.h"

namespace kbench {

// What became of a request. A failed op is data, not an error.
enum class OpOutcome : uint8_t { kPending, kAnswered, kFailed, kLost };

struct OpRecord {
  uint32_t op = 0;  // index into the workload's op list
  OpOutcome outcome = OpOutcome::kPending;
  bool probed = false;  // kernel stamps were asked for
  uint32_t flags = 0;   // OpFlags, those of `send` included once the record is complete
  int64_t connection_id = 0;
  uint64_t sequence = 0;
  MonoTime intended;  // open loop: when it was due; closed loop: when its slot became free
  MonoTime started;
  MonoTime encoded;
  SendStamps send;
  RealTime kernel_received;
  MonoTime polled;    // entry of the call or wait that brought the answer's last bytes
  MonoTime woke;      // the wait (recv, epoll_wait, io_uring_enter) returned
  MonoTime received;  // the bytes were in user space
  MonoTime decoded;

  Nanos response() const { return decoded - intended; }
  Nanos service() const { return decoded - send.submitted; }
  // Of encoded -> submitted: the flow's socket was full of earlier bytes.
  Nanos send_blocked() const {
    const Nanos both =
        std::min(send.full_until, send.submitted) - std::max(send.full_from, encoded);
    return std::max(both, Nanos());
  }
};

}  // namespace kbench
