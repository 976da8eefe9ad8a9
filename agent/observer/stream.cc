#include "agent/observer/stream.h"

#include <algorithm>
#include <utility>

namespace kbench::observer {
namespace {

// No window is as large: a segment that far off belongs to another connection.
constexpr int64_t kJump = int64_t{1} << 30;
// Nor does a connection repeat so many segments without a new one between them.
constexpr uint32_t kStaleMax = 2048;

}  // namespace

void Stream::Begin(uint32_t isn) {
  Reset();
  started_ = began_ = true;
  first_sequence_ = isn + 1;
  reader_.StartFrames();
}

void Stream::Reset() {
  Drop();
  started_ = began_ = finished_ = false;
  next_ = 0;
  stale_ = 0;
  latest_ = RealTime();
  reader_.StartSearching();
}

void Stream::Drop() {
  totals_->held_bytes -= held_bytes_;
  held_bytes_ = 0;
  held_.clear();
}

void Stream::Take(const TcpSegment& segment, RealTime stamp) {
  if (!started_) {
    Reset();
    started_ = true;
    first_sequence_ = segment.sequence;
  }
  const auto distance = static_cast<int32_t>(segment.sequence - NextSequence());
  if (segment.payload_size > 0 && (std::abs(int64_t{distance}) > kJump || stale_ > kStaleMax)) {
    reader_.Lose();
    Reset();
    return Take(segment, stamp);
  }
  const bool fin = (segment.flags & TcpSegment::kFin) != 0;
  const int64_t begin = static_cast<int64_t>(next_) + distance;
  const int64_t end = begin + segment.payload_size;
  const auto next = static_cast<int64_t>(next_);
  if (segment.payload_size > 0) {
    if (begin < next) {
      ++totals_->retransmitted_packets;
      reader_.Again(static_cast<uint64_t>(std::max<int64_t>(begin, 0)),
                    static_cast<uint64_t>(std::max<int64_t>(std::min(end, next), 0)), stamp);
    }
    if (end <= next) {
      ++stale_;
    } else if (begin <= next) {
      stale_ = 0;
      if (!held_.empty()) ++totals_->reordered_packets;
      const auto known = static_cast<uint32_t>(next - begin);
      const Bytes bytes = segment.payload.subspan(std::min<size_t>(known, segment.payload.size()));
      // What is held of it came earlier: up to there only.
      const uint64_t until =
          held_.empty() ? static_cast<uint64_t>(end)
                        : std::min<uint64_t>(static_cast<uint64_t>(end), held_.front().begin);
      const auto size = static_cast<uint32_t>(until - next_);
      Deliver(next_, size, bytes.first(std::min<size_t>(size, bytes.size())), stamp, RealTime(),
              false);
      if (until < static_cast<uint64_t>(end)) {
        Hold(until, static_cast<uint64_t>(end), bytes.subspan(std::min<size_t>(size, bytes.size())),
             stamp);
      }
      DeliverHeld();
    } else {
      stale_ = 0;
      Hold(static_cast<uint64_t>(begin), static_cast<uint64_t>(end), segment.payload, stamp);
    }
  }
  if (fin && static_cast<uint64_t>(end) == next_) {
    finished_ = true;
    ++next_;  // it has a number of its own
  }
  while (!held_.empty() &&
         (held_.size() > kHeldSegments || held_bytes_ > kHeldBytes ||
          totals_->held_bytes > kAllHeldBytes || stamp - held_.front().stamp > kGapAge)) {
    GiveUpTo(held_.front().begin);
  }
}

void Stream::Acknowledged(uint32_t acknowledged) {
  if (!started_) return;
  const auto distance = static_cast<int32_t>(acknowledged - NextSequence());
  if (distance <= 0 || distance > kJump) return;
  const uint64_t offset = next_ + static_cast<uint32_t>(distance);
  while (next_ < offset) {
    GiveUpTo(held_.empty() ? offset : std::min(offset, held_.front().begin));
  }
}

void Stream::Conclude() {
  while (!held_.empty()) GiveUpTo(held_.front().begin);
}

void Stream::GiveUpTo(uint64_t offset) {
  ++totals_->gaps;
  reader_.Skip(offset);
  next_ = offset;
  DeliverHeld();
}

void Stream::Deliver(uint64_t begin, uint32_t size, Bytes bytes, RealTime stamp, RealTime again,
                     bool early) {
  latest_ = std::max(latest_, stamp);
  next_ = begin + size;
  reader_.Take({.begin = begin,
                .size = size,
                .bytes = bytes,
                .stamp = latest_,
                .early = early,
                .again = again});
}

void Stream::DeliverHeld() {
  size_t taken = 0;
  while (taken < held_.size() && held_[taken].begin == next_) {
    Held held = std::move(held_[taken++]);
    totals_->held_bytes -= held.bytes.size();
    held_bytes_ -= held.bytes.size();
    // In two pieces where the first bytes were not kept, so that what was kept lies at the front
    // of its piece.
    const uint64_t from = held.bytes.empty() ? held.end : held.bytes_from;
    if (from > held.begin) {
      Deliver(held.begin, static_cast<uint32_t>(from - held.begin), {}, held.stamp, held.again,
              true);
    }
    if (from < held.end) {
      Deliver(from, static_cast<uint32_t>(held.end - from), held.bytes, held.stamp, held.again,
              true);
    }
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(taken));
}

void Stream::Hold(uint64_t begin, uint64_t end, Bytes bytes, RealTime stamp) {
  const uint64_t all_begin = begin;
  bool twice = false;
  const auto from = [&](uint64_t offset) {
    return bytes.subspan(std::min<size_t>(offset - all_begin, bytes.size()));
  };
  size_t i = std::partition_point(held_.begin(), held_.end(),
                                  [&](const Held& one) { return one.end <= begin; }) -
             held_.begin();
  while (begin < end) {
    if (i == held_.size() || end <= held_[i].begin) {
      Insert(i, begin, end, from(begin), stamp);
      break;
    }
    if (begin < held_[i].begin) {
      const uint64_t until = held_[i].begin;
      Insert(i++, begin, until, from(begin), stamp);
      begin = until;
    }
    twice = true;
    if (begin > held_[i].begin) Split(i++, begin);
    if (end < held_[i].end) Split(i, end);
    held_[i].again = stamp;
    begin = held_[i++].end;
  }
  if (twice) ++totals_->retransmitted_packets;
}

void Stream::Split(size_t at, uint64_t offset) {
  Held& front = held_[at];
  Held back = front;
  front.end = back.begin = offset;
  if (!front.bytes.empty()) {
    const uint64_t kept = offset > front.bytes_from ? offset - front.bytes_from : 0;
    const auto cut =
        front.bytes.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(kept, front.bytes.size()));
    back.bytes.assign(cut, front.bytes.end());
    back.bytes_from = std::max(offset, front.bytes_from);
    front.bytes.erase(cut, front.bytes.end());
    front.bytes_from = std::min(offset, front.bytes_from);
  }
  held_.insert(held_.begin() + static_cast<ptrdiff_t>(at) + 1, std::move(back));
}

void Stream::Insert(size_t at, uint64_t begin, uint64_t end, Bytes bytes, RealTime stamp) {
  Held held = {.begin = begin, .end = end, .stamp = stamp, .bytes_from = begin};
  if (bytes.size() > end - begin) bytes = bytes.first(end - begin);
  const uint64_t wanted = std::clamp(reader_.WantsFrom(), begin, end);
  if (wanted - begin < bytes.size()) {
    const Bytes kept = bytes.subspan(wanted - begin);
    held.bytes.assign(kept.begin(), kept.end());
    held.bytes_from = wanted;
    held_bytes_ += kept.size();
    totals_->held_bytes += kept.size();
  }
  held_.insert(held_.begin() + static_cast<ptrdiff_t>(at), std::move(held));
}

}  // namespace kbench::observer
