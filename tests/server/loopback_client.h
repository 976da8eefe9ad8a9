// A blocking client on a real loopback socket, and a server that runs in a thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/fd.h"
#include "kinetic/frame.h"
#include "kinetic/residence.h"
#include "server/server.h"
#include "tests/server/answer.h"

namespace kbench::server {

// Runs until it is destroyed. Listens on a free loopback port whatever `options` say, and for TLS
// on another if they ask for TLS at all.
class RunningServer {
 public:
  explicit RunningServer(ServerOptions options = {});
  ~RunningServer();

  HostPort address() const { return server_->address(); }
  HostPort tls_address() const { return server_->tls_address(); }
  bool stamps() const { return server_->stamps(); }
  // Ends the server now; its result.
  absl::Status Stop();

 private:
  std::unique_ptr<Server> server_;
  Fd stop_;
  absl::Status result_;
  std::thread thread_;
};

class LoopbackClient {
 public:
  // Connects; reads the greeting unless told not to.
  explicit LoopbackClient(const HostPort& address, bool greet = true);

  int fd() const { return fd_.get(); }
  int64_t connection_id() const { return connection_id_; }
  const Answer& greeting() const { return greeting_; }

  kinetic::Command Next(kinetic::MessageType type);
  std::string NextBytes(kinetic::MessageType type);
  void Send(absl::string_view bytes);
  // Nothing at the end of the stream, or when the server reset it.
  std::optional<Answer> Receive();
  Answer Ask(const kinetic::Command& command, absl::string_view value = "");
  // The server's residence records of `connection_id`, from `from` on.
  kinetic::ResidenceLog Residences(int64_t connection_id, uint64_t from = 0);
  void CloseWrite();

 private:
  Fd fd_;
  std::string buffer_;
  Bytes unread_;
  kinetic::FrameReader reader_;
  Answer greeting_;
  int64_t connection_id_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace kbench::server
