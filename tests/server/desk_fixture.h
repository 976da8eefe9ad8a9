// A whole server without sockets, and clients that talk to it in bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/conversation.h"
#include "server/memory_store.h"
#include "tests/server/answer.h"

namespace kbench::server {

class DeskFixture {
 public:
  DeskFixture();

  Limits limits;
  KeyRing keys = KeyRing::Factory();
  MemoryStore store;
  OpCounters counters;
  ResidenceTrace trace{1024, ""};
  LogRequests logs{&limits, &store, &counters, &trace};
  RequestHandler handler{&limits, &store, &counters, &logs};
  ServiceTime service;
  Desk desk;
};

// One client and the server's conversation with it.
class Talk {
 public:
  static constexpr int64_t kConnection = 4711;

  explicit Talk(DeskFixture* fixture, int64_t connection_id = kConnection);

  const Answer& greeting() const { return greeting_; }
  bool closing() const { return conversation_.closing(); }
  Conversation& conversation() { return conversation_; }

  // All answers that these bytes caused.
  std::vector<Answer> Send(absl::string_view bytes);
  // Sends one request and expects exactly one answer to it.
  Answer Ask(const kinetic::Command& command, absl::string_view value = "");
  // A command with the next sequence.
  kinetic::Command Next(kinetic::MessageType type);

  Answer Put(absl::string_view key, absl::string_view value);

 private:
  std::vector<Answer> TakeAnswers();

  Conversation conversation_;
  ResidenceRing ring_{16};
  Answer greeting_;
  int64_t connection_id_;
  uint64_t sequence_ = 0;
};

}  // namespace kbench::server
