#include "tests/e2e/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <cstdlib>
#include <deque>
#include <list>
#include <vector>

#include "base/address.h"

namespace kbench::e2e {
namespace {

struct Chunk {
  MonoTime arrived;
  MonoTime due;
  std::string bytes;
};

// One direction of one relayed connection.
struct Pipe {
  int from = -1;
  int to = -1;
  bool ended = false;  // the source has closed; what is queued still goes out
  bool blocked = false;
  std::deque<Chunk> queue;

  bool done() const { return ended && queue.empty(); }
};

struct Connection {
  Fd client;
  Fd server;
  Pipe up;
  Pipe down;
};

// Blocked time that is left is slept up to this long before the due instant, then spun. Short, so
// that a relay on the client's CPU is no reason to let a woken client wait.
constexpr Nanos kSpin = Micros(60);

Fd ConnectTo(const std::string& target) {
  const auto address = Resolve(*ParseHostPort(target));
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!address.ok() || connect(fd.get(), address->get(), address->length) != 0) return Fd();
  return fd;
}

void NoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void ReadInto(Pipe* pipe, Nanos delay) {
  char buffer[65536];
  const ssize_t n = recv(pipe->from, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    pipe->ended = true;
    return;
  }
  const MonoTime now = MonoNow();
  pipe->queue.push_back({now, now + delay, std::string(buffer, static_cast<size_t>(n))});
}

template <typename OnSent>
void SendDue(Pipe* pipe, OnSent on_sent) {
  pipe->blocked = false;
  while (!pipe->queue.empty() && pipe->queue.front().due <= MonoNow()) {
    Chunk& chunk = pipe->queue.front();
    const MonoTime leaving = MonoNow();
    const ssize_t n =
        send(pipe->to, chunk.bytes.data(), chunk.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      pipe->blocked = true;
      return;
    }
    if (n < 0) {
      pipe->ended = true;
      pipe->queue.clear();
      return;
    }
    on_sent(leaving - chunk.arrived);
    chunk.bytes.erase(0, static_cast<size_t>(n));
    if (chunk.bytes.empty()) pipe->queue.pop_front();
  }
}

}  // namespace

Relay::Relay(const std::string& target, Nanos delay_each_way, const std::string& listen_on)
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), stop_(eventfd(0, EFD_CLOEXEC)) {
  const auto any = Resolve(*ParseHostPort(listen_on));
  if (bind(listener_.get(), any->get(), any->length) != 0 || listen(listener_.get(), 64) != 0) {
    std::abort();
  }
  address_ = LocalAddress(listener_.get())->ToString();
  thread_ = std::thread([this, target, delay_each_way] { Loop(target, delay_each_way); });
}

Relay::~Relay() {
  const uint64_t one = 1;
  if (write(stop_.get(), &one, sizeof(one)) != sizeof(one)) std::abort();
  thread_.join();
}

Nanos Relay::MedianAdded() const {
  const std::lock_guard lock(mutex_);
  return added_.Percentile(50);
}

void Relay::Loop(const std::string& target, Nanos delay) {
  prctl(PR_SET_TIMERSLACK, 1);
  std::list<Connection> connections;
  while (true) {
    std::vector<pollfd> fds = {{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                               {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
    MonoTime due(INT64_MAX);
    for (Connection& c : connections) {
      for (Pipe* p : {&c.up, &c.down}) {
        if (!p->queue.empty() && !p->blocked) due = std::min(due, p->queue.front().due);
        fds.push_back({.fd = p->ended ? -1 : p->from, .events = POLLIN, .revents = 0});
        fds.push_back({.fd = p->blocked ? p->to : -1, .events = POLLOUT, .revents = 0});
      }
    }
    const Nanos left = due - MonoNow();
    timespec wait = ToTimespec(left > kSpin ? left - kSpin : Nanos(0));
    ppoll(fds.data(), fds.size(), due.ns() == INT64_MAX ? nullptr : &wait, nullptr);
    if (fds[0].revents != 0) return;
    if (fds[1].revents != 0) {
      Connection c{.client = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)),
                   .server = ConnectTo(target),
                   .up = {},
                   .down = {}};
      if (c.client.valid() && c.server.valid()) {
        NoDelay(c.client.get());
        NoDelay(c.server.get());
        c.up = {.from = c.client.get(), .to = c.server.get()};
        c.down = {.from = c.server.get(), .to = c.client.get()};
        connections.push_back(std::move(c));
      }
    }
    size_t i = 2;
    for (Connection& c : connections) {
      for (Pipe* p : {&c.up, &c.down}) {
        if (i < fds.size() && fds[i].revents != 0) ReadInto(p, delay);
        i += 2;
        SendDue(p, [this](Nanos added) {
          const std::lock_guard lock(mutex_);
          added_.Record(added);
        });
      }
    }
    connections.remove_if([](const Connection& c) { return c.up.done() || c.down.done(); });
  }
}

}  // namespace kbench::e2e
