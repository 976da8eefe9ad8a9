// The other end of a flow, for tests: a thread on a free port of 127.0.0.1 that accepts, keeps
// every byte it reads, and answers by a script. It is paced by bytes, never by sleeping. Over TLS
// all that it counts is plaintext.
//
// The stream it writes on each connection is StreamByte(0), StreamByte(1), ... so that a receiver
// can check any piece of it by its offset.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/fd.h"
#include "base/tls.h"

namespace kbench {

class FakePeer {
 public:
  static constexpr uint64_t kNever = ~uint64_t{0};

  struct Script {
    uint64_t greeting_bytes = 0;  // written as soon as a connection is accepted
    uint64_t request_bytes = 0;   // for every so many bytes read ...
    uint64_t reply_bytes = 0;     // ... so many are written
    size_t read_chunk = 64 * 1024;
    uint64_t read_until = kNever;           // bytes of each connection; then it stops reading
    uint64_t close_after_read = kNever;     // closes once it has read so many bytes
    uint64_t close_after_written = kNever;  // closes once it has written so many bytes
    bool reads_while_writing = true;        // false: reads nothing before its answers are gone
    int send_buffer_bytes = 0;              // 0: the kernel's default
    int receive_buffer_bytes = 0;
    const TlsContext* tls = nullptr;  // of a server; outlives the peer. Null: plain
    bool good_bye = true;             // over TLS: says that it closes
  };

  static uint8_t StreamByte(uint64_t offset) {
    return static_cast<uint8_t>((offset * 0x9e3779b97f4a7c15u) >> 56);
  }

  explicit FakePeer(const Script& script);
  ~FakePeer();

  const SocketAddress& address() const { return address_; }

  // Connections are numbered in the order of accept(). Blocks until connection `index` has read at
  // least `bytes`, then returns all it has read so far.
  std::string AwaitReceived(size_t index, uint64_t bytes);
  // Blocks until each of the first `connections` has written at least `bytes`.
  void AwaitWritten(size_t connections, uint64_t bytes);

 private:
  struct Connection;

  void Run();
  void Accept();
  void Hang(Connection* connection);
  // False when the connection is over.
  bool Read(Connection* connection);
  bool Write(Connection* connection);
  bool Finished(const Connection& connection) const;

  const Script script_;
  SocketAddress address_;
  Fd listener_;
  Fd wake_;  // an eventfd: readable when the thread is to end
  std::vector<std::unique_ptr<Connection>> connections_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> received_;  // by connection; guarded by mutex_
  std::vector<uint64_t> written_;      // by connection; guarded by mutex_
  std::thread thread_;
};

// A listener whose accept queue is full and that never accepts: connecting to it gets no answer.
class DeafListener {
 public:
  DeafListener();
  const SocketAddress& address() const { return address_; }

 private:
  SocketAddress address_;
  Fd listener_;
  std::vector<Fd> queued_;
};

// An address of 127.0.0.1 on which nobody listens.
SocketAddress RefusingAddress();

}  // namespace kbench
