#include "server/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <utility>

#include "kinetic/residence.h"
#include "server/rx_stamp.h"

namespace kbench::server {
namespace {

using kinetic::Residence;

constexpr size_t kPieces = 128;
constexpr size_t kSendBytes = 1024 * 1024;
constexpr size_t kDiscardAtMost = 16 * 1024 * 1024;

void BurnUntil(MonoTime due) {
  while (MonoNow() < due) {
  }
}

}  // namespace

Connection::Connection(Fd fd, int64_t id, ConnectionShared* shared)
    : fd_(std::move(fd)),
      id_(id),
      shared_(shared),
      ring_(shared->trace->Open(id)),
      conversation_(id, shared->desk) {
  Flush();
}

Connection::~Connection() { shared_->trace->Retire(id_); }

bool Connection::done() const {
  if (failed_) return true;
  if (lingering_) return input_ended_ || discarded_ > kDiscardAtMost;
  return input_ended_ && !paused_ && conversation_.outbox().empty();
}

uint32_t Connection::wanted_events() const {
  const bool reads = !paused_ && !input_ended_ && (lingering_ || !conversation_.closing());
  return (reads ? EPOLLIN : 0u) | (blocked_ ? EPOLLOUT : 0u);
}

MonoTime Connection::next_due() const {
  return blocked_ ? MonoTime() : conversation_.outbox().next_due();
}

void Connection::OnEvents(uint32_t events) {
  if ((events & EPOLLERR) != 0) failed_ = true;
  if (failed_) return;
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !paused_ && !input_ended_) OnReadable();
  // Both directions are shut: nobody is left to send to.
  if ((events & EPOLLHUP) != 0) failed_ = true;
  if (!failed_) Settle();
}

void Connection::OnReadable() {
  const MutableBytes room = conversation_.reader().room();
  iovec pieces[2] = {{.iov_base = room.data(), .iov_len = room.size()},
                     {.iov_base = shared_->buffer.data(), .iov_len = shared_->buffer.size()}};
  RxStampBuffer control;
  msghdr message = {};
  message.msg_iov = room.empty() ? pieces + 1 : pieces;
  message.msg_iovlen = room.empty() ? 1 : 2;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  const ssize_t n = recvmsg(fd_.get(), &message, 0);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) failed_ = true;
    return;
  }
  if (n == 0) {
    input_ended_ = true;
    return;
  }
  const auto size = static_cast<size_t>(n);
  if (lingering_ || conversation_.closing()) {
    discarded_ += size;
    return;
  }
  Arrival arrival = {.at = FindRxStamp(message), .flags = Residence::kKernelReceived};
  if (!arrival.at.is_set()) arrival = {.at = RealNow()};
  const size_t in_room = std::min(size, room.size());
  conversation_.reader().Filled(in_room);
  Serve(shared_->buffer.first(size - in_room), arrival);
}

void Connection::Serve(Bytes in, Arrival arrival) {
  Outbox& outbox = conversation_.outbox();
  for (bool first = true;; first = false) {
    if (outbox.unsent() >= shared_->desk->limits->unsent_bytes) {
      paused_ = true;
      backlog_.assign(in.begin(), in.end());
      backlog_arrival_ = {.at = arrival.at, .flags = arrival.flags | Residence::kSharedStamp};
      return;
    }
    const Conversation::Step step = conversation_.Consume(&in);
    if (step.kind == Conversation::Step::Kind::kMore) return;
    // The stamp is that of the call's last packet: this request's own only if nothing else came.
    const bool shared = !first || !in.empty();
    outbox.SetReceived(arrival.at, arrival.flags | (shared ? Residence::kSharedStamp : 0u));
    if (step.kind == Conversation::Step::Kind::kClosing) return;
    if (step.service > Nanos(0)) PassServiceTime(step.service);
    if (failed_) return;
  }
}

void Connection::PassServiceTime(Nanos service) {
  const MonoTime due = MonoNow() + service;
  if (shared_->model == ServiceModel::kSleep) {
    conversation_.outbox().HoldUntil(due);
    return;
  }
  BurnUntil(due);
  Flush();  // A serial server's answer leaves before it looks at the next request.
}

void Connection::Settle() {
  Flush();
  while (!failed_ && paused_ &&
         conversation_.outbox().unsent() < shared_->desk->limits->unsent_bytes / 2) {
    paused_ = false;
    const std::vector<uint8_t> waited = std::exchange(backlog_, {});
    Serve(waited, backlog_arrival_);
    Flush();
  }
  if (!failed_ && conversation_.closing() && conversation_.outbox().empty() && !lingering_) {
    lingering_ = true;
    shutdown(fd_.get(), SHUT_WR);
  }
}

void Connection::Flush() {
  Outbox& outbox = conversation_.outbox();
  std::array<iovec, kPieces> pieces;
  while (!failed_) {
    const MonoTime now = outbox.next_due().is_set() ? MonoNow() : MonoTime();
    const int used = outbox.Gather(now, kSendBytes, pieces);
    if (used == 0) break;
    size_t listed = 0;
    for (int i = 0; i < used; ++i) listed += pieces[static_cast<size_t>(i)].iov_len;
    msghdr message = {};
    message.msg_iov = pieces.data();
    message.msg_iovlen = static_cast<size_t>(used);
    const RealTime at = RealNow();
    const ssize_t n = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) failed_ = true;
      blocked_ = true;
      return;
    }
    outbox.Sent(static_cast<size_t>(n), at, ring_);
    if (static_cast<size_t>(n) < listed) {
      blocked_ = true;
      return;
    }
  }
  blocked_ = false;
}

}  // namespace kbench::server
