// One accepted socket and the conversation on it: receives with the kernel's stamps, sends answers
// from where they are, and stops reading while the client does not take its answers, or while a
// request takes a task.
//
//   open -> [input ended] -> done            the client closes; what is due to it is still sent
//   open -> closing -> lingering -> done     the conversation ended: send the last answer, say FIN,
//                                            and discard what still comes for a while, for a reset
//                                            would destroy the answer on its way
//   any  -> done                             the socket failed
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "server/channel.h"
#include "server/conversation.h"
#include "server/residence_trace.h"
#include "server/service_time.h"

namespace kbench::server {

// What all connections of a server share; borrowed, used by one thread.
struct ConnectionShared {
  Desk* desk = nullptr;
  ResidenceTrace* trace = nullptr;
  ServiceModel model = ServiceModel::kSleep;
  MutableBytes buffer;  // every connection receives into it, one at a time
};

class Connection {
 public:
  // Greets at once.
  Connection(Channel channel, int64_t id, ConnectionShared* shared);
  ~Connection();

  int fd() const { return channel_.fd(); }
  int64_t id() const { return id_; }

  // The socket has these epoll events.
  void OnEvents(uint32_t events);
  // The instant of next_due() has come.
  void OnDue();

  // There is work that no event will tell of: a task, or bytes that TLS holds. Call Work().
  bool busy() const;
  // A task is pending, which another thread may finish.
  bool pending() const { return conversation_.task() != nullptr; }
  // Works on the pending task for a short while, and goes on with what waited for it.
  void Work();

  // Nothing is left to do: destroy it.
  bool done() const;
  uint32_t wanted_events() const;
  // When OnDue() is wanted; not set when it is not.
  MonoTime next_due() const;

 private:
  // When a receive call's bytes came.
  struct Arrival {
    RealTime at;
    uint32_t flags = 0;
  };

  void OnReadable();
  bool reading() const;
  // One receive call and what follows. False: there is no more for now.
  bool ReceiveOnce();
  void Serve(Bytes in, Arrival arrival);
  // What follows from one step of the conversation. False: this connection takes no more for now.
  bool Follow(const Conversation::Step& step, Arrival arrival);
  void Keep(Bytes in, Arrival arrival);
  // After the last answer: lets the service time pass.
  void PassServiceTime(Nanos service);
  // Sends what may go, resumes what waited for room, and moves on when all is sent.
  void Settle();
  void Flush();

  Channel channel_;
  int64_t id_;
  ConnectionShared* shared_;
  ResidenceRing* ring_;
  Conversation conversation_;
  // Bytes received but not yet looked at, because too much was unsent or a task is pending.
  std::vector<uint8_t> backlog_;
  Arrival backlog_arrival_;
  Arrival pending_arrival_;  // of the request whose task is pending
  bool paused_ = false;
  bool blocked_ = false;  // the kernel takes no more for now
  bool input_ended_ = false;
  MonoTime linger_until_;  // set: lingering
  bool failed_ = false;
  size_t discarded_ = 0;
};

}  // namespace kbench::server
