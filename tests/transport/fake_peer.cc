#include "tests/transport/fake_peer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kbench {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "fake peer: %s: %s\n", what, strerror(errno));
  std::abort();
}

Fd BindLoopback(SocketAddress* address) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Check(fd.valid(), "socket");
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address->storage);
  v4->sin_family = AF_INET;
  v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address->length = sizeof(*v4);
  Check(bind(fd.get(), address->get(), address->length) == 0, "bind");
  Check(
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address->storage), &address->length) == 0,
      "getsockname");
  return fd;
}

// As recv() and send() say it, with errno.
ssize_t Plain(const TlsStream::Outcome& outcome) {
  errno = EAGAIN;
  switch (outcome.kind) {
    case TlsStream::Kind::kDone:
      return static_cast<ssize_t>(outcome.bytes);
    case TlsStream::Kind::kWantRead:
    case TlsStream::Kind::kWantWrite:
      return -1;
    case TlsStream::Kind::kEnded:
      return 0;
    case TlsStream::Kind::kFailed:
      break;
  }
  errno = EPROTO;
  return -1;
}

// False when the connection is over. Not a byte: not now.
bool Moved(ssize_t result, size_t* bytes) {
  *bytes = static_cast<size_t>(std::max<ssize_t>(result, 0));
  return result > 0 || (result < 0 && (errno == EAGAIN || errno == EINTR));
}

void SetInt(int fd, int level, int option, int value) {
  Check(setsockopt(fd, level, option, &value, sizeof(value)) == 0, "setsockopt");
}

}  // namespace

struct FakePeer::Connection {
  size_t index = 0;
  Fd fd;
  std::unique_ptr<TlsStream> tls;
  uint64_t read = 0;
  uint64_t written = 0;
  uint64_t to_write = 0;  // total that the script has asked for so far
};

FakePeer::FakePeer(const Script& script) : script_(script) {
  listener_ = BindLoopback(&address_);
  // Buffer sizes are inherited by accepted sockets; the receive buffer decides the window offered.
  const int fd = listener_.get();
  if (script.send_buffer_bytes > 0) SetInt(fd, SOL_SOCKET, SO_SNDBUF, script.send_buffer_bytes);
  if (script.receive_buffer_bytes > 0) {
    SetInt(fd, SOL_SOCKET, SO_RCVBUF, script.receive_buffer_bytes);
  }
  Check(listen(fd, 128) == 0, "listen");
  wake_ = Fd(eventfd(0, EFD_CLOEXEC));
  Check(wake_.valid(), "eventfd");
  thread_ = std::thread([this] { Run(); });
}

FakePeer::~FakePeer() {
  const uint64_t one = 1;
  Check(write(wake_.get(), &one, sizeof(one)) == sizeof(one), "write to eventfd");
  thread_.join();
}

std::string FakePeer::AwaitReceived(size_t index, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return index < received_.size() && received_[index].size() >= bytes; });
  return received_[index];
}

void FakePeer::AwaitWritten(size_t connections, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return written_.size() >= connections &&
           std::all_of(written_.begin(), written_.begin() + static_cast<int>(connections),
                       [&](uint64_t written) { return written >= bytes; });
  });
}

void FakePeer::Run() {
  for (;;) {
    std::vector<pollfd> watched = {{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
    bool buffered = false;
    std::vector<bool> readable;
    for (const auto& connection : connections_) {
      const bool writes = connection->written < connection->to_write;
      const bool reads =
          connection->read < script_.read_until && (script_.reads_while_writing || !writes);
      watched.push_back(
          {.fd = connection->fd.get(),
           .events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)),
           .revents = 0});
      // Decrypted bytes are of no concern to poll().
      readable.push_back(connection->tls != nullptr && reads && connection->tls->pending() > 0);
      buffered = buffered || readable.back();
    }
    Check(poll(watched.data(), watched.size(), buffered ? 0 : -1) >= 0, "poll");
    if (watched[0].revents != 0) return;
    for (size_t i = 0; i < connections_.size(); ++i) {
      Connection* connection = connections_[i].get();
      const short what = static_cast<short>(watched[i + 2].revents | (readable[i] ? POLLIN : 0));
      bool open = connection->fd.valid();
      if (open && (what & (POLLERR | POLLHUP)) != 0 && (what & POLLIN) == 0) open = false;
      if (open && (what & POLLIN) != 0) open = Read(connection);
      if (open && (what & POLLOUT) != 0) open = Write(connection);
      if (!open || Finished(*connection)) Hang(connection);
    }
    if (watched[1].revents != 0) Accept();
  }
}

void FakePeer::Accept() {
  auto connection = std::make_unique<Connection>();
  connection->fd = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  Check(connection->fd.valid(), "accept");
  const int fd = connection->fd.get();
  if (script_.tls != nullptr) {
    // Every client of a TLS peer gets through its handshake, or hangs up.
    connection->tls = std::make_unique<TlsStream>(TlsStream::Side::kServer, *script_.tls, fd);
    if (connection->tls->Handshake().kind != TlsStream::Kind::kDone) {
      connection->tls.reset();
      connection->fd.Reset();
    }
  }
  if (connection->fd.valid()) {
    Check(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "fcntl");
    SetInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  connection->to_write = script_.greeting_bytes;
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
  const std::lock_guard lock(mutex_);
  received_.emplace_back();
  written_.emplace_back();
  changed_.notify_all();
}

void FakePeer::Hang(Connection* connection) {
  if (connection->tls != nullptr && script_.good_bye) connection->tls->Shutdown();
  connection->tls.reset();
  connection->fd.Reset();
}

bool FakePeer::Read(Connection* connection) {
  std::string chunk(std::min<uint64_t>({script_.read_chunk, script_.read_until - connection->read,
                                        script_.close_after_read - connection->read}),
                    '\0');
  size_t got = 0;
  if (!Moved(connection->tls != nullptr
                 ? Plain(connection->tls->Receive(
                       MutableBytes(reinterpret_cast<uint8_t*>(chunk.data()), chunk.size())))
                 : recv(connection->fd.get(), chunk.data(), chunk.size(), 0),
             &got)) {
    return false;
  }
  if (got == 0) return true;
  connection->read += got;
  if (script_.request_bytes > 0) {
    connection->to_write =
        script_.greeting_bytes + connection->read / script_.request_bytes * script_.reply_bytes;
  }
  const std::lock_guard lock(mutex_);
  received_[connection->index].append(chunk, 0, got);
  changed_.notify_all();
  return true;
}

bool FakePeer::Write(Connection* connection) {
  const uint64_t end = std::min(connection->to_write, script_.close_after_written);
  std::string chunk(std::min<uint64_t>(64 * 1024, end - connection->written), '\0');
  for (size_t i = 0; i < chunk.size(); ++i) {
    chunk[i] = static_cast<char>(StreamByte(connection->written + i));
  }
  size_t sent = 0;
  if (!Moved(connection->tls != nullptr
                 ? Plain(connection->tls->Send(AsBytes(chunk)))
                 : send(connection->fd.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL),
             &sent)) {
    return false;
  }
  connection->written += sent;
  const std::lock_guard lock(mutex_);
  written_[connection->index] = connection->written;
  changed_.notify_all();
  return true;
}

bool FakePeer::Finished(const Connection& connection) const {
  return connection.read >= script_.close_after_read ||
         connection.written >= script_.close_after_written;
}

DeafListener::DeafListener() {
  listener_ = BindLoopback(&address_);
  Check(listen(listener_.get(), 0) == 0, "listen");
  for (int i = 0; i < 4; ++i) {
    queued_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    Check(
        connect(queued_.back().get(), address_.get(), address_.length) == 0 || errno == EINPROGRESS,
        "connect");
  }
}

SocketAddress RefusingAddress() {
  SocketAddress address;
  static std::mutex mutex;
  static std::vector<Fd> bound;
  const std::lock_guard lock(mutex);
  bound.push_back(BindLoopback(&address));
  return address;
}

}  // namespace kbench
