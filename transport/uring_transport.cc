#include "transport/uring_transport.h"

#include <sys/socket.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

// Linux 6.17: the socket command that turns the error queue's stamps into completions. From 6.18 on
// it is free of a list corruption under a full completion queue. Not in this Debian's headers.
constexpr uint32_t kTxTimestampCommand = 4;  // SOCKET_URING_OP_TX_TIMESTAMP
constexpr int kCommandMajor = 6, kCommandMinor = 18;

bool KernelHasStampCommand() {
  utsname name;
  int major = 0, minor = 0;
  if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return std::pair(major, minor) >= std::pair(kCommandMajor, kCommandMinor);
}

size_t ChunkOf(const TransportOptions& options) {
  const size_t limit = options.max_bytes_per_call;
  const size_t chunk = std::max<size_t>(options.receive_chunk_bytes, 1);
  return limit == 0 ? chunk : std::min(chunk, limit);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> UringTransport::Make(const TransportOptions& options,
                                                                bool stamp_command) {
  if (options.flows_max > kFlowsMax) {
    return absl::InvalidArgumentError(absl::StrCat("transport uring: ", options.flows_max,
                                                   " flows on one worker; at most ", kFlowsMax,
                                                   " fit its ring: use more workers"));
  }
  const bool command =
      options.kernel_stamps && stamp_command && !options.leave_stamps && KernelHasStampCommand();
  ASSIGN_OR_RETURN(
      UringRing ring,
      UringRing::Make({.submissions = 4 * options.flows_max + 8,
                       .completions = 8 * options.flows_max +
                                      (command ? 4 * std::min(options.frames_max, 8'000u) : 0u),
                       .wide_completions = command,
                       .spin = options.poll == PollMode::kSpin}));
  return std::unique_ptr<Transport>(new UringTransport(options, std::move(ring), command, command));
}

UringTransport::UringTransport(const TransportOptions& options, UringRing ring, bool wide,
                               bool stamp_command)
    : options_(options),
      ring_(std::move(ring)),
      wide_(wide),
      stamp_command_(stamp_command),
      frames_(options.frames_max),
      chunk_(ChunkOf(options)) {
  flows_.reserve(options.flows_max);
  for (auto* list : {&todo_, &working_, &fresh_, &answered_}) list->reserve(options.flows_max);
  aside_.reserve(64 + 8 * size_t{options.flows_max});
  events_.reserve(2 * size_t{options.frames_max} + 4 * size_t{options.flows_max});
}

UringTransport::~UringTransport() {
  for (uint32_t i = 0; i < flows_.size(); ++i) Close(FlowId(i));
}

absl::StatusOr<FlowId> UringTransport::Connect(const SocketAddress& peer, Nanos timeout) {
  if (flows_.size() == options_.flows_max) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot open another flow to ", ToString(peer),
                                                     ": flows_max is ", options_.flows_max));
  }
  ASSIGN_OR_RETURN(FlowSocket socket, ConnectFlow(peer, timeout, options_));
  const FlowId id = FlowId(flows_.size());
  if (flows_.empty()) flow_facts_ = socket.facts;
  flows_.push_back(MakeFlow(std::move(socket)));
  Begin(id);
  return id;
}

absl::Status UringTransport::Reopen(FlowId id, const SocketAddress& peer, Nanos timeout) {
  ASSIGN_OR_RETURN(FlowSocket socket, ConnectFlow(peer, timeout, options_));
  std::unique_ptr<Flow> made = MakeFlow(std::move(socket));
  made->listed = flow(id).listed;
  past_stamps_.Add(flow(id).stamps.counts());
  flows_[Index(id)] = std::move(made);
  Begin(id);
  return absl::OkStatus();
}

std::unique_ptr<UringTransport::Flow> UringTransport::MakeFlow(FlowSocket socket) const {
  auto made = std::make_unique<Flow>();
  made->fd = std::move(socket.fd);
  made->stamped = socket.stamps;
  if (made->stamped) made->stamps = StampMatcher(std::min(options_.frames_max, 1024u));
  made->fits = static_cast<uint64_t>(std::max(socket.send_buffer_bytes, 0)) / 4;
  made->buffer = std::make_unique_for_overwrite<uint8_t[]>(chunk_);
  return made;
}

void UringTransport::Begin(FlowId id) {
  if (flow(id).stamped) {
    if (stamp_command_) stamp_command_ = TryStampCommand(id);
    if (!stamp_command_) stamp_source_ = "error queue";
  }
  List(id);
}

bool UringTransport::TryStampCommand(FlowId id) {
  PrepareStamps(id);
  EnterAside(0);
  for (const Completion& completion : aside_) {
    const bool ours =
        completion.user_data == (uint64_t{Index(id)} << 8 | static_cast<uint64_t>(Work::kStamps));
    if (ours && completion.result < 0 && (completion.flags & IORING_CQE_F_MORE) == 0) {
      return false;
    }
  }
  stamp_source_ = "io_uring TX_TIMESTAMP command";
  return true;
}

void UringTransport::List(FlowId id) {
  Flow& f = flow(id);
  if (std::exchange(f.listed, true)) return;
  todo_.push_back(id);
}

void UringTransport::Send(FlowId id, const OutgoingFrame& frame) {
  Flow& f = flow(id);
  if (f.state != State::kOpen || f.send_error != 0) return;
  frames_.Push(&f.line, frame);
  if (frame.probe && f.stamped) {
    f.stamps.Expect(static_cast<uint32_t>(f.line.queued - 1), frame.stamps);
    f.wants_stamp = true;
  }
  List(id);
}

void UringTransport::ProbesAnswered(FlowId id) { flow(id).wants_stamp = false; }

std::span<const TransportEvent> UringTransport::Poll(MonoTime deadline) {
  events_.clear();
  answered_.clear();
  if (!aside_.empty()) {
    const MonoTime now = polled_ = MonoNow();
    for (size_t i = 0; i < aside_.size(); ++i) Complete(aside_[i], now);
    aside_.clear();
    // The bytes lie in the flows' buffers: no receive may be armed before they are read.
    if (!events_.empty()) {
      SettleStamps();
      return events_;
    }
  }
  for (bool interrupted = false;;) {
    const Batch batch = Prepare();
    const MonoTime now = MonoNow();
    // A wait that the kernel interrupts goes on, and began when it began.
    if (!interrupted || ring_.unsubmitted() > 0) polled_ = now;
    Submit(batch, now, events_.empty() ? deadline : now);
    interrupted = Reap() == 0 && options_.poll == PollMode::kBlock;
    FindStuck();
    if (!events_.empty() || now >= deadline) break;
  }
  SettleStamps();
  return events_;
}

io_uring_sqe* UringTransport::Entry(FlowId id, Work work) {
  io_uring_sqe* entry = ring_.NextEntry();
  entry->fd = flow(id).fd.get();
  entry->user_data = uint64_t{Index(id)} << 8 | static_cast<uint64_t>(work);
  ++flow(id).in_flight;
  return entry;
}

UringTransport::Batch UringTransport::Prepare() {
  Batch batch;
  std::swap(todo_, working_);
  for (FlowId id : working_) {
    Flow& f = flow(id);
    f.listed = false;
    if (f.state == State::kEnding) PrepareCancel(id);
    if (f.state != State::kOpen) continue;
    if (f.sending == Sending::kNothing && !f.line.empty()) PrepareSend(id, &batch);
    // A receive that is armed would see the stamps in the error queue and spin on them.
    const bool wait_for_drain = f.sending == Sending::kFresh && f.call_probed && !stamp_command_;
    if (wait_for_drain) {
      List(id);
    } else if (f.receiving == Receiving::kNothing) {
      PrepareReceive(id);
    }
    if (f.stamped && stamp_command_ && !f.watching_stamps) PrepareStamps(id);
  }
  working_.clear();
  return batch;
}

void UringTransport::PrepareSend(FlowId id, Batch* batch) {
  Flow& f = flow(id);
  const SendQueue::Call call =
      frames_.Gather(f.line, options_.flush, options_.max_bytes_per_call, f.parts);
  f.send_header = {.msg_iov = f.parts.data(), .msg_iovlen = call.parts};
  f.call_bytes = call.bytes;
  f.call_probed = call.probed && f.stamped;
  if (f.call_probed) AskForSendStamps(&f.send_header, &f.send_control);
  io_uring_sqe* entry = Entry(id, Work::kSend);
  entry->opcode = IORING_OP_SENDMSG;
  entry->addr = reinterpret_cast<uint64_t>(&f.send_header);
  entry->len = 1;
  entry->msg_flags = MSG_NOSIGNAL;
  f.sending = Sending::kFresh;
  fresh_.push_back(id);
  f.sent_since_receive += call.bytes;
  ++batch->sends;
  if (f.call_probed && stamp_command_) batch->stamps += 2;
  if (f.call_probed && !stamp_command_) batch->by_queue = true;
  if (!call.takes_line || f.sent_since_receive > f.fits) batch->together = false;
}

void UringTransport::PrepareReceive(FlowId id) {
  Flow& f = flow(id);
  // An idle flow's next bytes may answer a probe that is not queued yet. While requests are in
  // flight, a receive without a stamp brings the bytes of an earlier one.
  const bool with_stamp = f.stamped && (f.wants_stamp || f.sent_since_receive == 0);
  io_uring_sqe* entry = Entry(id, Work::kReceive);
  entry->ioprio = IORING_RECVSEND_POLL_FIRST;
  if (with_stamp) {
    f.receive_part = {.iov_base = f.buffer.get(), .iov_len = chunk_};
    f.receive_header = {.msg_iov = &f.receive_part, .msg_iovlen = 1};
    AskForReceiveStamp(&f.receive_header, &f.receive_control);
    entry->opcode = IORING_OP_RECVMSG;
    entry->addr = reinterpret_cast<uint64_t>(&f.receive_header);
    entry->len = 1;
  } else {
    entry->opcode = IORING_OP_RECV;
    entry->addr = reinterpret_cast<uint64_t>(f.buffer.get());
    entry->len = static_cast<uint32_t>(chunk_);
  }
  f.receiving = with_stamp ? Receiving::kBytesAndStamp : Receiving::kBytes;
}

void UringTransport::PrepareStamps(FlowId id) {
  io_uring_sqe* entry = Entry(id, Work::kStamps);
  entry->opcode = IORING_OP_URING_CMD;
  entry->cmd_op = kTxTimestampCommand;
  flow(id).watching_stamps = true;
}

void UringTransport::PrepareCancel(FlowId id) {
  Flow& f = flow(id);
  if (f.state != State::kEnding) return;  // it is on its way
  if (f.in_flight == 0) return FinishEnd(id);
  io_uring_sqe* entry = Entry(id, Work::kCancel);
  entry->opcode = IORING_OP_ASYNC_CANCEL;
  entry->cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
  f.state = State::kCancelling;
}

void UringTransport::Submit(const Batch& batch, MonoTime now, MonoTime deadline) {
  for (FlowId id : fresh_) {
    flow(id).submitted = now;
    flow(id).sending = Sending::kSubmitted;
  }
  if (batch.by_queue) {
    ring_.Submit();
    for (FlowId id : fresh_) {
      if (flow(id).call_probed) Drain(&flow(id));
    }
    return;
  }
  if (now >= deadline) return ring_.Enter(0, Nanos(0));
  if (options_.poll == PollMode::kSpin) {
    if (ring_.unsubmitted() > 0) ring_.Enter(0, Nanos(0));
    while (!ring_.HasCompletions()) {
      polled_ = MonoNow();
      if (polled_ >= deadline) break;
      if (ring_.HasKernelWork()) ring_.Enter(0, Nanos(0));
    }
    return;
  }
  if (batch.sends > 0 && batch.together) {
    ring_.Enter(batch.sends + batch.stamps + 1, std::min(deadline - now, kTogether));
  } else {
    ring_.Enter(1, deadline - now);
  }
}

void UringTransport::EnterAside(uint32_t wanted) {
  ring_.Enter(wanted, Seconds(1));
  ring_.Reap([&](const io_uring_cqe& cqe) { aside_.push_back(Take(cqe)); });
}

void UringTransport::Close(FlowId id) {
  Flow& f = flow(id);
  if (f.state == State::kEnded) return;
  f.silent = true;
  if (f.state == State::kOpen) f.state = State::kEnding;
  for (;;) {
    // Completions of this flow count now; those of others wait for the next Poll().
    size_t kept = 0;
    for (const Completion& completion : aside_) {
      if (FlowId(completion.user_data >> 8) == id) {
        Complete(completion, MonoTime());
      } else {
        aside_[kept++] = completion;
      }
    }
    aside_.resize(kept);
    if (f.in_flight == 0) break;
    PrepareCancel(id);
    EnterAside(1);
  }
  FinishEnd(id);
}

TransportCounters UringTransport::counters() const {
  TransportCounters counters = counters_;
  counters.system_calls += ring_.enters();
  counters.waits += ring_.waits();
  StampCounts stamps = past_stamps_;
  for (const auto& f : flows_) stamps.Add(f->stamps.counts());
  counters.stamps_asked = stamps.asked;
  counters.stamps_missing = stamps.missing;
  counters.stamps_abandoned = stamps.abandoned;
  return counters;
}

bool UringTransport::ReadTcp(FlowId id, TcpReading* reading) const {
  const Flow& f = *flows_[Index(id)];
  return f.state == State::kOpen && ReadTcpInfo(f.fd.get(), reading);
}

FactList UringTransport::facts() const {
  FactList facts = {{"transport", "uring"}};
  for (auto& fact : ring_.facts()) facts.push_back(std::move(fact));
  facts.insert(facts.end(), flow_facts_.begin(), flow_facts_.end());
  facts.emplace_back("flush", options_.flush == FlushMode::kBatch ? "batch" : "op");
  facts.emplace_back("poll", options_.poll == PollMode::kBlock ? "block" : "spin");
  facts.emplace_back("receive_chunk_bytes", absl::StrCat(chunk_));
  facts.emplace_back("send_stamps_by", stamp_source_);
  facts.emplace_back("wait", "io_uring_enter, submitting and waiting in one call");
  return facts;
}

}  // namespace kbench
