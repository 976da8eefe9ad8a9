// A whole server without sockets, and clients that talk to it in bytes.
#pragma once

#include <atomic>
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
  explicit DeskFixture(std::unique_ptr<Store> on = std::make_unique<MemoryStore>(),
                       const Dialect& which = KbenchDialect());

  // Identity 1 with the factory key, and 2 with "secret2" that may do everything, too.
  static Device::State Factory();
  // As if the server had been started again with the same store.
  void Restart() { device = *Device::Open(&store, Factory()); }

  const Dialect& dialect;
  Limits limits = dialect.limits;
  std::unique_ptr<Store> owned_store;
  Store& store = *owned_store;
  Device device;
  OpCounters counters;
  ResidenceTrace trace{1024, ""};
  LogRequests logs{&limits, &dialect, &store, &counters, &trace, &device};
  std::atomic<int> wakes = 0;
  Courier courier{[this] { ++wakes; }};
  RequestHandler handler{{.limits = &limits,
                          .dialect = &dialect,
                          .store = &store,
                          .device = &device,
                          .counters = &counters,
                          .logs = &logs,
                          .courier = &courier}};
  ServiceTime service;
  Desk desk;
};

// One client and the server's conversation with it.
class Talk {
 public:
  static constexpr int64_t kConnection = 4711;

  explicit Talk(DeskFixture* fixture, int64_t connection_id = kConnection, bool tls = false);

  const Answer& greeting() const { return greeting_; }
  bool closing() const { return conversation_.closing(); }
  Conversation& conversation() { return conversation_; }

  // All answers that these bytes caused.
  std::vector<Answer> Send(absl::string_view bytes);
  // Whose key signs what Ask() sends.
  void SignAs(int64_t identity, std::string key);
  // Sends one request by its PIN and expects exactly one answer to it.
  Answer AskByPin(const kinetic::Command& command, absl::string_view pin);
  // Sends a request that is not answered.
  void Tell(const kinetic::Command& command, absl::string_view value = "");
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
  int64_t identity_ = kinetic::kFactoryIdentity;
  std::string key_ = std::string(kinetic::kFactoryKey);
  uint64_t sequence_ = 0;
};

}  // namespace kbench::server
