#include "agent/load/session.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

constexpr uint32_t kHeadRoom = 256;  // frame header and message of a request, beside its key

// Real time, in a simulation as well: it is the CPU that is to be busy.
void Burn(Nanos duration) {
  if (duration == Nanos()) return;
  const MonoTime until = MonoNow() + duration;
  while (MonoNow() < until) continue;
}

// The transport stamps the frames of a batch one by one, the last one into the record.
void BeginAtFirstFrame(Slot* slot) {
  if (slot->kind != OpKind::kBatch) return;
  const SendStamps& first = slot->parts[0].stamps;
  slot->record.send.submitted = first.submitted;
  slot->record.send.full_from = first.full_from;
  slot->record.send.full_until = first.full_until;
}

}  // namespace

Session::Session(const Options& options, Transport* transport)
    : options_(options),
      transport_(transport),
      slots_(options.depth_max, kHeadRoom + options.requests.keys.size(), options.batch_parts),
      maker_(options.requests),
      reader_(options.requests.key, options.verify),
      judge_({.verify = options.verify,
              .exact = options.exact,
              .value_bytes = options.value_bytes,
              .values = options.requests.values},
             &maker_.keys(), &reader_),
      places_(options.depth_max),
      probes_(options.sample_every, options.sample_seed) {
  again_.reserve(options.depth_max);
}

void Session::Begin(const Stage& stage) {
  stage_ = stage;
  due_ = 0;
  first_started_ = first_intended_ = MonoTime();
  again_.clear();
  places_.Begin({.depth = stage.arrival == nullptr ? stage.depth : 0,
                 .start = stage.start,
                 .pace = stage.pace,
                 .widens = stage.widens,
                 .quick = options_.op_timeout / 8});
}

void Session::IssueClosed(MonoTime now, MonoTime end) {
  if (places_.pausing()) {
    // `now` may be the stage's start (IssueFreed), or the beginning of the pump's turn.
    const MonoTime clock = options_.now();
    if (!places_.PauseIsOver(clock)) return;
    findings_.backed_off += places_.EndPause(clock);
    places_.Renew(clock);
  }
  while (CanSend() && places_.Ready(now, end)) {
    if (!again_.empty()) {
      const Op op = again_.back();
      again_.pop_back();
      Send(op, places_.Take());
    } else if (due_ < stage_.max_ops) {
      ++due_;
      Send(stage_.ops->Next(), places_.Take());
    } else {
      return;
    }
  }
}

void Session::IssueOpen(MonoTime now, MonoTime end) {
  while (due_ < stage_.max_ops && stage_.arrival->next() <= now && stage_.arrival->next() < end) {
    const MonoTime intended = stage_.arrival->next();
    stage_.arrival->Advance();
    ++due_;
    const Op op = stage_.ops->Next();
    if (CanSend() && slots_.in_flight() < stage_.depth) {
      Send(op, intended);
    } else if (intended >= stage_.measure_from) {
      stage_.recorder->Unsent(op.index);
    }
  }
}

void Session::Send(const Op& op, MonoTime intended) {
  const bool alone = slots_.in_flight() == 0 && late_expected_ == 0;
  Slot* slot = slots_.Take();
  OpRecord& record = slot->record;
  slot->kind = op.kind;
  slot->key_number = op.key;
  slot->measured = intended >= stage_.measure_from;
  record.op = op.index;
  record.connection_id = connection_id_;
  record.intended = intended;
  record.started = options_.now();
  if (!first_started_.is_set()) {
    first_started_ = record.started;
    first_intended_ = intended;
  }
  if (alone) record.flags |= kNothingOutstanding;
  if (probes_.Next()) {
    record.probed = true;
    ++probes_in_flight_;
  }
  if (HasKey(op.kind)) slot->key = maker_.WordOf(op);
  if (op.kind == OpKind::kBatch) return SendBatch(op, slot);
  const Bytes value = maker_.Make(op, record.sequence, &slot->head);
  Burn(stage_.encode_burn);
  record.encoded = options_.now();
  if (slot->measured) stage_.recorder->Sent(op.index, slot->head.size() + value.size());
  Hand(AsBytes(slot->head), value, slot, &record.send, record.probed);
}

void Session::Hand(Bytes head, Bytes value, Slot* slot, SendStamps* stamps, bool probe) {
  transport_->Send(
      options_.flow,
      {.head = head, .value = value, .token = slot->number, .probe = probe, .stamps = stamps});
}

// Its record is that of its last message, but submitted with its first.
void Session::SendBatch(const Op& op, Slot* slot) {
  OpRecord& record = slot->record;
  const uint32_t puts = maker_.batch_ops();
  slots_.Extend(slot, puts + 1);
  slot->unsent_frames = puts + 1;
  slot->answers_owed = 2;
  const uint32_t id = slot->number + 1;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < puts; ++i) {
    BatchPart& part = slot->parts[i];
    part.stamps = SendStamps{};
    const Bytes value = maker_.MakeBatchPut(op, i, id, slots_.SequenceOf(*slot, 0),
                                            slots_.SequenceOf(*slot, i + 1), &part.head);
    bytes += part.head.size() + value.size();
    Hand(AsBytes(part.head), value, slot, &part.stamps, false);
  }
  maker_.MakeBatchEnd(id, record.sequence, &slot->head);
  Burn(stage_.encode_burn);
  record.encoded = options_.now();
  if (slot->measured) stage_.recorder->Sent(op.index, bytes + slot->head.size());
  Hand(AsBytes(slot->head), {}, slot, &record.send, record.probed);
}

void Session::Take(const TransportEvent& event) {
  if (closed()) return;
  switch (event.kind) {
    case TransportEvent::Kind::kSent: {
      Slot* slot = slots_.at(event.token);
      if (--slot->unsent_frames > 0) return;
      slot->sent = true;
      if (slot->state == Slot::State::kOver) Release(slot);
      return;
    }
    case TransportEvent::Kind::kReceived:
      TakeBytes(event);
      return;
    case TransportEvent::Kind::kClosed:
      Close(event.error == 0 ? std::string("the server closed the connection")
                             : absl::StrCat("connection lost: ", std::strerror(event.error)));
      return;
  }
}

void Session::TakeBytes(const TransportEvent& event) {
  if (lingering_probes_ > 0) SettleLingering();
  // Whether a receive stamp is an answer's own is known only when the next one has been looked
  // for, so each answer is released after that.
  Slot* held = nullptr;
  const auto release = [this](Slot* slot) {
    slot->settled = slot->sent;
    if (slot->record.probed && !slot->settled) ++lingering_probes_;
    Release(slot);
  };
  Bytes bytes = event.bytes;
  bool shared = false;  // the next answer's receive stamp, with a message of a batch
  while (true) {
    const absl::StatusOr<const Reply*> next = reader_.Next(&bytes);
    if (!next.ok()) {
      if (held != nullptr) release(held);
      transport_->Close(options_.flow);
      Close(absl::StrCat("the server sent what is no Kinetic PDU: ", next.status().message()));
      return;
    }
    const Reply* reply = *next;
    if (reply == nullptr) break;
    if (reply->unsolicited) {
      TakeUnsolicited(*reply);
      // Some refusals come unsigned, as a status, but say whose request they refuse.
      if (!reply->ack_sequence.has_value() || (slots_.Find(*reply->ack_sequence) == nullptr &&
                                               slots_.FindBatch(*reply->ack_sequence) == nullptr)) {
        continue;
      }
    }
    if (TakeBatchStep(*reply)) {
      // Its bytes are a neighbour in the stream like those of any other answer.
      shared = true;
      if (held != nullptr) {
        held->record.flags |= kSharedReceiveStamp;
        release(std::exchange(held, nullptr));
      }
      continue;
    }
    Slot* slot = Match(*reply);
    if (slot == nullptr) continue;
    if (said_last_ && !reply->unsolicited && slot->record.started > said_at_) said_last_ = false;
    Judge(*reply, event, slot);
    if (std::exchange(shared, false)) slot->record.flags |= kSharedReceiveStamp;
    if (held != nullptr) {
      held->record.flags |= kSharedReceiveStamp;
      slot->record.flags |= kSharedReceiveStamp;
      release(held);
    }
    held = slot;
  }
  if (held == nullptr) return;
  // The stamp is of the last packet: with a part of the next answer behind it, not of this one.
  if (!reader_.at_boundary()) held->record.flags |= kSharedReceiveStamp;
  release(held);
}

void Session::TakeUnsolicited(const Reply& reply) {
  const bool welcome = reply.status == kinetic::StatusCode::kSuccess;
  if (!ready_ && welcome) {
    connection_id_ = reply.connection_id;
    if (reply.limits != nullptr) limits_ = *reply.limits;
    greeted_cluster_version_ = reply.cluster_version.value_or(0);
    maker_.set_flow(
        {.connection_id = reply.connection_id, .cluster_version = greeted_cluster_version_});
    ready_ = true;
    if (!lost_at_.is_set()) return;
    const MonoTime now = options_.now();
    ++findings_.reopened;
    findings_.down += now - std::exchange(lost_at_, MonoTime());
    places_.Renew(now);
    return;
  }
  said_last_ = !welcome;
  said_at_ = options_.now();
  ++findings_.unsolicited;
  findings_.unsolicited_status = reply.status;
  findings_.unsolicited_text =
      absl::StrCat(kinetic::Name(reply.status), reply.text.empty() ? "" : ": ", reply.text);
}

bool Session::IsFarewell() const {
  using kinetic::StatusCode;
  return findings_.unsolicited_status == StatusCode::kShutdown ||
         findings_.unsolicited_status == StatusCode::kHibernate;
}

Slot* Session::Match(const Reply& reply) {
  if (!reply.ack_sequence.has_value()) {
    // Some servers leave it out of refusals. With one request unanswered there is no doubt.
    if (slots_.in_flight() == 1) return slots_.oldest();
    NoteUnmatched(reply);
    return nullptr;
  }
  Slot* slot = slots_.Find(*reply.ack_sequence);
  if (slot != nullptr) return slot;
  if (late_expected_ > 0 && slots_.WasIssued(*reply.ack_sequence)) {
    --late_expected_;
    ++findings_.late_answers;
  } else {
    NoteUnmatched(reply);
  }
  return nullptr;
}

// The texts are made for the first of its kind alone: they allocate.
void Session::NoteUnmatched(const Reply& reply) {
  if (findings_.protocol_errors++ > 0) return;
  findings_.protocol_error_text =
      reply.ack_sequence.has_value()
          ? absl::StrCat("an answer to sequence ", *reply.ack_sequence, ", which nobody waits for")
          : absl::StrCat("an answer without ackSequence while ", slots_.in_flight(),
                         " requests were unanswered");
}

void Session::NoteFault(const Reply& reply, kinetic::AnswerFault fault,
                        kinetic::MessageType request) {
  if (fault == kinetic::AnswerFault::kNoCommand) ++findings_.commandless;
  if (!kinetic::IsProtocolError(fault) || findings_.protocol_errors++ > 0) return;
  findings_.protocol_error_text =
      absl::StrCat(kinetic::Describe(fault), ": ",
                   reply.head.type.has_value() ? kinetic::Name(*reply.head.type) : "none", " to ",
                   kinetic::Name(request), ", with the status ", kinetic::Name(reply.status));
}

bool Session::TakeBatchStep(const Reply& reply) {
  if (options_.batch_parts == 0 || !reply.ack_sequence.has_value()) return false;
  Slot* slot = slots_.FindBatch(*reply.ack_sequence);
  if (slot == nullptr) return false;
  const kinetic::MessageType request = *reply.ack_sequence == slot->first_sequence
                                           ? kinetic::MessageType::kStartBatch
                                           : kinetic::MessageType::kPut;
  const kinetic::AnswerFault fault = kinetic::FaultOf(reply.head, request);
  NoteFault(reply, fault, request);
  if (slot->step_fault == kinetic::AnswerFault::kNone) slot->step_fault = fault;
  const bool good = reply.status == kinetic::StatusCode::kSuccess;
  if (!good && slot->step_status == kinetic::StatusCode::kSuccess) slot->step_status = reply.status;
  if (good && !reply.authentic) slot->step_forged = true;
  if (slot->answers_owed > 1) --slot->answers_owed;
  slot->step_bytes += reply.size;
  return true;
}

void Session::Land(Slot* slot) {
  slots_.Land(slot);
  if (slot->record.probed && --probes_in_flight_ == 0) transport_->ProbesAnswered(options_.flow);
}

void Session::Judge(const Reply& reply, const TransportEvent& event, Slot* slot) {
  OpRecord& record = slot->record;
  const kinetic::MessageType request = MessageTypeOf(slot->kind);
  const kinetic::AnswerFault fault =
      kinetic::FaultOf(reply.head, request, ExpectedStatus(slot->kind));
  NoteFault(reply, fault, request);
  if (reply.status == kinetic::StatusCode::kVersionFailure) {
    findings_.cluster_version = reply.cluster_version;
  }
  const Completion completion = judge_.Judge(reply, fault, *slot);
  record.outcome = completion.good ? OpOutcome::kAnswered : OpOutcome::kFailed;
  BeginAtFirstFrame(slot);
  record.polled = event.polled;
  record.woke = event.woke;
  record.received = event.received;
  record.kernel_received = event.kernel_received;
  if (event.kernel_received.is_set() && event.kernel_received == last_kernel_received_) {
    record.flags |= kSharedReceiveStamp;
  }
  last_kernel_received_ = event.kernel_received;
  Burn(stage_.decode_burn);
  record.decoded = options_.now();
  Land(slot);
  places_.GiveBack(record.decoded);
  places_.Widen(completion.good, record.started, record.decoded);
  if (IsToBeSentAgain(*slot, completion)) return;
  stage_.recorder->Answered(record, completion, slot->measured);
}

bool Session::IsToBeSentAgain(const Slot& slot, const Completion& completion) {
  if (completion.status != kinetic::StatusCode::kServiceBusy ||
      completion.verdict != Verdict::kByStatus) {
    places_.NotBusy();
    return false;
  }
  const OpRecord& record = slot.record;
  if (places_.BackOff(record.decoded)) ++findings_.backoffs;
  if (stage_.arrival != nullptr || record.decoded >= stage_.again_until) return false;
  again_.push_back({.index = record.op, .kind = slot.kind, .key = slot.key_number});
  ++findings_.sent_again;
  return true;
}

void Session::Lose(Slot* slot, LostWhy why, absl::string_view text, MonoTime now) {
  Land(slot);
  slot->record.outcome = OpOutcome::kLost;
  if (slot->record.probed) ++lingering_probes_;
  late_expected_ += slot->answers_owed;
  places_.GiveBack(now);
  if (slot->measured) stage_.recorder->Lost(slot->record, now, why, text);
}

void Session::Release(Slot* slot) {
  if (!slot->sent || (slot->record.probed && !slot->settled)) return;
  if (slot->record.probed && slot->measured) KeepSample(slot);
  slots_.Free(slot);
}

void Session::KeepSample(Slot* slot) {
  BeginAtFirstFrame(slot);
  slot->record.flags |= slot->record.send.flags;
  stage_.recorder->Sample(slot->record);
}

void Session::SettleLingering() {
  for (Slot& slot : slots_.all()) {
    if (slot.state != Slot::State::kOver || !slot.record.probed || !slot.sent) continue;
    --lingering_probes_;
    slot.settled = true;
    Release(&slot);
  }
}

void Session::Expire(MonoTime now) {
  while (slots_.oldest() != nullptr &&
         now - slots_.oldest()->record.started >= options_.op_timeout) {
    Slot* slot = slots_.oldest();
    Lose(slot, slot->sent ? LostWhy::kUnanswered : LostWhy::kNotSent,
         slot->sent ? "no answer within the operation's time-out; the request had left this host's "
                      "client: the network or the server is late"
                    : "not sent within the operation's time-out: the client, or a connection that "
                      "takes no more, is late",
         now);
    Release(slot);
  }
}

void Session::Reopened() {
  closed_.clear();
  ready_ = false;
  reader_.Reset();
  late_expected_ = 0;
  said_before_ = findings_.unsolicited;
  said_last_ = false;
  last_kernel_received_ = RealTime();
}

void Session::Finish() {
  if (lost_at_.is_set()) findings_.down += options_.now() - lost_at_;
  if (places_.pausing()) findings_.backed_off += places_.EndPause(options_.now());
  while (slots_.oldest() != nullptr) {
    Lose(slots_.oldest(), LostWhy::kRunEnded, "unanswered when the run ended", options_.now());
  }
  for (Slot& slot : slots_.all()) {
    if (slot.state == Slot::State::kOver && slot.record.probed && slot.measured) {
      KeepSample(&slot);
    }
    slot.measured = false;  // what still comes belongs to no stage
  }
}

void Session::Close(std::string why) {
  if (!lost_at_.is_set()) {
    lost_at_ = options_.now();
    ++findings_.losses;
  }
  closed_ = std::move(why);
  if (findings_.unsolicited > said_before_) {
    absl::StrAppend(&closed_, "; it had said ", findings_.unsolicited_text);
  }
  while (slots_.oldest() != nullptr) {
    Lose(slots_.oldest(), LostWhy::kConnection, closed_, options_.now());
  }
  for (Slot& slot : slots_.all()) {
    if (slot.state != Slot::State::kOver) continue;
    slot.sent = slot.settled = true;
    Release(&slot);
  }
  lingering_probes_ = 0;
}

MonoTime Session::NextDue(MonoTime end) const {
  if (stage_.arrival == nullptr) return kNever;
  const bool none_left = due_ >= stage_.max_ops;
  return none_left || stage_.arrival->next() >= end ? kNever : stage_.arrival->next();
}

bool Session::Done(MonoTime now, MonoTime end) const {
  if (slots_.in_flight() > 0) return false;
  if (due_ >= stage_.max_ops && again_.empty()) return true;
  if (stage_.arrival == nullptr && closed() && !stage_.reopens) return true;
  return now >= end && NextDue(end) == kNever;
}

}  // namespace kbench
