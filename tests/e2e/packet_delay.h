// Time on a path, for tests: every packet that passes is held back for a while and goes on
// unchanged and in order, so that the hosts' own TCP lives with the round trip. (A relay of bytes,
// like agent/path/delay_relay, ends the connections of both sides, and each of them sees a short
// path.) The kernels that this is written for have no netem: packets are routed into a TUN device,
// and a thread writes them back to it when their time has come.
#pragma once

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"

namespace kbench::e2e {

class PacketDelay {
 public:
  // Makes the interface in the calling thread's network namespace, down and without routes; it goes
  // with this object. A failure is a test failure.
  PacketDelay(const char* interface, Nanos delay);
  ~PacketDelay();
  PacketDelay(const PacketDelay&) = delete;
  PacketDelay& operator=(const PacketDelay&) = delete;

 private:
  void Loop();

  const Nanos delay_;
  Fd tun_;
  Fd stop_;  // eventfd
  std::thread thread_;
};

}  // namespace kbench::e2e
