#include "transport/socket_flows.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

// Received pieces begin on cache lines; a buffer offset of a few bytes past a page can halve the
// kernel's copy speed on some processors.
constexpr size_t RoundUp(size_t n) { return (n + 63) & ~size_t{63}; }

size_t ChunkOf(const TransportOptions& options) {
  const size_t limit = options.max_bytes_per_call;
  const size_t chunk = std::max<size_t>(options.receive_chunk_bytes, 1);
  return RoundUp(limit == 0 ? chunk : std::min(chunk, limit));
}

}  // namespace

SocketFlows::SocketFlows(const TransportOptions& options)
    : options_(options),
      frames_(options.frames_max),
      parts_(SendQueue::kCallParts),
      chunk_(ChunkOf(options)),
      arena_size_(chunk_ * std::clamp<size_t>(options.flows_max, 1, 4)),
      arena_(new (std::align_val_t(4096)) uint8_t[arena_size_]) {
  flows_.reserve(options.flows_max);
  queued_.reserve(options.flows_max);
  newly_blocked_.reserve(options.flows_max);
  events_.reserve(options.frames_max + 3 * size_t{options.flows_max});
}

absl::StatusOr<FlowId> SocketFlows::Connect(const SocketAddress& peer, Nanos timeout) {
  if (flows_.size() == options_.flows_max) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot open another flow to ", ToString(peer),
                                                     ": flows_max is ", options_.flows_max));
  }
  ASSIGN_OR_RETURN(FlowSocket socket, ConnectFlow(peer, timeout, options_));
  if (flows_.empty()) flow_facts_ = socket.facts;
  Open(std::move(socket), &flows_.emplace_back());
  return FlowId(flows_.size() - 1);
}

absl::Status SocketFlows::Reopen(FlowId id, const SocketAddress& peer, Nanos timeout) {
  ASSIGN_OR_RETURN(FlowSocket socket, ConnectFlow(peer, timeout, options_));
  Flow fresh;
  fresh.queued = flow(id).queued;  // it stays in the list
  past_stamps_.Add(flow(id).stamps.counts());
  flow(id) = std::move(fresh);
  Open(std::move(socket), &flow(id));
  return absl::OkStatus();
}

void SocketFlows::Open(FlowSocket socket, Flow* flow) {
  flow->fd = std::move(socket.fd);
  flow->stamped = socket.stamps;
  if (flow->stamped) flow->stamps = StampMatcher(std::min(options_.frames_max, 1024u));
  ++open_count_;
}

void SocketFlows::Close(FlowId id) {
  Flow& f = flow(id);
  if (!f.open()) return;
  frames_.Clear(&f.line);
  f.blocked = false;
  f.fd.Reset();
  --open_count_;
}

void SocketFlows::End(FlowId id, int error) {
  Close(id);
  events_.push_back({.kind = TransportEvent::Kind::kClosed, .flow = id, .error = error});
}

void SocketFlows::Queue(FlowId id, const OutgoingFrame& frame) {
  Flow& f = flow(id);
  if (!f.open() || f.send_error != 0) return;
  frames_.Push(&f.line, frame);
  if (frame.probe && f.stamped) {
    f.stamps.Expect(static_cast<uint32_t>(f.line.queued - 1), frame.stamps);
    f.wants_stamp = true;
  }
  if (!f.queued && !f.blocked) {
    f.queued = true;
    queued_.push_back(id);
  }
}

void SocketFlows::BeginPoll() {
  events_.clear();
  newly_blocked_.clear();
  arena_used_ = 0;
}

void SocketFlows::FlushQueued() {
  for (FlowId id : queued_) {
    flow(id).queued = false;
    Flush(id);
  }
  queued_.clear();
}

void SocketFlows::Flush(FlowId id) {
  Flow& f = flow(id);
  const bool was_blocked = std::exchange(f.blocked, false);
  while (f.open() && !f.line.empty()) {
    const SendQueue::Call call =
        frames_.Gather(f.line, options_.flush, options_.max_bytes_per_call, parts_);
    msghdr header = {.msg_iov = parts_.data(), .msg_iovlen = call.parts};
    StampControl control;
    const bool stamped = call.probed && f.stamped;
    if (stamped) AskForSendStamps(&header, &control);
    const MonoTime submitted = MonoNow();
    const ssize_t sent = sendmsg(f.fd.get(), &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    const int error = errno;
    const MonoTime returned = MonoNow();
    ++counters_.system_calls;
    if (sent < 0 && error == EINTR) continue;
    if (sent < 0 && error != EAGAIN) {
      // The peer's last words may still be in the receive queue: the flow ends when they are read.
      f.send_error = error;
      frames_.Clear(&f.line);
      return;
    }
    const size_t taken = sent < 0 ? 0 : static_cast<size_t>(sent);
    frames_.Accept(&f.line, taken, submitted, returned, [&](uint32_t token) {
      events_.push_back({.kind = TransportEvent::Kind::kSent, .flow = id, .token = token});
    });
    if (stamped) Drain(&f);
    if (taken < call.bytes) {
      ++counters_.short_sends;
      f.blocked = true;
      SendQueue::NoRoom(&f.line, returned);
      if (!was_blocked) newly_blocked_.push_back(id);
      return;
    }
    SendQueue::Room(&f.line, submitted);
  }
}

SocketFlows::Came SocketFlows::Receive(FlowId id, int flags, MonoTime polled, MonoTime woke) {
  Flow& f = flow(id);
  uint8_t* const buffer = arena_.get() + arena_used_;
  const size_t limit = options_.max_bytes_per_call;
  const size_t room = limit == 0 ? chunk_ : std::min<size_t>(chunk_, limit);
  iovec part = {.iov_base = buffer, .iov_len = room};
  msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  StampControl control;
  if (f.wants_stamp) AskForReceiveStamp(&header, &control);
  const ssize_t got =
      f.wants_stamp ? recvmsg(f.fd.get(), &header, flags) : recv(f.fd.get(), buffer, room, flags);
  const int error = errno;
  const MonoTime received = MonoNow();
  ++counters_.system_calls;
  if (got < 0 && error == EINTR) return Came::kInterrupted;
  if (got < 0 && error == EAGAIN) return Came::kNothing;
  if (got <= 0) {
    End(id, got == 0 ? f.send_error : error);
    return Came::kSomething;
  }
  const size_t bytes = static_cast<size_t>(got);
  counters_.short_receives += bytes == room;
  arena_used_ += RoundUp(bytes);
  if (!f.stamps.empty()) {
    const auto last_sent = static_cast<uint32_t>(f.line.accepted - 1);
    Count(SettleStamps(f.fd.get(), last_sent, MayDrain(f), &f.stamps));
  }
  events_.push_back({.kind = TransportEvent::Kind::kReceived,
                     .flow = id,
                     .bytes = Bytes(buffer, bytes),
                     .polled = polled,
                     .woke = woke.is_set() ? woke : received,
                     .received = received,
                     .kernel_received = f.wants_stamp ? ReceiveStamp(&header) : RealTime()});
  return Came::kSomething;
}

void SocketFlows::Drain(Flow* f) {
  if (MayDrain(*f)) Count(DrainErrorQueue(f->fd.get(), &f->stamps));
}

bool SocketFlows::MayDrain(const Flow& f) const {
  return f.stamped && f.open() && !options_.leave_stamps;
}

void SocketFlows::Count(const DrainCount& count) {
  counters_.system_calls += count.system_calls;
  counters_.stamps_drained += count.stamps;
}

FactList SocketFlows::facts() const {
  FactList facts = flow_facts_;
  facts.emplace_back("flush", options_.flush == FlushMode::kBatch ? "batch" : "op");
  facts.emplace_back("poll", options_.poll == PollMode::kBlock ? "block" : "spin");
  facts.emplace_back("receive_chunk_bytes", absl::StrCat(chunk_));
  return facts;
}

TransportCounters SocketFlows::CountAll() const {
  TransportCounters counters = counters_;
  StampCounts stamps = past_stamps_;
  for (const Flow& f : flows_) stamps.Add(f.stamps.counts());
  counters.stamps_asked = stamps.asked;
  counters.stamps_missing = stamps.missing;
  counters.stamps_abandoned = stamps.abandoned;
  return counters;
}

}  // namespace kbench
