// Between a client and a good server: lets requests through as they are, and makes of every answer
// what a test wants it to be.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/fd.h"
#include "kinetic/types.h"

namespace kbench::conform {

class BreakingProxy {
 public:
  // Makes of a server's PDU (`pdu`: as it came, its value included) what is sent instead.
  using Rewrite =
      std::function<std::string(const kinetic::Message& message, absl::string_view pdu)>;

  // On a free port of 127.0.0.1.
  BreakingProxy(const HostPort& server, Rewrite rewrite);
  ~BreakingProxy();

  HostPort address() const { return *LocalAddress(listener_.get()); }
  SocketAddress socket_address() const { return *Resolve(address()); }

 private:
  struct Pair;
  void Run();
  void Accept();
  // False: one of the two has closed.
  bool Carry(Pair* pair, bool from_client, bool from_server);

  const SocketAddress server_;
  const Rewrite rewrite_;
  Fd listener_;
  Fd stop_;
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::thread thread_;
};

// The PDU with this command instead of its own, signed with the factory key; its value as it was.
std::string Resigned(const kinetic::Message& message, const kinetic::Command& command,
                     absl::string_view pdu);

// PUT answers without their empty keyValue.
std::string WithoutKeyValue(const kinetic::Message& message, absl::string_view pdu);
// NOOP answers that acknowledge a sequence nobody sent.
std::string WithAnotherAck(const kinetic::Message& message, absl::string_view pdu);
// Answers that are a Message without commandBytes; greetings are as they were.
std::string WithoutCommand(const kinetic::Message& message, absl::string_view pdu);
// GET answers whose signature is nobody's.
std::string WithAForgedSignature(const kinetic::Message& message, absl::string_view pdu);

}  // namespace kbench::conform
