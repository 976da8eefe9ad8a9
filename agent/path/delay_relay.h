// A user-space relay that adds a known delay each way, or is a link of a known rate: the network
// with a known answer. It terminates TCP on both sides, holds every chunk of bytes until it is due,
// and spins through the last stretch of the wait, so that what it adds is what it says within a few
// microseconds. It keeps what it really added. The bytes themselves are nothing to it: TLS passes
// through.
//
// With a rate, all connections share one link each way, first come, first served: a chunk leaves
// when its last bit has passed. Only bytes of the streams count, no headers of packets.
//
//   flow  ->  127.0.0.1:port  |held|  ->  server         up
//   flow  <-                  |held|  <-  server         down
//
// One thread serves all connections. When one side of a connection ends, what is held for the
// other still goes out; then both are closed. Of each direction of a connection at most kHeldMost
// bytes are held: it then reads no more, and TCP slows the sender down.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/histogram.h"
#include "base/mutex.h"

namespace kbench {

class DelayRelay {
 public:
  static constexpr size_t kHeldMost = size_t{64} << 20;

  struct Options {
    SocketAddress server;
    Nanos delay;           // each way
    int64_t rate = 0;      // bit/s, each way; 0: no bound
    SocketAddress listen;  // not set: a free port of 127.0.0.1
  };
  // What chunks were held for, really: medians of (left the relay - reached it).
  struct Added {
    Nanos up;
    Nanos down;
    uint64_t chunks = 0;  // both ways
  };

  // Listens and begins to relay.
  static absl::StatusOr<std::unique_ptr<DelayRelay>> Start(const Options& options);
  ~DelayRelay();

  const SocketAddress& address() const { return address_; }
  uint16_t port() const { return port_; }
  // HOST:PORT.
  const std::string& name() const { return name_; }

  // Since the start, or since the last Forget().
  Added added() const;
  void Forget();
  // Why a connection to the server could not be made; the last one. Empty: none failed.
  std::string failure() const;

 private:
  struct Link;
  struct Pipe;
  struct Connection;
  class Loop;

  explicit DelayRelay(const Options& options) : options_(options) {}
  void Failed(std::string why);

  const Options options_;
  Fd listener_;
  Fd stop_;  // an eventfd: readable when the thread is to end
  SocketAddress address_;
  uint16_t port_ = 0;
  std::string name_;
  mutable Mutex mutex_;
  Histogram up_ ABSL_GUARDED_BY(mutex_);
  Histogram down_ ABSL_GUARDED_BY(mutex_);
  std::string failure_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace kbench
