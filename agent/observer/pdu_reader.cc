#include "agent/observer/pdu_reader.h"

#include <algorithm>
#include <cstring>

#include "kinetic/byte_order.h"
#include "kinetic/frame.h"

namespace kbench::observer {
namespace {

using kinetic::kFrameHeaderSize;
using kinetic::kFrameMagic;

// What a frame may say that is only believed to be one.
constexpr uint32_t kMessageLeast = 8;
constexpr uint32_t kPlausibleMessage = 64u << 10;
constexpr uint32_t kPlausibleValue = 8u << 20;

// The part of a piece from stream offset `at` on that was captured.
Bytes CapturedFrom(const Piece& piece, uint64_t at) {
  const uint64_t skip = at - piece.begin;
  return skip < piece.bytes.size() ? piece.bytes.subspan(skip) : Bytes();
}

bool FitsSide(Side side, const MessageHead& head) {
  if (!head.has_header) return false;
  const auto type = static_cast<int32_t>(head.type);
  if (side == Side::kRequests)
    return type > 0 && type % 2 == 0 && type < 128 && !head.unsolicited();
  return head.unsolicited() || (type > 0 && type % 2 == 1 && type < 128);
}

}  // namespace

void PduReader::StartFrames() {
  phase_ = Phase::kBetween;
  recent_.clear();
  recent_next_ = 0;
}

void PduReader::StartSearching() {
  StartFrames();
  phase_ = Phase::kSearch;
}

void PduReader::Take(const Piece& piece) {
  for (uint64_t at = piece.begin; at < piece.end();) {
    switch (phase_) {
      case Phase::kSearch:
        at = Find(piece, at);
        break;
      case Phase::kBetween:
        Open(piece, at);
        [[fallthrough]];
      case Phase::kHead:
        at = TakeHead(piece, at);
        break;
      case Phase::kValue:
        Touch(piece);
        at = TakeValue(piece);
        break;
    }
  }
}

void PduReader::Open(const Piece& piece, uint64_t at) {
  pdu_ = Pdu();
  pdu_.begin = at;
  pdu_.first = piece.stamp;
  first_piece_begin_ = piece.begin;
  first_piece_end_ = piece.end();
  head_.clear();
  phase_ = Phase::kHead;
}

bool PduReader::Lengths(const uint8_t* header) {
  message_size_ = kinetic::LoadBigEndian32(header + 1);
  const uint32_t value_size = kinetic::LoadBigEndian32(header + 5);
  if (header[0] != kFrameMagic || message_size_ > kMessageMax || value_size > kValueMax) {
    return false;
  }
  pdu_.end = pdu_.begin + kFrameHeaderSize + message_size_ + value_size;
  return true;
}

uint64_t PduReader::TakeHead(const Piece& piece, uint64_t at) {
  Touch(piece);
  Bytes here = CapturedFrom(piece, at);
  if (head_.empty() && here.size() >= kFrameHeaderSize) {  // most often all of it is here
    if (!Lengths(here.data())) return Lose(), piece.end();
    const size_t kept = std::min(message_size_, kMessageKept);
    if (here.size() >= kFrameHeaderSize + kept) {
      if (!Headed(here.subspan(kFrameHeaderSize, kept))) return Lose(), piece.end();
      return TakeValue(piece);
    }
  }
  // Gathers the frame header, then as much of the message as is looked at.
  while (at < piece.end()) {
    size_t wanted = kFrameHeaderSize;
    if (head_.size() >= kFrameHeaderSize) wanted += std::min(message_size_, kMessageKept);
    const uint64_t taken = std::min<uint64_t>(wanted - head_.size(), piece.end() - at);
    here = CapturedFrom(piece, at);
    if (here.size() < taken) return Lose(), piece.end();  // cut
    const bool header_before = head_.size() >= kFrameHeaderSize;
    head_.insert(head_.end(), here.begin(), here.begin() + static_cast<ptrdiff_t>(taken));
    at += taken;
    if (head_.size() < wanted) return at;  // it is the piece's end
    if (!header_before) {
      if (!Lengths(head_.data())) return Lose(), piece.end();
      if (message_size_ > 0) continue;
    }
    if (!Headed(Bytes(head_).subspan(kFrameHeaderSize))) return Lose(), piece.end();
    return TakeValue(piece);
  }
  return at;
}

bool PduReader::Headed(Bytes message) {
  if (!ParseMessageHead(message, message_size_, &pdu_.head)) return false;
  pdu_.first_shared = first_piece_begin_ < pdu_.begin || pdu_.end < first_piece_end_;
  phase_ = Phase::kValue;
  sink_->OnHead(side_, &pdu_);
  return true;
}

uint64_t PduReader::TakeValue(const Piece& piece) {
  if (piece.end() < pdu_.end) return piece.end();
  const uint64_t end = pdu_.end;
  Close(piece.stamp, piece.begin < pdu_.begin || end < piece.end());
  return end;
}

void PduReader::Close(RealTime last, bool shared) {
  pdu_.last = last;
  pdu_.last_shared = shared;
  phase_ = Phase::kBetween;
  sink_->OnEnd(side_, pdu_);
  const Recent recent = {.begin = pdu_.begin, .end = pdu_.end, .tag = pdu_.tag};
  if (recent_.size() < kRecent) {
    recent_.push_back(recent);
  } else {
    recent_[recent_next_] = recent;
    recent_next_ = (recent_next_ + 1) % kRecent;
  }
}

void PduReader::Touch(const Piece& piece) {
  pdu_.reordered |= piece.early;
  pdu_.seen_twice |= piece.again.is_set();
  pdu_.last_again = piece.again;  // that of the last piece stays
}

void PduReader::Skip(uint64_t offset) {
  if (phase_ == Phase::kSearch) return;
  if (phase_ == Phase::kValue && offset <= pdu_.end) {
    if (offset == pdu_.end) Close(RealTime(), false);
    return;
  }
  Lose();
}

void PduReader::Again(uint64_t begin, uint64_t end, RealTime stamp) {
  if ((phase_ == Phase::kHead || phase_ == Phase::kValue) && end > pdu_.begin) {
    pdu_.seen_twice = true;
  }
  for (size_t i = 0; i < recent_.size(); ++i) {  // newest first
    const Recent& one = recent_[(recent_next_ + recent_.size() - 1 - i) % recent_.size()];
    if (one.end <= begin) return;
    if (one.begin < end) sink_->OnAgain(side_, one.tag, end >= one.end, stamp);
  }
}

void PduReader::Lose() {
  if (phase_ == Phase::kSearch) return;
  phase_ = Phase::kSearch;
  sink_->OnLost(side_);
}

bool PduReader::FrameAt(Bytes bytes, uint64_t whole_size) const {
  if (bytes.size() < kFrameHeaderSize) return false;
  const uint32_t message = kinetic::LoadBigEndian32(&bytes[1]);
  const uint32_t value = kinetic::LoadBigEndian32(&bytes[5]);
  if (message < kMessageLeast || message > kPlausibleMessage || value > kPlausibleValue) {
    return false;
  }
  const size_t kept = std::min(message, kMessageKept);
  if (bytes.size() < kFrameHeaderSize + kept) return false;
  MessageHead head;
  if (!ParseMessageHead(bytes.subspan(kFrameHeaderSize, kept), message, &head)) return false;
  if (!FitsSide(side_, head)) return false;
  // What follows in the same packet begins like a frame, too.
  const uint64_t next = uint64_t{kFrameHeaderSize} + message + value;
  return next >= whole_size || next >= bytes.size() || bytes[next] == kFrameMagic;
}

uint64_t PduReader::Find(const Piece& piece, uint64_t at) {
  Bytes rest = CapturedFrom(piece, at);
  while (!rest.empty()) {
    const auto* f = static_cast<const uint8_t*>(std::memchr(rest.data(), kFrameMagic, rest.size()));
    if (f == nullptr) break;
    rest = rest.subspan(static_cast<size_t>(f - rest.data()));
    const uint64_t here = piece.begin + static_cast<uint64_t>(f - piece.bytes.data());
    if (FrameAt(rest, piece.end() - here)) {
      phase_ = Phase::kBetween;
      sink_->OnFound(side_);
      return here;
    }
    rest = rest.subspan(1);
  }
  return piece.end();
}

}  // namespace kbench::observer
