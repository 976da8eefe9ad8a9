#include "server/outbox.h"

#include <algorithm>
#include <utility>

namespace kbench::server {
namespace {

constexpr size_t kCompactAbove = 64 * 1024;
constexpr size_t kKeptCapacity = 256 * 1024;

// One iovec for neighbouring bytes. False: `out` is full.
bool AddBytes(const char* data, size_t size, std::span<iovec> out, int* used) {
  if (size == 0) return true;
  if (*used > 0) {
    iovec& last = out[*used - 1];
    if (static_cast<const char*>(last.iov_base) + last.iov_len == data) {
      last.iov_len += size;
      return true;
    }
  }
  if (static_cast<size_t>(*used) == out.size()) return false;
  out[(*used)++] = {.iov_base = const_cast<char*>(data), .iov_len = size};
  return true;
}

}  // namespace

Outbox::Kind Outbox::KindOf(kinetic::MessageType type) {
  switch (type) {
    case kinetic::MessageType::kPut:
    case kinetic::MessageType::kDelete:
    case kinetic::MessageType::kFlushAllData:
    case kinetic::MessageType::kEndBatch:
      return Kind::kWrite;
    case kinetic::MessageType::kGet:
    case kinetic::MessageType::kGetNext:
    case kinetic::MessageType::kGetPrevious:
    case kinetic::MessageType::kGetVersion:
    case kinetic::MessageType::kGetKeyRange:
      return Kind::kRead;
    default:
      return Kind::kOther;
  }
}

void Outbox::Seal(Payload payload, std::optional<uint64_t> sequence, Kind kind) {
  Answer& answer = answers_.emplace_back();
  last_is_parked_ = false;
  answer.head_size = bytes_.size() - sealed_;
  answer.payload = std::move(payload);
  answer.sequence = sequence;
  answer.kind = kind;
  ++unanswered_[static_cast<size_t>(kind)];
  sealed_ = bytes_.size();
  unsent_ += answer.size();
}

void Outbox::SetReceived(RealTime received, uint32_t flags) {
  last().received = received;
  last().flags = flags;
}

void Outbox::CountLatency(kinetic::MessageType request, OpCounters* counters) {
  last().request = request;
  last().counters = counters;
}

void Outbox::Park(Nanos hold) {
  Parked& parked = parked_.emplace_back();
  parked.answer = std::move(answers_.back());
  answers_.pop_back();
  sealed_ -= parked.answer.head_size;
  parked.head = bytes_.substr(sealed_);
  bytes_.resize(sealed_);
  parked.hold = hold;
  parked.due = MonoNow() + hold;
  last_is_parked_ = true;
}

void Outbox::Unpark(Parked* parked) {
  bytes_ += parked->head;
  sealed_ = bytes_.size();
  answers_.push_back(std::move(parked->answer));
  last_is_parked_ = false;
}

void Outbox::Ripen(MonoTime now) {
  size_t kept = 0;
  for (size_t i = 0; i < parked_.size(); ++i) {
    if (parked_[i].due <= now) {
      Unpark(&parked_[i]);
    } else if (kept++ != i) {
      parked_[kept - 1] = std::move(parked_[i]);
    }
  }
  parked_.resize(kept);
}

void Outbox::ReleaseParked() {
  for (Parked& parked : parked_) Unpark(&parked);
  parked_.clear();
}

void Outbox::HoldUntil(MonoTime due) {
  if (last_is_parked_) {
    parked_.back().due = due + parked_.back().hold;
    return;
  }
  held_ += !answers_.back().due.is_set();
  answers_.back().due = due;
}

MonoTime Outbox::next_due() const {
  const bool any = front_ < answers_.size();
  if (any && (front_sent_ > 0 || !answers_[front_].due.is_set())) return MonoTime();
  MonoTime next = any ? answers_[front_].due : MonoTime();
  for (const Parked& parked : parked_) {
    if (!next.is_set() || parked.due < next) next = parked.due;
  }
  return next;
}

int Outbox::Gather(MonoTime now, size_t max_bytes, std::span<iovec> out) const {
  int used = 0;
  size_t listed = 0;
  size_t skip = front_sent_;
  const char* head = bytes_.data() + front_byte_;
  for (size_t i = front_; i < answers_.size() && listed < max_bytes; ++i) {
    const Answer& answer = answers_[i];
    if (skip == 0 && answer.due > now) break;  // what has begun is not held any more
    const size_t head_skip = std::min(skip, answer.head_size);
    const size_t payload_skip = skip - head_skip;
    if (!AddBytes(head + head_skip, answer.head_size - head_skip, out, &used)) break;
    const Bytes payload = answer.payload.bytes.subspan(payload_skip);
    if (!AddBytes(AsText(payload).data(), payload.size(), out, &used)) break;
    listed += answer.size() - skip;
    head += answer.head_size;
    skip = 0;
  }
  return used;
}

void Outbox::Sent(size_t n, RealTime at, ResidenceRing* ring) {
  unsent_ -= n;
  while (n > 0) {
    Answer& answer = answers_[front_];
    if (front_sent_ == 0 && answer.counters != nullptr) {
      answer.counters->AddLatency(answer.request, at - answer.received);
    }
    if (front_sent_ == 0 && answer.sequence.has_value()) {
      ring->Record({.sequence = *answer.sequence,
                    .received = ServerTime(answer.received.ns()),
                    .sent = ServerTime(at.ns()),
                    .flags = answer.flags});
    }
    const size_t part = std::min(n, answer.size() - front_sent_);
    n -= part;
    front_sent_ += part;
    if (front_sent_ < answer.size()) return;
    --unanswered_[static_cast<size_t>(answer.kind)];
    held_ -= answer.due.is_set();
    front_byte_ += answer.head_size;
    front_sent_ = 0;
    answer.payload = {};
    ++front_;
  }
  DropSent();
}

void Outbox::DropSent() {
  if (front_ == answers_.size()) {
    answers_.clear();
    bytes_.clear();
    front_ = front_byte_ = sealed_ = 0;
    if (bytes_.capacity() > kKeptCapacity) bytes_.shrink_to_fit();
    if (answers_.capacity() * sizeof(Answer) > kKeptCapacity) answers_.shrink_to_fit();
    return;
  }
  if (front_byte_ > kCompactAbove && front_byte_ > bytes_.size() / 2) {
    bytes_.erase(0, front_byte_);
    sealed_ -= front_byte_;
    front_byte_ = 0;
  }
  if (front_ > kCompactAbove / sizeof(Answer) && front_ > answers_.size() / 2) {
    answers_.erase(answers_.begin(), answers_.begin() + static_cast<std::ptrdiff_t>(front_));
    front_ = 0;
  }
}

}  // namespace kbench::server
