// A Kinetic server for one connection, on a port of its own, that says what it is told to when it
// accepts, then keeps silent until the client hangs up. What it says to requests can be told in
// advance: a client looks for answers when it has asked.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/fd.h"
#include "kinetic/codec.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench::client {

inline std::string PduOf(const kinetic::Command& command, const kinetic::Signature& signature,
                         absl::string_view value = "") {
  std::string out;
  kinetic::Encoder().Append(command, signature, static_cast<uint32_t>(value.size()), &out);
  out.append(value.data(), value.size());
  return out;
}

inline std::string GreetingPdu(int64_t cluster_version = 0,
                               kinetic::StatusCode status = kinetic::StatusCode::kSuccess) {
  kinetic::Command command;
  command.has_header = true;
  command.header.connection_id = 4711;
  command.header.cluster_version = cluster_version;
  command.status = {.code = status};
  return PduOf(command, kinetic::Signature::Unsolicited());
}

// To the first request of a connection.
inline kinetic::Command FirstAnswer(kinetic::MessageType type,
                                    kinetic::StatusCode status = kinetic::StatusCode::kSuccess) {
  kinetic::Command command;
  command.has_header = true;
  command.header.ack_sequence = 1;
  command.header.message_type = type;
  command.status = {.code = status};
  return command;
}

// Signed with the factory key.
inline std::string SignedPdu(const kinetic::Command& command, absl::string_view value = "") {
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  return PduOf(command, kinetic::Signature::Hmac(kinetic::kFactoryIdentity, &key), value);
}

// authType HMACAUTH and nothing else: what kinetic-java's simulator says to an unknown identity.
inline std::string CommandlessPdu() { return std::string("F\0\0\0\x02\0\0\0\0\x20\x01", 11); }

class ScriptedServer {
 public:
  // With `hangs_up` the connection ends after what is said.
  explicit ScriptedServer(std::string says, bool hangs_up = false)
      : listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto any = Resolve(*ParseHostPort("127.0.0.1:0"));
    if (bind(listening_.get(), any->get(), any->length) != 0) std::abort();
    if (listen(listening_.get(), 4) != 0) std::abort();
    thread_ = std::thread([this, says = std::move(says), hangs_up] {
      accepted_ = Fd(accept(listening_.get(), nullptr, nullptr));
      (void)send(accepted_.get(), says.data(), says.size(), MSG_NOSIGNAL);
      if (hangs_up) (void)shutdown(accepted_.get(), SHUT_WR);
    });
  }
  // Somebody must have connected.
  ~ScriptedServer() { thread_.join(); }
  HostPort address() const { return *LocalAddress(listening_.get()); }

 private:
  Fd listening_;
  Fd accepted_;
  std::thread thread_;
};

}  // namespace kbench::client
