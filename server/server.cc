#include "server/server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "server/memory_store.h"
#include "server/null_store.h"
#include "server/rocks_store.h"

namespace kbench::server {
namespace {

constexpr size_t kReceiveBytes = 256 * 1024;
constexpr int kEventsPerTurn = 256;
constexpr int kAcceptsPerTurn = 64;
constexpr int kTurnsPerClockWatch = 4096;
// The kernel's timers are late by tens of microseconds: the last stretch before an answer is due
// is spun away, so that the injected service time is met within a few.
constexpr Nanos kSpin = Micros(60);

std::string DescribeService(const ServerOptions& options) {
  if (options.service_time.empty()) return "";
  return absl::StrCat(options.service_time, " --service-model ",
                      options.service_model == ServiceModel::kSleep ? "sleep" : "busy", " --seed ",
                      options.seed);
}

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const ServerOptions& options) {
  if (options.store == "memory") return std::make_unique<MemoryStore>(options.memory_bytes);
  if (options.store == "null") return std::make_unique<NullStore>();
  if (options.store != "rocksdb") {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no store '", options.store, "'; memory, rocksdb and null are"));
  }
  if (options.data_dir.empty()) {
    return absl::InvalidArgumentError("the rocksdb store needs a data directory");
  }
  return RocksStore::Open(options.data_dir);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Open(ServerOptions options) {
  ASSIGN_OR_RETURN(ServiceTime service, ServiceTime::Parse(options.service_time, options.seed));
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, OpenStore(options));
  ASSIGN_OR_RETURN(Device device,
                   Device::Open(store.get(), {.cluster_version = options.cluster_version,
                                              .access = options.access}));
  std::unique_ptr<Server> server(
      new Server(std::move(options), std::move(store), std::move(device), service));
  RETURN_IF_ERROR(server->OpenDoors());
  return server;
}

Server::Server(ServerOptions options, std::unique_ptr<Store> store, Device device,
               ServiceTime service)
    : options_(std::move(options)),
      store_(std::move(store)),
      device_(std::move(device)),
      service_(service),
      trace_(options_.residence_records, DescribeService(options_)),
      logs_(&options_.limits, options_.dialect, store_.get(), &counters_, &trace_, &device_),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      courier_([this] { eventfd_write(wake_.get(), 1); }),
      handler_({.limits = &options_.limits,
                .dialect = options_.dialect,
                .store = store_.get(),
                .device = &device_,
                .counters = &counters_,
                .logs = &logs_,
                .courier = &courier_,
                .wake = [this] { eventfd_write(wake_.get(), 1); },
                .default_synchronization = options_.default_synchronization}),
      buffer_(kReceiveBytes),
      // Like the simulator's: different from one server start to the next.
      next_id_(RealNow().ns() / 1000) {
  desk_.limits = &options_.limits;
  desk_.dialect = options_.dialect;
  desk_.counters = &counters_;
  desk_.device = &device_;
  desk_.handler = &handler_;
  desk_.logs = &logs_;
  desk_.service = &service_;
  shared_ = {.desk = &desk_,
             .trace = &trace_,
             .model = options_.service_model,
             .buffer = MutableBytes(buffer_)};
}

bool Server::has_factory_key() const {
  const auto identity = device_.state().access.Find(kinetic::kFactoryIdentity);
  return identity != nullptr && identity->key_text == kinetic::kFactoryKey;
}

absl::Status Server::OpenDoors() {
  if (options_.listen.has_value()) {
    ASSIGN_OR_RETURN(plain_.listener,
                     Listener::Open({.address = *options_.listen,
                                     .allow_remote = options_.allow_remote,
                                     .rx_stamps = options_.residence_records > 0}));
  }
  if (options_.tls_listen.has_value()) {
    if (options_.tls_certificate_file.empty()) {
      ASSIGN_OR_RETURN(tls_, TlsContext::SelfSigned("kbench-server"));
    } else {
      ASSIGN_OR_RETURN(tls_,
                       TlsContext::Server(options_.tls_certificate_file, options_.tls_key_file));
    }
    ASSIGN_OR_RETURN(secure_.listener, Listener::Open({.address = *options_.tls_listen,
                                                       .allow_remote = options_.allow_remote,
                                                       .rx_stamps = false}));
  }
  if (!plain_.listener.has_value() && !secure_.listener.has_value()) {
    return absl::InvalidArgumentError("the server has nothing to listen on");
  }
  logs_.set_ports(address().port, tls_address().port);
  if (options_.announce.has_value()) {
    const HostPort& own = plain_.listener.has_value() ? address() : tls_address();
    ASSIGN_OR_RETURN(const SocketAddress from, Resolve(own));
    ASSIGN_OR_RETURN(announcer_, Announcer::Open(*options_.announce, from));
  }
  return absl::OkStatus();
}

absl::Status Server::Watch(int fd, void* tag) {
  epoll_event event = {.events = EPOLLIN, .data = {.ptr = tag}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot watch a socket: ", std::strerror(errno)));
}

absl::Status Server::Run(int stop_fd) {
  // Sleep as precisely as the kernel can; the default allows it 50 us.
  prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) {
    return absl::InternalError(absl::StrCat("cannot make an epoll: ", std::strerror(errno)));
  }
  void* const stop_tag = &epoll_;
  void* const wake_tag = &wake_;
  RETURN_IF_ERROR(Watch(stop_fd, stop_tag));
  RETURN_IF_ERROR(Watch(wake_.get(), wake_tag));
  OpenDoorsAgain();
  std::array<epoll_event, kEventsPerTurn> events;
  for (int turn = 0;; ++turn) {
    const timespec patience = Patience();
    const bool forever = patience.tv_sec < 0;
    const int n = epoll_pwait2(epoll_.get(), events.data(), kEventsPerTurn,
                               forever ? nullptr : &patience, nullptr);
    if (n < 0 && errno != EINTR) {
      return absl::InternalError(absl::StrCat("cannot wait for events: ", std::strerror(errno)));
    }
    bool accept_plain = false, accept_secure = false;
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.ptr == stop_tag) {
        clients_.clear();
        return store_->Flush();
      }
      if (event.data.ptr == wake_tag) {
        eventfd_t ignored;
        eventfd_read(wake_.get(), &ignored);
      } else if (event.data.ptr == &plain_) {
        accept_plain = true;
      } else if (event.data.ptr == &secure_) {
        accept_secure = true;
      } else {
        auto* client = static_cast<Client*>(event.data.ptr);
        client->connection->OnEvents(event.events);
        Update(client);
      }
    }
    OnDues();
    WorkOnTasks();
    if (accept_plain) AcceptAll(&plain_);
    if (accept_secure) AcceptAll(&secure_);
    if (turn % kTurnsPerClockWatch == 0) trace_.WatchClocks();
  }
}

// How long the next wait may take; below 0 for ever.
timespec Server::Patience() const {
  if (options_.poll_spin) return {};
  for (const int64_t id : working_) {
    const auto it = clients_.find(id);
    if (it != clients_.end() && it->second.connection->busy()) return {};
  }
  MonoTime next;
  if (!dues_.empty()) next = dues_.top().first - kSpin;
  if (announcer_ != nullptr && (!next.is_set() || announcer_->next() < next)) {
    next = announcer_->next();
  }
  if (!next.is_set()) return {.tv_sec = -1, .tv_nsec = 0};
  return ToTimespec(std::max(next - MonoNow(), Nanos(0)));
}

void Server::AcceptAll(Door* door) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Fd fd;
    switch (door->listener->Accept(&fd)) {
      case Listener::Outcome::kNone:
        return;
      case Listener::Outcome::kRefused:
        continue;
      case Listener::Outcome::kExhausted:
        // Level-triggered, it would wake us for ever: wait until a connection ends.
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, door->listener->fd(), nullptr);
        door->open = false;
        return;
      case Listener::Outcome::kAccepted:
        break;
    }
    const bool tls = door == &secure_;
    if (clients_.size() >= options_.limits.connections) {
      TurnAway(std::move(fd), tls);
    } else {
      Admit(std::move(fd), tls);
    }
  }
}

void Server::Admit(Fd fd, bool tls) {
  std::unique_ptr<TlsStream> stream;
  if (tls) stream = std::make_unique<TlsStream>(TlsStream::Side::kServer, *tls_, fd.get());
  const int64_t id = next_id_++;
  Client& client = clients_[id];
  client.connection =
      std::make_unique<Connection>(Channel(std::move(fd), std::move(stream)), id, &shared_);
  client.events = EPOLLIN;
  if (Watch(client.connection->fd(), &client).ok()) {
    Update(&client);
  } else {
    clients_.erase(id);
  }
}

void Server::TurnAway(Fd fd, bool tls) {
  if (tls) return;  // without a handshake there is no way to say it
  kinetic::Command status;
  status.has_header = true;
  const std::string why =
      absl::StrCat("this server holds its limit of ", options_.limits.connections, " connections");
  status.status = {.code = options_.dialect->too_many_connections, .message = why};
  std::string bytes;
  desk_.encoder.Append(status, kinetic::Signature::Unsolicited(), 0, &bytes);
  // A fresh socket takes these few bytes; if not, the end of the stream says it too.
  (void)send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void Server::OnDues() {
  while (!dues_.empty() && dues_.top().first <= MonoNow()) {
    const Due due = dues_.top();
    dues_.pop();
    const auto it = clients_.find(due.second);
    if (it == clients_.end() || it->second.scheduled != due.first) continue;
    it->second.scheduled = MonoTime();
    it->second.connection->OnDue();
    Update(&it->second);
  }
  if (announcer_ != nullptr && announcer_->next() <= MonoNow()) {
    kinetic::GetLog log;
    logs_.FillGreeting(&log);
    announcer_->Announce(*log.configuration);
  }
}

void Server::WorkOnTasks() {
  if (working_.empty()) return;
  const std::vector<int64_t> ids(working_.begin(), working_.end());
  for (const int64_t id : ids) {
    const auto it = clients_.find(id);
    if (it == clients_.end()) {
      working_.erase(id);
    } else if (it->second.connection->busy()) {
      it->second.connection->Work();
      Update(&it->second);
    }
  }
}

void Server::Update(Client* client) {
  Connection* connection = client->connection.get();
  if (connection->done()) {
    working_.erase(connection->id());
    clients_.erase(connection->id());
    OpenDoorsAgain();
    return;
  }
  if (connection->pending() || connection->busy()) {
    working_.insert(connection->id());
  } else if (!working_.empty()) {
    working_.erase(connection->id());
  }
  if (const uint32_t wanted = connection->wanted_events(); wanted != client->events) {
    epoll_event event = {.events = wanted, .data = {.ptr = client}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->fd(), &event);
    client->events = wanted;
  }
  const MonoTime due = connection->next_due();
  if (due != client->scheduled) {
    client->scheduled = due;
    if (due.is_set()) dues_.emplace(due, connection->id());
  }
}

void Server::OpenDoorsAgain() {
  for (Door* door : {&plain_, &secure_}) {
    if (door->open || !door->listener.has_value()) continue;
    door->open = Watch(door->listener->fd(), door).ok();
  }
}

}  // namespace kbench::server
