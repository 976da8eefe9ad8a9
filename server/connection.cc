#include "server/connection.h"

#include <sys/epoll.h>

#include <array>
#include <utility>

#include "kinetic/residence.h"

namespace kbench::server {
namespace {

using kinetic::Residence;

constexpr size_t kPieces = 128;
constexpr size_t kSendBytes = 1024 * 1024;
constexpr size_t kDiscardAtMost = 16 * 1024 * 1024;
constexpr Nanos kLinger = Seconds(5);
constexpr int kReceivesPerTurn = 8;

void BurnUntil(MonoTime due) {
  while (MonoNow() < due) {
  }
}

}  // namespace

Connection::Connection(Channel channel, int64_t id, ConnectionShared* shared)
    : channel_(std::move(channel)),
      id_(id),
      shared_(shared),
      ring_(shared->trace->Open(id)),
      conversation_(id, channel_.tls(), shared->desk) {
  Flush();
}

Connection::~Connection() {
  if (!failed_ && !linger_until_.is_set()) channel_.ShutdownWrites();  // TLS says good-bye
  shared_->trace->Retire(id_);
}

bool Connection::done() const {
  if (failed_) return true;
  if (linger_until_.is_set()) return input_ended_ || discarded_ > kDiscardAtMost;
  return input_ended_ && !paused_ && conversation_.outbox().empty();
}

bool Connection::reading() const {
  return !paused_ && !input_ended_ && (linger_until_.is_set() || !conversation_.closing());
}

uint32_t Connection::wanted_events() const {
  uint32_t events = 0;
  if (reading()) events |= channel_.receive_wants_write() ? EPOLLOUT : EPOLLIN;
  if (blocked_) events |= channel_.send_wants_read() ? EPOLLIN : EPOLLOUT;
  return events;
}

MonoTime Connection::next_due() const {
  if (linger_until_.is_set()) return linger_until_;
  return blocked_ ? MonoTime() : conversation_.outbox().next_due();
}

void Connection::OnDue() {
  if (linger_until_.is_set() && MonoNow() >= linger_until_) failed_ = true;
  if (!failed_) Settle();
}

void Connection::OnEvents(uint32_t events) {
  if ((events & EPOLLERR) != 0) failed_ = true;
  if (failed_) return;
  if (reading()) OnReadable();
  // Both directions are shut: nobody is left to send to.
  if ((events & EPOLLHUP) != 0) failed_ = true;
  if (!failed_) Settle();
}

bool Connection::busy() const {
  const Task* task = conversation_.task();
  return (task != nullptr && !task->waiting()) || (channel_.has_more() && reading());
}

void Connection::Work() {
  if (Task* task = conversation_.task(); task != nullptr && task->Step()) {
    const Conversation::Step step = conversation_.EndTask();
    Follow(step, pending_arrival_);
  }
  if (!failed_ && channel_.has_more() && reading()) OnReadable();
  if (!failed_) Settle();
}

void Connection::OnReadable() {
  for (int i = 0; i < kReceivesPerTurn; ++i) {
    if (!ReceiveOnce() || !channel_.has_more() || !reading()) return;
  }
}

bool Connection::ReceiveOnce() {
  const MutableBytes room = conversation_.reader().room();
  iovec pieces[2] = {{.iov_base = room.data(), .iov_len = room.size()},
                     {.iov_base = shared_->buffer.data(), .iov_len = shared_->buffer.size()}};
  const std::span<iovec> parts = room.empty() ? std::span(pieces + 1, 1) : std::span(pieces, 2);
  const Channel::Received received = channel_.Receive(parts);
  switch (received.kind) {
    case Channel::Kind::kDone:
      break;
    case Channel::Kind::kBlocked:
      return false;
    case Channel::Kind::kEnded:
      input_ended_ = true;
      return false;
    case Channel::Kind::kFailed:
      failed_ = true;
      return false;
  }
  if (linger_until_.is_set() || conversation_.closing()) {
    discarded_ += received.bytes;
    return true;
  }
  Arrival arrival = {.at = received.stamp, .flags = Residence::kKernelReceived};
  if (!arrival.at.is_set()) arrival = {.at = RealNow()};
  const size_t in_room = std::min(received.bytes, room.size());
  conversation_.reader().Filled(in_room);
  Serve(shared_->buffer.first(received.bytes - in_room), arrival);
  return !failed_;
}

void Connection::Serve(Bytes in, Arrival arrival) {
  for (bool first = true;; first = false) {
    if (conversation_.outbox().unsent() >= shared_->desk->limits->unsent_bytes) {
      return Keep(in, arrival);
    }
    const Conversation::Step step = conversation_.Consume(&in, arrival.at);
    if (step.kind == Conversation::Step::Kind::kMore) return;
    // The stamp is that of the call's last packet: this request's own only if nothing else came.
    Arrival own = arrival;
    if (!first || !in.empty()) own.flags |= Residence::kSharedStamp;
    if (!Follow(step, own)) {
      if (step.kind == Conversation::Step::Kind::kPending) Keep(in, arrival);
      return;
    }
  }
}

void Connection::Keep(Bytes in, Arrival arrival) {
  paused_ = true;
  backlog_.assign(in.begin(), in.end());
  backlog_arrival_ = {.at = arrival.at, .flags = arrival.flags | Residence::kSharedStamp};
}

bool Connection::Follow(const Conversation::Step& step, Arrival arrival) {
  switch (step.kind) {
    case Conversation::Step::Kind::kMore:
      return false;
    case Conversation::Step::Kind::kUnanswered:
      return true;
    case Conversation::Step::Kind::kPending:
      pending_arrival_ = arrival;
      return false;
    case Conversation::Step::Kind::kAnswered:
    case Conversation::Step::Kind::kClosing:
      break;
  }
  if (step.kind == Conversation::Step::Kind::kClosing) return false;
  conversation_.outbox().SetReceived(arrival.at, arrival.flags);
  if (step.service > Nanos(0)) PassServiceTime(step.service);
  return !failed_;
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
  while (!failed_ && paused_ && !pending() &&
         conversation_.outbox().unsent() < shared_->desk->limits->unsent_bytes / 2) {
    paused_ = false;
    const std::vector<uint8_t> waited = std::exchange(backlog_, {});
    Serve(waited, backlog_arrival_);
    Flush();
  }
  if (!failed_ && conversation_.closing() && conversation_.outbox().empty() &&
      !linger_until_.is_set()) {
    linger_until_ = MonoNow() + kLinger;
    channel_.ShutdownWrites();
  }
}

void Connection::Flush() {
  Outbox& outbox = conversation_.outbox();
  std::array<iovec, kPieces> pieces;
  while (!failed_) {
    // TLS wants at least as much at the next attempt as at one that was blocked: with the time of
    // now, what is listed only grows.
    const MonoTime now = outbox.holds() ? MonoNow() : MonoTime();
    if (outbox.parked() > 0) outbox.Ripen(now);
    const int used = outbox.Gather(now, kSendBytes, pieces);
    if (used == 0) break;
    const std::span<const iovec> parts(pieces.data(), static_cast<size_t>(used));
    size_t listed = 0;
    for (const iovec& part : parts) listed += part.iov_len;
    const RealTime at = RealNow();
    const Channel::Sent sent = channel_.Send(parts);
    if (sent.kind != Channel::Kind::kDone) {
      if (sent.kind != Channel::Kind::kBlocked) failed_ = true;
      blocked_ = true;
      return;
    }
    outbox.Sent(sent.bytes, at, ring_);
    if (sent.bytes < listed) {
      blocked_ = true;
      return;
    }
  }
  blocked_ = false;
}

}  // namespace kbench::server
