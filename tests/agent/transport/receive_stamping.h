#pragma once

#include "base/fd.h"

namespace kbench {

// Keeps the kernel stamping what arrives. The stamping is one switch for the whole machine, turned
// on by the first socket that asks and, where the kernel patches its code for that, a moment after
// the request: until then a packet arrives without a stamp. Run() returns when a datagram that this
// socket sent to itself was stamped, or false after five seconds.
class ReceiveStamping {
 public:
  ReceiveStamping();
  bool Run();

 private:
  bool Stamped();

  Fd socket_;
};

}  // namespace kbench

