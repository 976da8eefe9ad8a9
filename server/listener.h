// The socket that connections come from.
#pragma once

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/fd.h"

namespace kbench::server {

class Listener {
 public:
  struct Options {
    HostPort address;
    bool allow_remote = false;  // without it, only loopback addresses
    bool rx_stamps = true;
  };

  // What one attempt gave.
  enum class Outcome {
    kAccepted,
    kNone,       // nobody waits
    kRefused,    // no descriptor was free; who waited was accepted and closed at once
    kExhausted,  // nor could that be done: leave the listener alone until one is free
  };

  static absl::StatusOr<Listener> Open(const Options& options);

  int fd() const { return fd_.get(); }
  const HostPort& address() const { return address_; }  // with the port that was given
  // Whether accepted sockets carry the kernel's receive stamps.
  bool stamps() const { return stamps_; }

  Outcome Accept(Fd* connection);

 private:
  Fd fd_;
  Fd spare_;  // given up for a moment when no other descriptor is free
  HostPort address_;
  bool stamps_ = false;
};

}  // namespace kbench::server
