// What comes out of the ring: sends, received bytes and stamps, and the ends of flows.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "transport/uring_transport.h"

namespace kbench {
namespace {

constexpr uint32_t kStampTypeShift =
    17;  // IORING_TIMESTAMP_TYPE_SHIFT, not in this Debian's headers

bool TryAgain(int result) { return result == -EAGAIN || result == -EINTR; }

}  // namespace

UringTransport::Completion UringTransport::Take(const io_uring_cqe& cqe) const {
  Completion taken{.user_data = cqe.user_data, .result = cqe.res, .flags = cqe.flags};
  if (wide_) {
    taken.stamp = RealTime(static_cast<int64_t>(cqe.big_cqe[0]) * 1'000'000'000 +
                           static_cast<int64_t>(cqe.big_cqe[1]));
  }
  return taken;
}

uint32_t UringTransport::Reap() {
  const MonoTime now = MonoNow();
  uint32_t count = 0;
  ring_.Reap([&](const io_uring_cqe& cqe) {
    ++count;
    Complete(Take(cqe), now);
  });
  return count;
}

void UringTransport::FindStuck() {
  for (FlowId id : fresh_) {
    if (flow(id).sending == Sending::kSubmitted) flow(id).sending = Sending::kStuck;
  }
  fresh_.clear();
}

void UringTransport::Complete(const Completion& completion, MonoTime now) {
  const FlowId id = FlowId(completion.user_data >> 8);
  Flow& f = flow(id);
  if ((completion.flags & IORING_CQE_F_MORE) == 0) --f.in_flight;
  switch (static_cast<Work>(completion.user_data & 0xff)) {
    case Work::kSend:
      CompleteSend(id, completion.result, now);
      break;
    case Work::kReceive:
      CompleteReceive(id, completion.result, now);
      break;
    case Work::kStamps:
      CompleteStamps(id, completion);
      break;
    case Work::kCancel:
      break;
  }
  if (Ends(f) && f.in_flight == 0) FinishEnd(id);
}

void UringTransport::CompleteSend(FlowId id, int result, MonoTime now) {
  Flow& f = flow(id);
  const bool stuck = std::exchange(f.sending, Sending::kNothing) == Sending::kStuck;
  if (result < 0 && !TryAgain(result)) {
    // The peer's last words may still be in the receive queue: the flow ends when they are read.
    if (f.send_error == 0) f.send_error = -result;
    frames_.Clear(&f.line);
    return;
  }
  const size_t taken = static_cast<size_t>(std::max(result, 0));
  if (f.state == State::kOpen) {
    frames_.Accept(&f.line, taken, f.submitted, now, [&](uint32_t token) {
      events_.push_back({.kind = TransportEvent::Kind::kSent, .flow = id, .token = token});
    });
  }
  const bool short_send = taken < f.call_bytes;
  counters_.short_sends += short_send;
  const bool full = (short_send || stuck) && !f.line.empty();
  if (full) SendQueue::NoRoom(&f.line, stuck ? f.submitted : now);
  if (!full) SendQueue::Room(&f.line, f.submitted);
  if (f.call_probed && !stamp_command_) Drain(&f);
  if (!f.line.empty()) List(id);
}

void UringTransport::CompleteReceive(FlowId id, int result, MonoTime now) {
  Flow& f = flow(id);
  const bool with_stamp =
      std::exchange(f.receiving, Receiving::kNothing) == Receiving::kBytesAndStamp;
  if (f.state != State::kOpen) return;
  if (TryAgain(result)) return List(id);
  if (result <= 0) return BeginEnd(id, result == 0 ? f.send_error : -result);
  const size_t bytes = static_cast<size_t>(result);
  counters_.short_receives += bytes == chunk_;
  f.sent_since_receive = 0;
  List(id);
  if (!f.stamps.empty()) answered_.push_back(id);
  events_.push_back({.kind = TransportEvent::Kind::kReceived,
                     .flow = id,
                     .bytes = Bytes(f.buffer.get(), bytes),
                     .polled = polled_,
                     .woke = now,
                     .received = now,
                     .kernel_received = with_stamp ? ReceiveStamp(&f.receive_header) : RealTime()});
}

void UringTransport::CompleteStamps(FlowId id, const Completion& completion) {
  Flow& f = flow(id);
  if ((completion.flags & IORING_CQE_F_MORE) == 0) {
    f.watching_stamps = false;
    if (completion.result >= 0 && f.state == State::kOpen) List(id);
    return;
  }
  // The ring's filler (see UringRing::Reap) lands on the stamp of an entry half a ring away, which
  // is long taken in a ring of this size; were it not, its seconds would be zero.
  if (completion.stamp < RealTime(1'000'000'000)) return;
  ++counters_.stamps_drained;
  const auto key = static_cast<uint32_t>(completion.result);
  const uint32_t type = completion.flags >> kStampTypeShift;
  if (const auto kind = SendStampKindOf(type)) f.stamps.Apply(*kind, key, completion.stamp);
}

void UringTransport::BeginEnd(FlowId id, int error) {
  Flow& f = flow(id);
  f.state = State::kEnding;
  f.error = error;
  if (f.sending == Sending::kNothing) frames_.Clear(&f.line);
  List(id);
}

void UringTransport::FinishEnd(FlowId id) {
  Flow& f = flow(id);
  if (f.state == State::kEnded) return;
  f.state = State::kEnded;
  frames_.Clear(&f.line);
  f.fd.Reset();
  if (f.silent) return;
  events_.push_back({.kind = TransportEvent::Kind::kClosed, .flow = id, .error = f.error});
}

// Stamps of frames that are sent are due with the first bytes received after them: what is still
// in the error queue is fetched, what is not is given up.
void UringTransport::SettleStamps() {
  for (FlowId id : answered_) {
    Flow& f = flow(id);
    if (f.line.accepted == 0) continue;
    const auto last_sent = static_cast<uint32_t>(f.line.accepted - 1);
    Count(kbench::SettleStamps(f.fd.get(), last_sent, MayDrain(f), &f.stamps));
  }
}

void UringTransport::Drain(Flow* f) {
  if (MayDrain(*f)) Count(DrainErrorQueue(f->fd.get(), &f->stamps));
}

bool UringTransport::MayDrain(const Flow& f) const {
  return f.fd.valid() && !options_.leave_stamps;
}

void UringTransport::Count(const DrainCount& count) {
  counters_.system_calls += count.system_calls;
  counters_.stamps_drained += count.stamps;
}

}  // namespace kbench
