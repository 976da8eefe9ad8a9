// A server that is not what a client hopes for: one of the ways in which those behave that one
// meets.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "base/address.h"
#include "base/fd.h"

namespace kbench::conform {

enum class Manner {
  kClosesAtOnce,
  kSaysNothing,
  kAlwaysBusy,
  kBusyTwice,     // then it is as one that greets only
  kDribbles,      // a byte now and then, of a PDU that never ends
  kNoKinetic,     // speaks something else, with control characters in it
  kGreetsOnly,    // and answers nothing
  kWaitsForMore,  // SUCCESS to every PDU; of what announces too much it awaits the rest
  kNeverSilent,   // says one unsolicited status after the other
  kRude,          // answers once, with words that would paint the terminal, and closes
  kOnlyOnce,      // serves one connection as kGreetsOnly, and refuses all others
};

class OddServer {
 public:
  explicit OddServer(Manner manner);
  ~OddServer();

  const SocketAddress& address() const { return address_; }
  uint16_t port() const;

 private:
  void Run();
  void Serve(int fd, int connection);
  // False: the peer went, or the test is over.
  bool Wait(int fd, int timeout_ms, bool* readable) const;

  const Manner manner_;
  SocketAddress address_;
  Fd listener_;
  Fd stop_;
  std::thread thread_;
};

}  // namespace kbench::conform
