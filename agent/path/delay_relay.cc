#include "agent/path/delay_relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

// What is left of a wait is slept up to this long before the due instant, then spun. Short, so that
// a relay on the client's CPU is no reason to let a woken client wait.
constexpr Nanos kSpin = Micros(60);
constexpr size_t kChunkBytes = 65536;
// Of a link with a rate, which passes on whole chunks: what is a link passes on packets.
constexpr size_t kShapedChunkBytes = 16384;
constexpr size_t kPacketBytes = 1448;

struct Chunk {
  MonoTime arrived;
  MonoTime due;
  std::string bytes;
  size_t sent = 0;
};

void NoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

// One direction of all connections.
struct DelayRelay::Link {
  int64_t rate = 0;  // bit/s; 0: no bound
  MonoTime free;     // the last bit of what it took has passed

  // When the last bit of what arrives now has passed.
  MonoTime Pass(MonoTime now, size_t bytes) {
    if (rate == 0) return now;
    free =
        std::max(free, now) +
        Nanos(static_cast<int64_t>(static_cast<double>(bytes) * 8e9 / static_cast<double>(rate)));
    return free;
  }
};

// One direction of one relayed connection.
struct DelayRelay::Pipe {
  Link* link = nullptr;
  int from = -1;
  int to = -1;
  bool ended = false;  // the source has closed; what is held still goes out
  bool blocked = false;
  size_t held = 0;
  std::deque<Chunk> queue;

  bool done() const { return ended && queue.empty(); }
  bool reads() const { return !ended && held < kHeldMost; }
};

struct DelayRelay::Connection {
  Fd client;
  Fd server;
  bool connecting = true;
  bool failed = false;
  Pipe up;
  Pipe down;

  bool done() const { return failed || up.done() || down.done(); }
};

// The relay's thread.
class DelayRelay::Loop {
 public:
  explicit Loop(DelayRelay* relay)
      : relay_(relay),
        buffer_(relay->options_.rate > 0 ? kShapedChunkBytes : kChunkBytes),
        link_up_{.rate = relay->options_.rate, .free = {}},
        link_down_{.rate = relay->options_.rate, .free = {}} {}

  void Run() {
    prctl(PR_SET_TIMERSLACK, 1);
    while (true) {
      Watch();
      const Nanos left = due_ - MonoNow();
      const timespec wait = ToTimespec(left > kSpin ? left - kSpin : Nanos());
      ppoll(fds_.data(), fds_.size(), due_.ns() == INT64_MAX ? nullptr : &wait, nullptr);
      if (fds_[0].revents != 0) return;
      Serve();
      if (fds_[1].revents != 0) Accept();
      const size_t before = connections_.size();
      connections_.remove_if([](const Connection& c) { return c.done(); });
      if (connections_.size() < before) full_ = false;
    }
  }

 private:
  // What to wait for, and until when.
  void Watch() {
    fds_.clear();
    fds_.push_back({.fd = relay_->stop_.get(), .events = POLLIN, .revents = 0});
    fds_.push_back({.fd = full_ ? -1 : relay_->listener_.get(), .events = POLLIN, .revents = 0});
    due_ = MonoTime(INT64_MAX);
    for (Connection& c : connections_) {
      if (c.connecting) {
        fds_.push_back({.fd = c.server.get(), .events = POLLOUT, .revents = 0});
        continue;
      }
      for (Pipe* p : {&c.up, &c.down}) {
        if (!p->queue.empty() && !p->blocked) due_ = std::min(due_, p->queue.front().due);
        fds_.push_back({.fd = p->reads() ? p->from : -1, .events = POLLIN, .revents = 0});
        fds_.push_back({.fd = p->blocked ? p->to : -1, .events = POLLOUT, .revents = 0});
      }
    }
  }

  void Serve() {
    size_t i = 2;
    for (Connection& c : connections_) {
      if (c.connecting) {
        if (fds_[i++].revents != 0) FinishConnect(&c);
        continue;
      }
      for (Pipe* p : {&c.up, &c.down}) {
        if (fds_[i].revents != 0) Read(p);
        i += 2;
        SendDue(p, p == &c.up);
      }
    }
  }

  void Accept() {
    while (true) {
      Fd client(accept4(relay_->listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!client.valid()) {
        const int error = errno;
        if (error == EINTR || error == ECONNABORTED) continue;
        if (error == EAGAIN) return;
        // Out of files: the next that ends makes room.
        relay_->Failed(absl::StrCat("the relay cannot accept a connection: ", strerror(error)));
        full_ = true;
        return;
      }
      Begin(std::move(client));
    }
  }

  void Begin(Fd client) {
    const SocketAddress& to = relay_->options_.server;
    Fd server(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const bool begun =
        server.valid() && (connect(server.get(), to.get(), to.length) == 0 || errno == EINPROGRESS);
    if (!begun) return relay_->Failed(strerror(errno));
    NoDelay(client.get());
    NoDelay(server.get());
    Connection& c = connections_.emplace_back();
    c.client = std::move(client);
    c.server = std::move(server);
    c.up = {.link = &link_up_, .from = c.client.get(), .to = c.server.get()};
    c.down = {.link = &link_down_, .from = c.server.get(), .to = c.client.get()};
  }

  void FinishConnect(Connection* c) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(c->server.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    c->connecting = false;
    c->failed = error != 0;
    if (c->failed) relay_->Failed(strerror(error));
  }

  void Read(Pipe* p) {
    const ssize_t n = recv(p->from, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      p->ended = true;
      return;
    }
    const MonoTime now = MonoNow();
    const auto size = static_cast<size_t>(n);
    p->held += size;
    // The rest of a message, which would wake its reader a second time, goes with what is before
    // it.
    const bool rest = p->link->rate > 0 && size < kPacketBytes;
    if (rest && !p->queue.empty() && p->queue.back().sent == 0) {
      p->queue.back().bytes.append(buffer_.data(), size);
      p->queue.back().due = p->link->Pass(now, size) + relay_->options_.delay;
      return;
    }
    p->queue.push_back({.arrived = now,
                        .due = p->link->Pass(now, size) + relay_->options_.delay,
                        .bytes = std::string(buffer_.data(), size)});
  }

  void SendDue(Pipe* p, bool up) {
    p->blocked = false;
    while (!p->queue.empty()) {
      Chunk& chunk = p->queue.front();
      const MonoTime leaving = MonoNow();
      if (chunk.due > leaving) return;
      const ssize_t n = Send(*p, chunk, up, leaving);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        p->blocked = true;
        return;
      }
      if (n < 0) {
        p->ended = true;
        p->queue.clear();
        return;
      }
      chunk.sent += static_cast<size_t>(n);
      p->held -= static_cast<size_t>(n);
      if (chunk.sent == chunk.bytes.size()) p->queue.pop_front();
    }
  }

  // Whoever has got the bytes finds them in what was added.
  ssize_t Send(const Pipe& p, const Chunk& chunk, bool up, MonoTime leaving) {
    MutexLock lock(&relay_->mutex_);
    const ssize_t n = send(p.to, chunk.bytes.data() + chunk.sent, chunk.bytes.size() - chunk.sent,
                           MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0 && chunk.sent == 0) {
      (up ? relay_->up_ : relay_->down_).Record(leaving - chunk.arrived);
    }
    return n;
  }

  DelayRelay* const relay_;
  std::vector<char> buffer_;
  Link link_up_;
  Link link_down_;
  std::vector<pollfd> fds_;
  std::list<Connection> connections_;
  MonoTime due_;
  bool full_ = false;  // no file is left for another connection
};

absl::StatusOr<std::unique_ptr<DelayRelay>> DelayRelay::Start(const Options& options) {
  std::unique_ptr<DelayRelay> relay(new DelayRelay(options));
  const auto refused = [](absl::string_view what) {
    return absl::UnavailableError(
        absl::StrCat("the relay on this host cannot be made: ", what, ": ", strerror(errno)));
  };
  SocketAddress listen_on = options.listen;
  if (listen_on.length == 0) {
    ASSIGN_OR_RETURN(listen_on, Resolve({.host = "127.0.0.1", .port = 0}));
  }
  relay->listener_ =
      Fd(socket(listen_on.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!relay->listener_.valid() ||
      bind(relay->listener_.get(), listen_on.get(), listen_on.length) != 0 ||
      listen(relay->listener_.get(), SOMAXCONN) != 0) {
    return refused("a listening socket");
  }
  relay->address_.length = sizeof(relay->address_.storage);
  if (getsockname(relay->listener_.get(), reinterpret_cast<sockaddr*>(&relay->address_.storage),
                  &relay->address_.length) != 0) {
    return refused("getsockname");
  }
  const absl::StatusOr<HostPort> name = LocalAddress(relay->listener_.get());
  if (!name.ok()) return name.status();
  relay->port_ = name->port;
  relay->name_ = name->ToString();
  relay->stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  if (!relay->stop_.valid()) return refused("eventfd");
  relay->thread_ = std::thread([relay = relay.get()] { Loop(relay).Run(); });
  return relay;
}

DelayRelay::~DelayRelay() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  if (write(stop_.get(), &one, sizeof(one)) != sizeof(one)) {
    std::fprintf(stderr, "kbench: bug: the relay's eventfd takes nothing: %s\n", strerror(errno));
    std::abort();
  }
  thread_.join();
}

DelayRelay::Added DelayRelay::added() const {
  MutexLock lock(&mutex_);
  return {.up = up_.Percentile(50),
          .down = down_.Percentile(50),
          .chunks = up_.count() + down_.count()};
}

void DelayRelay::Forget() {
  MutexLock lock(&mutex_);
  up_ = Histogram();
  down_ = Histogram();
}

std::string DelayRelay::failure() const {
  MutexLock lock(&mutex_);
  return failure_;
}

void DelayRelay::Failed(std::string why) {
  MutexLock lock(&mutex_);
  failure_ = std::move(why);
}

}  // namespace kbench
