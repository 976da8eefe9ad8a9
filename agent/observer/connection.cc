#include "agent/observer/connection.h"

#include <utility>

namespace kbench::observer {
namespace {

constexpr size_t kRingLeast = 16;
// An interface that showed nothing for so long has lost its pin to one that shows something.
constexpr Nanos kPinAge = Seconds(1);

void SetIf(bool condition, WireRecord::Flags flag, WireRecord* record) {
  if (condition) record->flags |= flag;
}

// Lengths above 4 GiB do not pass the reader.
uint32_t SizeOf(const Pdu& pdu) { return static_cast<uint32_t>(pdu.end - pdu.begin); }

}  // namespace

Connection::Connection(Ledger* ledger, uint16_t client_port)
    : ledger_(ledger),
      client_port_(client_port),
      requests_(Side::kRequests, this, &ledger->totals),
      answers_(Side::kAnswers, this, &ledger->totals),
      ring_(kRingLeast) {}

bool Connection::TakesFrom(Side side, int interface, RealTime stamp) {
  Pin& pin = pins_[static_cast<size_t>(side)];
  if (interface != pin.interface) {
    if (pin.interface != 0 && stamp - pin.latest < kPinAge) return false;
    pin.interface = interface;
  }
  pin.latest = stamp;
  return true;
}

void Connection::StartAnew() {
  GiveUpAll();
  requests_.Reset();
  answers_.Reset();
  connection_id_ = 0;
  before_last_ = RealTime();
  ended_ = false;
  ++ledger_->counters.flows;
}

void Connection::OnSyn(Side side, const TcpSegment& segment) {
  if (side == Side::kRequests) {
    if (requests_.BeganWith(segment.sequence)) return;  // sent again
    StartAnew();
    requests_.Begin(segment.sequence);
    return;
  }
  if (answers_.BeganWith(segment.sequence)) return;
  if (!requests_.BeganWith(segment.acknowledged - 1)) {  // its SYN was not seen
    StartAnew();
    requests_.Begin(segment.acknowledged - 1);
  }
  answers_.Begin(segment.sequence);
}

void Connection::Take(Side side, const TcpSegment& segment, RealTime stamp) {
  latest_ = std::max(latest_, stamp);
  Stream& own = side == Side::kRequests ? requests_ : answers_;
  Stream& other = side == Side::kRequests ? answers_ : requests_;
  if ((segment.flags & TcpSegment::kRst) != 0) {
    GiveUpAll();
    ended_ = true;
    return;
  }
  TcpSegment data = segment;
  if ((segment.flags & TcpSegment::kSyn) != 0) {
    OnSyn(side, segment);
    ++data.sequence;  // the SYN has a number of its own
  } else if (!requests_.started() && !answers_.started()) {
    StartAnew();  // it began before the observation
  }
  if ((segment.flags & TcpSegment::kAck) != 0) other.Acknowledged(segment.acknowledged);
  own.Take(data, stamp);
  if (!ended_ && requests_.finished() && answers_.finished()) {
    GiveUpAll();
    ended_ = true;
  }
}

void Connection::OnHead(Side side, Pdu* pdu) {
  if (side == Side::kRequests) {
    OnRequest(pdu);
  } else {
    OnAnswer(pdu);
  }
}

void Connection::OnRequest(Pdu* pdu) {
  if (!pdu->head.has_header || !kinetic::IsRequest(pdu->head.type)) return;
  Waiting one = {.sequence = pdu->head.sequence,
                 .record = ledger_->NewRecord(),
                 .in_batch = pdu->head.answered_with_its_batch()};
  pdu->tag = one.record;
  if (WireRecord* record = ledger_->record(one.record); record != nullptr) {
    record->connection_id = pdu->head.connection_id.value_or(connection_id_);
    record->sequence = one.sequence;
    record->request_first = pdu->first;
    record->request_bytes = SizeOf(*pdu);
    record->client_port = client_port_;
    record->type = static_cast<uint8_t>(pdu->head.type);
    SetIf(one.in_batch, WireRecord::kInBatch, record);
  }
  Push(one);
}

void Connection::Push(const Waiting& one) {
  if (tail_ - head_ == kWaitingMax) GiveUp(waiting_at(head_++));
  if (tail_ - head_ == ring_.size()) {
    std::vector<Waiting> larger(ring_.size() * 2);
    for (uint64_t i = head_; i < tail_; ++i) larger[i & (larger.size() - 1)] = waiting_at(i);
    ring_ = std::move(larger);
  }
  waiting_at(tail_++) = one;
}

void Connection::OnAnswer(Pdu* pdu) {
  if (pdu->head.unsolicited()) {
    connection_id_ = pdu->head.connection_id.value_or(connection_id_);
    return;
  }
  uint64_t position = head_;
  while (position < tail_ && (!pdu->head.ack_sequence.has_value() ||
                              waiting_at(position).sequence != *pdu->head.ack_sequence ||
                              waiting_at(position).answered)) {
    ++position;
  }
  if (position == tail_) {
    ++ledger_->counters.unmatched_answers;
    return;
  }
  Waiting& one = waiting_at(position);
  one.answered = true;
  pdu->tag = one.record;
  ++ledger_->counters.answered;
  if (one.request_last.is_set()) ledger_->Departed(one.request_last, pdu->first);
  if (WireRecord* record = ledger_->record(one.record); record != nullptr) {
    record->response_first = pdu->first;
    record->response_bytes = SizeOf(*pdu);
    if (pdu->head.status.has_value()) record->status = static_cast<int8_t>(*pdu->head.status);
    SetIf(pdu->first_shared, WireRecord::kSharedPacket, record);
  }
  for (; head_ < tail_; ++head_) {
    const Waiting& oldest = waiting_at(head_);
    const bool passed = head_ < position && (oldest.in_batch || oldest.doubtful);
    if (!oldest.answered && !passed) break;
    if (!oldest.answered) GiveUp(oldest);
  }
}

void Connection::OnEnd(Side side, const Pdu& pdu) {
  WireRecord* record = ledger_->record(pdu.tag);
  if (side == Side::kAnswers) {
    if (record == nullptr) return;
    record->response_last = pdu.last;
    record->response_last_again = pdu.last_again;
    SetIf(pdu.seen_twice, WireRecord::kResponseSeenTwice, record);
    SetIf(pdu.reordered, WireRecord::kReordered, record);
    return;
  }
  if (!pdu.head.has_header || !kinetic::IsRequest(pdu.head.type)) return;
  if (pdu.last.is_set()) ++ledger_->counters.requests;
  // It is the newest, unless it was answered before it had ended.
  if (head_ < tail_ && waiting_at(tail_ - 1).record == pdu.tag &&
      waiting_at(tail_ - 1).sequence == pdu.head.sequence) {
    waiting_at(tail_ - 1).request_last = pdu.last;
  }
  if (pdu.head.answered_with_its_batch()) ++ledger_->counters.in_batches;
  if (record != nullptr) {
    record->request_last = pdu.last;
    record->request_last_again = pdu.last_again;
    record->before_last = before_last_;
    SetIf(pdu.seen_twice, WireRecord::kRequestSeenTwice, record);
    SetIf(pdu.reordered, WireRecord::kReordered, record);
    SetIf(pdu.last_shared, WireRecord::kSharedPacket, record);
  }
  before_last_ = pdu.last;
}

void Connection::OnAgain(Side side, uint32_t tag, bool last_byte, RealTime stamp) {
  WireRecord* record = ledger_->record(tag);
  if (record == nullptr) return;
  if (side == Side::kRequests) {
    record->flags |= WireRecord::kRequestSeenTwice;
    if (last_byte) record->request_last_again = stamp;
  } else {
    record->flags |= WireRecord::kResponseSeenTwice;
    if (last_byte) record->response_last_again = stamp;
  }
}

void Connection::OnLost(Side side) {
  if (side == Side::kRequests) return;
  for (uint64_t i = head_; i < tail_; ++i) waiting_at(i).doubtful = true;
}

void Connection::OnFound(Side) { ++ledger_->counters.resynchronized; }

void Connection::GiveUp(const Waiting& one) {
  if (one.answered) return;
  if (one.in_batch) {
    ledger_->Gone(one.record, one.request_last);
  } else {
    ++ledger_->counters.unanswered;
    ledger_->Gone(one.record, latest_);
  }
}

void Connection::GiveUpAll() {
  for (; head_ < tail_; ++head_) GiveUp(waiting_at(head_));
}

void Connection::Conclude() {
  requests_.Conclude();
  answers_.Conclude();
  for (; head_ < tail_; ++head_) {
    if (waiting_at(head_).in_batch) GiveUp(waiting_at(head_));
  }
}

}  // namespace kbench::observer
