#include "server/server.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

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

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Open(ServerOptions options) {
  ASSIGN_OR_RETURN(ServiceTime service, ServiceTime::Parse(options.service_time, options.seed));
  ASSIGN_OR_RETURN(Listener listener, Listener::Open({.address = options.listen,
                                                      .allow_remote = options.allow_remote,
                                                      .rx_stamps = options.residence_records > 0}));
  return std::unique_ptr<Server>(new Server(std::move(options), std::move(listener), service));
}

Server::Server(ServerOptions options, Listener listener, ServiceTime service)
    : options_(std::move(options)),
      listener_(std::move(listener)),
      service_(service),
      trace_(options_.residence_records, DescribeService(options_)),
      logs_(&options_.limits, &store_, &counters_, &trace_),
      handler_(&options_.limits, &store_, &counters_, &logs_),
      buffer_(kReceiveBytes),
      // Like the simulator's: different from one server start to the next.
      next_id_(RealNow().ns() / 1000) {
  logs_.set_port(listener_.address().port);
  desk_.limits = &options_.limits;
  desk_.keys = &options_.keys;
  desk_.handler = &handler_;
  desk_.logs = &logs_;
  desk_.service = &service_;
  desk_.cluster_version = options_.cluster_version;
  shared_ = {.desk = &desk_,
             .trace = &trace_,
             .model = options_.service_model,
             .buffer = MutableBytes(buffer_)};
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
  void* const listener_tag = &listener_;
  RETURN_IF_ERROR(Watch(stop_fd, stop_tag));
  RETURN_IF_ERROR(Watch(listener_.fd(), listener_tag));
  std::array<epoll_event, kEventsPerTurn> events;
  for (int turn = 0;; ++turn) {
    const timespec patience = Patience();
    const bool forever = patience.tv_sec < 0;
    const int n = epoll_pwait2(epoll_.get(), events.data(), kEventsPerTurn,
                               forever ? nullptr : &patience, nullptr);
    if (n < 0 && errno != EINTR) {
      return absl::InternalError(absl::StrCat("cannot wait for events: ", std::strerror(errno)));
    }
    bool accept = false;
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      if (event.data.ptr == stop_tag) {
        clients_.clear();
        return absl::OkStatus();
      }
      if (event.data.ptr == listener_tag) {
        accept = true;
        continue;
      }
      auto* client = static_cast<Client*>(event.data.ptr);
      client->connection->OnEvents(event.events);
      Update(client);
    }
    OnDues();
    if (accept) AcceptAll();
    if (turn % kTurnsPerClockWatch == 0) trace_.WatchClocks();
  }
}

// How long the next wait may take; below 0 for ever.
timespec Server::Patience() const {
  if (options_.poll_spin) return {};
  if (dues_.empty()) return {.tv_sec = -1, .tv_nsec = 0};
  const Nanos left = dues_.top().first - MonoNow() - kSpin;
  return ToTimespec(left > Nanos(0) ? left : Nanos(0));
}

void Server::AcceptAll() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Fd fd;
    switch (listener_.Accept(&fd)) {
      case Listener::Outcome::kNone:
        return;
      case Listener::Outcome::kRefused:
        continue;
      case Listener::Outcome::kExhausted:
        // Level-triggered, it would wake us for ever: wait until a connection ends.
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.fd(), nullptr);
        listening_ = false;
        return;
      case Listener::Outcome::kAccepted:
        break;
    }
    if (clients_.size() >= options_.limits.connections) {
      TurnAway(std::move(fd));
      continue;
    }
    const int64_t id = next_id_++;
    Client& client = clients_[id];
    client.connection = std::make_unique<Connection>(std::move(fd), id, &shared_);
    client.events = EPOLLIN;
    if (Watch(client.connection->fd(), &client).ok()) {
      Update(&client);
    } else {
      clients_.erase(id);
    }
  }
}

void Server::TurnAway(Fd fd) {
  kinetic::Command status;
  status.has_header = true;
  status.header.cluster_version = options_.cluster_version;
  const std::string why =
      absl::StrCat("this server holds its limit of ", options_.limits.connections, " connections");
  status.status = {.code = kinetic::StatusCode::kServiceBusy, .message = why};
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
}

void Server::Update(Client* client) {
  Connection* connection = client->connection.get();
  if (connection->done()) {
    clients_.erase(connection->id());
    ListenAgain();
    return;
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

void Server::ListenAgain() {
  if (listening_) return;
  listening_ = Watch(listener_.fd(), &listener_).ok();
}

}  // namespace kbench::server
