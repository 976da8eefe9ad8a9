// A TCP port that answers: the other end of a path that is measured without any workload. The
// connector decides what it gets, within bounds:
//
//   connector -> port    magic "KBE1", request bytes, reply bytes (32 bits each, big endian); then
//                        the request, any bytes
//   port -> connector    the reply: when the last byte of the request came (CLOCK_MONOTONIC of this
//                        host in ns, 64 bits, big endian), then zeros; a shorter reply is its begin
//
// Small ones are echoes; large requests or large replies, one behind the other, are bulk. Requests
// may be sent before earlier replies came. Whoever breaks the rules, or says nothing for kIdle, is
// hung up on; so is everybody when there are kConnectionsMost already.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"

namespace kbench {

namespace echo {
inline constexpr uint32_t kMagic = 0x4b424531;  // "KBE1"
inline constexpr size_t kHeaderBytes = 12;
inline constexpr uint32_t kMostBytes = 1u << 20;  // of a request, and of a reply
// Writes a request's header.
void PutHeader(uint32_t request_bytes, uint32_t reply_bytes, uint8_t* out);
}  // namespace echo

class EchoPort {
 public:
  static constexpr int kConnectionsMost = 64;
  static constexpr Nanos kIdle = Seconds(60);

  // Listens on a free port of `address`, whatever port that names.
  static absl::StatusOr<std::unique_ptr<EchoPort>> Open(const SocketAddress& address);
  // Hangs up on everybody.
  ~EchoPort();

  uint16_t port() const { return port_; }

 private:
  struct Connection {
    Fd fd;
    std::atomic<bool> over = false;
    std::thread thread;
  };

  EchoPort() = default;
  void Accept();
  void Sweep();

  Fd listener_;
  Fd stop_;  // an eventfd
  uint16_t port_ = 0;
  std::list<Connection> connections_;  // of the accepting thread, until it has ended
  std::thread thread_;
};

}  // namespace kbench
