// The reference Kinetic server: one thread, one epoll, any number of connections.
//
//   listeners -> Connection (socket, TLS) -> Conversation (protocol) -> RequestHandler -> Store
//                    |                           |                        |
//                    |                           +--> Task <- Courier's threads (pushes)
//                    +--> ResidenceTrace <---- GETLOG DEVICE
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/tls.h"
#include "server/announcer.h"
#include "server/connection.h"
#include "server/conversation.h"
#include "server/device.h"
#include "server/dialect.h"
#include "server/limits.h"
#include "server/listener.h"
#include "server/log_request.h"
#include "server/push.h"
#include "server/request_handler.h"
#include "server/residence_trace.h"
#include "server/service_time.h"
#include "server/store.h"

namespace kbench::server {

struct ServerOptions {
  std::optional<HostPort> listen;      // port 0: a free one
  std::optional<HostPort> tls_listen;  // at least one of the two
  bool allow_remote = false;
  std::string tls_certificate_file;  // PEM; both empty: self-signed
  std::string tls_key_file;
  std::string store = "memory";        // memory, rocksdb, null
  std::string data_dir;                // of rocksdb
  uint64_t memory_bytes = UINT64_MAX;  // that the memory store may hold
  AccessTable access = AccessTable::Factory();
  int64_t cluster_version = 0;
  const Dialect* dialect = &KbenchDialect();
  Limits limits;
  kinetic::Synchronization default_synchronization = kinetic::Synchronization::kInvalid;
  std::string service_time;  // grammar: service_time.h
  ServiceModel service_model = ServiceModel::kSleep;
  uint64_t seed = 1;
  size_t residence_records = 65536;  // per connection; 0 keeps none and asks for no stamps
  bool poll_spin = false;            // never sleep in epoll
  std::optional<HostPort> announce;  // multicast group; none: silent
};

class Server {
 public:
  // Listens when it returns.
  static absl::StatusOr<std::unique_ptr<Server>> Open(ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Of the plain and the TLS listener; port 0 where there is none.
  HostPort address() const { return Address(plain_); }
  HostPort tls_address() const { return Address(secure_); }
  // Whether requests carry the kernel's receive stamps.
  bool stamps() const { return plain_.listener.has_value() && plain_.listener->stamps(); }
  bool locked() const { return device_.locked(); }
  // Identity 1 has the key that everybody knows.
  bool has_factory_key() const;
  // Identities, PINs and cluster version are the store's, not those of the options.
  bool has_own_settings() const { return device_.restored(); }

  // Serves until `stop_fd` is readable, then closes every connection.
  absl::Status Run(int stop_fd);

 private:
  struct Door {
    std::optional<Listener> listener;
    bool open = false;  // epoll watches it
  };
  struct Client {
    std::unique_ptr<Connection> connection;
    uint32_t events = 0;  // that epoll watches
    MonoTime scheduled;   // its entry in dues_ that counts
  };
  using Due = std::pair<MonoTime, int64_t>;  // connection id

  Server(ServerOptions options, std::unique_ptr<Store> store, Device device, ServiceTime service);

  static HostPort Address(const Door& door) {
    return door.listener.has_value() ? door.listener->address() : HostPort();
  }
  absl::Status OpenDoors();
  absl::Status Watch(int fd, void* tag);
  timespec Patience() const;
  void AcceptAll(Door* door);
  void Admit(Fd fd, bool tls);
  void TurnAway(Fd fd, bool tls);
  void OnDues();
  void WorkOnTasks();
  // After anything happened on a connection: watches what it wants now, or destroys it.
  void Update(Client* client);
  void OpenDoorsAgain();

  ServerOptions options_;
  std::unique_ptr<Store> store_;
  Device device_;
  Door plain_;
  Door secure_;
  std::optional<TlsContext> tls_;
  std::unique_ptr<Announcer> announcer_;
  ServiceTime service_;
  OpCounters counters_;
  ResidenceTrace trace_;
  LogRequests logs_;
  Fd wake_;  // readable once a courier has come back; outlives the courier
  Courier courier_;
  RequestHandler handler_;
  Desk desk_;
  std::vector<uint8_t> buffer_;
  ConnectionShared shared_;
  Fd epoll_;
  int64_t next_id_ = 0;
  std::unordered_map<int64_t, Client> clients_;
  std::unordered_set<int64_t> working_;  // connections with a task, or with bytes that TLS holds
  std::priority_queue<Due, std::vector<Due>, std::greater<>> dues_;
};

}  // namespace kbench::server
