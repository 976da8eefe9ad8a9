// The reference Kinetic server: one thread, one epoll, any number of connections.
//
//   listener -> Connection (socket) -> Conversation (protocol) -> RequestHandler -> Store
//                    |                                                 |
//                    +--> ResidenceTrace <---- GETLOG DEVICE ----------+
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "server/connection.h"
#include "server/conversation.h"
#include "server/key_ring.h"
#include "server/limits.h"
#include "server/listener.h"
#include "server/log_request.h"
#include "server/memory_store.h"
#include "server/request_handler.h"
#include "server/residence_trace.h"
#include "server/service_time.h"

namespace kbench::server {

struct ServerOptions {
  HostPort listen;  // port 0: a free one
  bool allow_remote = false;
  KeyRing keys = KeyRing::Factory();
  int64_t cluster_version = 0;
  Limits limits;
  std::string service_time;  // grammar: service_time.h
  ServiceModel service_model = ServiceModel::kSleep;
  uint64_t seed = 1;
  size_t residence_records = 65536;  // per connection; 0 keeps none and asks for no stamps
  bool poll_spin = false;            // never sleep in epoll
};

class Server {
 public:
  // Listens when it returns.
  static absl::StatusOr<std::unique_ptr<Server>> Open(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  HostPort address() const { return listener_.address(); }
  // Whether requests carry the kernel's receive stamps.
  bool stamps() const { return listener_.stamps(); }

  // Serves until `stop_fd` is readable, then closes every connection.
  absl::Status Run(int stop_fd);

 private:
  struct Client {
    std::unique_ptr<Connection> connection;
    uint32_t events = 0;  // that epoll watches
    MonoTime scheduled;   // its entry in dues_ that counts
  };
  using Due = std::pair<MonoTime, int64_t>;  // connection id

  Server(ServerOptions options, Listener listener, ServiceTime service);

  absl::Status Watch(int fd, void* tag);
  timespec Patience() const;
  void AcceptAll();
  void TurnAway(Fd fd);
  void OnDues();
  // After anything happened on a connection: watches what it wants now, or destroys it.
  void Update(Client* client);
  void ListenAgain();

  ServerOptions options_;
  Listener listener_;
  ServiceTime service_;
  MemoryStore store_;
  OpCounters counters_;
  ResidenceTrace trace_;
  LogRequests logs_;
  RequestHandler handler_;
  Desk desk_;
  std::vector<uint8_t> buffer_;
  ConnectionShared shared_;
  Fd epoll_;
  int64_t next_id_ = 0;
  bool listening_ = true;
  std::unordered_map<int64_t, Client> clients_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> dues_;
};

}  // namespace kbench::server
