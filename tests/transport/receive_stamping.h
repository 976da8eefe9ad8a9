// Waits until the kernel stamps what arrives, and keeps it stamping.
//
// The stamping is one switch for the whole machine, turned on by the first socket that asks and,
// where the kernel patches its code for that, a moment after the request: until then a packet
// arrives without a stamp.
#pragma once

#include "base/fd.h"

namespace kbench {

class ReceiveStamping {
 public:
  ReceiveStamping();

  // True when a datagram that this socket sent to itself was stamped, false after five seconds.
  bool Run();

 private:
  bool Stamped();

  Fd socket_;
  bool ready_ = false;
};

}  // namespace kbench
