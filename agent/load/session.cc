#include "agent/load/session.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

constexpr uint32_t kHeadRoom = 256;  // frame header and message of a request, beside its key
// After SERVICE_BUSY. The end of a pause is seen at the pump's next tick.
constexpr Nanos kFirstPause = Millis(1);
constexpr Nanos kLongestPause = Millis(128);

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

// An answer that is none fails its request, whatever else it says.
void TakeFault(kinetic::AnswerFault fault, Completion* completion) {
  using kinetic::AnswerFault;
  completion->text = kinetic::Describe(fault);
  if (fault == AnswerFault::kNoCommand || fault == AnswerFault::kNoStatus) {
    completion->status = kinetic::StatusCode::kInvalid;
  } else if (fault == AnswerFault::kValue) {
    completion->verdict = Verdict::kUnexpectedValue;
  } else {
    completion->verdict = Verdict::kWrongMessageType;
  }
}

}  // namespace

Session::Session(const Options& options, Transport* transport)
    : options_(options),
      transport_(transport),
      slots_(options.depth_max, kHeadRoom + options.requests.keys.size(), options.batch_parts),
      maker_(options.requests),
      reader_(options.requests.key, options.verify),
      credits_(options.depth_max),
      probe_random_(options.sample_seed) {
  // The first distance is drawn as the others are, and runs on over stages: a short stage, or a
  // window's first requests, are probed like any other.
  until_probe_ = NextProbe();
  again_.reserve(options.depth_max);
}

uint32_t Session::NextProbe() {
  if (options_.sample_every == 0) return 0;
  return 1 + static_cast<uint32_t>(probe_random_.Below(2 * options_.sample_every - 1));
}

void Session::Begin(const Stage& stage) {
  stage_ = stage;
  due_ = 0;
  first_started_ = first_intended_ = MonoTime();
  credit_count_ = 0;
  pause_from_ = pause_until_ = MonoTime();
  next_pause_ = kFirstPause;
  next_paced_ = stage.start;
  again_.clear();
  places_ = widest_ = stage.widens ? 1 : stage.depth;
  for (uint32_t i = 0; i < places_; ++i) GiveCredit(stage.start);
}

void Session::Issue(MonoTime now, MonoTime end) {
  if (stage_.arrival == nullptr) {
    if (pause_from_.is_set() && BackingOff()) return;
    while (!closed() && ready_ && credit_count_ > 0 && !slots_.full() &&
           (due_ < stage_.max_ops || !again_.empty()) && now >= stage_.start &&
           credits_[credit_first_] < end &&
           (stage_.pace == Nanos() || credits_[credit_first_] <= now)) {
      const MonoTime intended = credits_[credit_first_];
      credit_first_ = (credit_first_ + 1) % credits_.size();
      --credit_count_;
      if (again_.empty()) {
        ++due_;
        Send(stage_.ops->Next(), intended);
      } else {
        const Op op = again_.back();
        again_.pop_back();
        Send(op, intended);
      }
    }
    return;
  }
  while (due_ < stage_.max_ops && stage_.arrival->next() <= now && stage_.arrival->next() < end) {
    const MonoTime intended = stage_.arrival->next();
    stage_.arrival->Advance();
    ++due_;
    const Op op = stage_.ops->Next();
    if (!closed() && ready_ && slots_.in_flight() < stage_.depth && !slots_.full()) {
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
  // Every n-th request on average, at random distances: a fixed stride could keep step with a
  // period of the workload and see the same kind of request every time.
  if (options_.sample_every > 0 && --until_probe_ == 0) {
    record.probed = true;
    ++probes_in_flight_;
    until_probe_ = NextProbe();
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
    RenewCredits(now);
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

std::optional<uint64_t> Session::KeyOf(const Reply& reply, const Slot& slot) const {
  // A neighbour's value is that of the key that came with it.
  const bool neighbour = slot.kind == OpKind::kNext || slot.kind == OpKind::kPrevious;
  return neighbour ? maker_.keys().WordOf(reply.key) : std::optional<uint64_t>(slot.key);
}

std::optional<uint32_t> Session::ExpectedSize(const Reply& reply, const Slot& slot) const {
  const ValuePool* values = options_.requests.values;
  if (values == nullptr || values->sizes().fixed()) return options_.value_bytes;
  const std::optional<uint64_t> key = KeyOf(reply, slot);
  return key ? std::optional<uint32_t>(values->SizeOf(*key)) : std::nullopt;
}

absl::string_view Session::ValueFault(const Reply& reply, const Slot& slot) {
  const std::optional<uint64_t> key = KeyOf(reply, slot);
  if (!key.has_value()) return "its key is none that kbench wrote";
  const absl::string_view fault = options_.exact
                                      ? options_.requests.values->FaultOf(reader_.value(), *key)
                                      : reader_.value_fault(*key);
  return fault.empty() ? reader_.tag_fault() : fault;
}

Completion Session::Complete(const Reply& reply, kinetic::AnswerFault fault, const Slot& slot) {
  using kinetic::AnswerFault;
  using kinetic::StatusCode;
  // What is wrong with a message of a batch comes before what follows from it.
  if (slot.step_fault != AnswerFault::kNone) fault = slot.step_fault;
  Completion completion = {
      .status = reply.status, .text = reply.text, .response_bytes = reply.size + slot.step_bytes};
  const bool success = reply.status == StatusCode::kSuccess;
  const bool expected = reply.status == ExpectedStatus(slot.kind);
  if (fault != AnswerFault::kNone) {
    TakeFault(fault, &completion);
  } else if (slot.step_status != StatusCode::kSuccess) {
    // Why the batch failed; what is said to its end follows from it.
    completion.status = slot.step_status;
    completion.text = "said to a message of the batch before its end";
  } else if ((!reply.authentic && (success || expected)) || slot.step_forged) {
    completion.verdict = Verdict::kWrongHmac;
  } else if (success && !expected) {
    completion.verdict = Verdict::kUnexpectedHit;
  } else if (expected && ReadsValue(slot.kind) && reply.value_size != ExpectedSize(reply, slot)) {
    completion.verdict = Verdict::kWrongValueLength;
  } else if (expected && ReadsValue(slot.kind) && options_.verify) {
    const absl::string_view wrong = ValueFault(reply, slot);
    completion.untagged = !reader_.tag_known();
    if (!wrong.empty()) {
      completion.verdict = Verdict::kWrongValue;
      completion.text = wrong;
    }
  }
  completion.good =
      completion.status == ExpectedStatus(slot.kind) && completion.verdict == Verdict::kByStatus;
  return completion;
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
  const Completion completion = Complete(reply, fault, *slot);
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
  GiveCredit(record.decoded);
  if (stage_.widens) Widen(record, completion);
  const bool busy = completion.status == kinetic::StatusCode::kServiceBusy;
  if (busy && completion.verdict == Verdict::kByStatus) {
    BackOff(record.decoded);
    if (stage_.arrival == nullptr && record.decoded < stage_.again_until) {
      again_.push_back({.index = record.op, .kind = slot->kind, .key = slot->key_number});
      ++findings_.sent_again;
      return;
    }
  } else if (!pause_from_.is_set()) {
    next_pause_ = kFirstPause;
  }
  stage_.recorder->Answered(record, completion, slot->measured);
}

void Session::Lose(Slot* slot, LostWhy why, absl::string_view text, MonoTime now) {
  Land(slot);
  slot->record.outcome = OpOutcome::kLost;
  if (slot->record.probed) ++lingering_probes_;
  late_expected_ += slot->answers_owed;
  GiveCredit(now);
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
  if (pause_from_.is_set()) EndPause(options_.now());
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

void Session::GiveCredit(MonoTime when) {
  if (stage_.arrival != nullptr || credit_count_ == stage_.depth) return;
  if (stage_.pace > Nanos()) {
    when = std::max(when, next_paced_);
    next_paced_ = when + stage_.pace;
  }
  credits_[(credit_first_ + credit_count_) % credits_.size()] = when;
  ++credit_count_;
}

void Session::Widen(const OpRecord& record, const Completion& completion) {
  const bool quick = record.decoded - record.started < options_.op_timeout / 8;
  if (completion.good && quick && places_ < stage_.depth) {
    ++places_;
    widest_ = std::max(widest_, places_);
    GiveCredit(record.decoded);
  } else if (!(completion.good && quick) && places_ > 1) {
    --places_;
    --credit_count_;  // the youngest: that of the place which this answer freed
  }
}

void Session::BackOff(MonoTime now) {
  // Requests that were on their way when the pause began say nothing new.
  if (stage_.arrival != nullptr || pause_from_.is_set()) return;
  pause_from_ = now;
  pause_until_ = now + next_pause_;
  next_pause_ = std::min(next_pause_ * 2, kLongestPause);
  ++findings_.backoffs;
}

bool Session::BackingOff() {
  const MonoTime now = options_.now();
  if (now < pause_until_) return true;
  EndPause(now);
  RenewCredits(now);
  return false;
}

void Session::RenewCredits(MonoTime now) {
  for (size_t i = 0; i < credit_count_; ++i) {
    credits_[(credit_first_ + i) % credits_.size()] = now;
  }
}

void Session::EndPause(MonoTime now) {
  findings_.backed_off += now - pause_from_;
  pause_from_ = MonoTime();
}

}  // namespace kbench
