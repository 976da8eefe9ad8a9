#include "kinetic/frame.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "kinetic/byte_order.h"

namespace kbench::kinetic {
namespace {

// Room for the messages of all hot operations, so that a sequence number which needs one byte more
// than before does not allocate in the middle of a measurement.
constexpr size_t kLeastCapacity = 512;

absl::Status NoMagic(uint8_t first) {
  return absl::InvalidArgumentError(absl::StrCat(
      "a frame starts with byte 0x", absl::Hex(first, absl::kZeroPad2), ", not with Kinetic's 0x",
      absl::Hex(kFrameMagic),
      "; the peer speaks another protocol, or an earlier length was wrong and framing is lost"));
}

absl::Status CheckLength(absl::string_view part, uint32_t size, uint32_t limit) {
  if (size <= limit) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("a frame announces a ", part, " of ", size, " bytes; the limit is ", limit));
}

Bytes TakeFront(Bytes* in, size_t wanted) {
  const Bytes taken = in->first(std::min(wanted, in->size()));
  *in = in->subspan(taken.size());
  return taken;
}

}  // namespace

void EncodeFrameHeader(FrameHeader header, uint8_t out[kFrameHeaderSize]) {
  out[0] = kFrameMagic;
  StoreBigEndian32(header.message_size, out + 1);
  StoreBigEndian32(header.value_size, out + 5);
}

absl::StatusOr<FrameHeader> DecodeFrameHeader(const uint8_t in[kFrameHeaderSize],
                                              FrameLimits limits) {
  if (in[0] != kFrameMagic) return NoMagic(in[0]);
  const FrameHeader header = {.message_size = LoadBigEndian32(in + 1),
                              .value_size = LoadBigEndian32(in + 5)};
  absl::Status status = CheckLength("message", header.message_size, limits.max_message_size);
  status.Update(CheckLength("value", header.value_size, limits.max_value_size));
  if (!status.ok()) return status;
  return header;
}

FrameReader::FrameReader(FrameLimits limits, ValuePolicy policy)
    : limits_(limits), policy_(policy) {}

absl::StatusOr<bool> FrameReader::Consume(Bytes* in) {
  if (!error_.ok()) return error_;
  value_piece_ = {};
  if (state_ == State::kHeader) {
    if (have_ == 0) message_ = value_ = {};
    const Bytes taken = TakeFront(in, kFrameHeaderSize - have_);
    std::copy(taken.begin(), taken.end(), header_bytes_.begin() + have_);
    have_ += taken.size();
    // A wrong first byte needs no wait for eight more that may never come.
    if (have_ > 0 && header_bytes_[0] != kFrameMagic) return error_ = NoMagic(header_bytes_[0]);
    if (have_ < kFrameHeaderSize) return false;
    absl::StatusOr<FrameHeader> header = DecodeFrameHeader(header_bytes_.data(), limits_);
    if (!header.ok()) return error_ = header.status();
    header_ = *header;
    state_ = State::kMessage;
    have_ = 0;
  }
  if (state_ == State::kMessage) {
    if (!Gather(in, header_.message_size, &message_buffer_, &message_)) return false;
    state_ = State::kValue;
    have_ = 0;
  }
  if (policy_ == ValuePolicy::kCount) {
    value_piece_ = TakeFront(in, header_.value_size - have_);
    have_ += value_piece_.size();
  } else {
    Gather(in, header_.value_size, &value_buffer_, &value_);
  }
  if (have_ < header_.value_size) {
    KeepMessage();
    return false;
  }
  state_ = State::kHeader;
  have_ = 0;
  return true;
}

bool FrameReader::Gather(Bytes* in, uint32_t wanted, std::vector<uint8_t>* buffer, Bytes* part) {
  const bool whole = have_ == 0 && in->size() >= wanted;
  const Bytes taken = TakeFront(in, wanted - have_);
  if (whole) {
    *part = taken;
  } else {
    if (have_ == 0) {
      buffer->clear();
      buffer->reserve(std::max<size_t>(wanted, kLeastCapacity));
    }
    buffer->insert(buffer->end(), taken.begin(), taken.end());
    *part = *buffer;
  }
  have_ += taken.size();
  return have_ == wanted;
}

void FrameReader::KeepMessage() {
  if (message_.data() == message_buffer_.data()) return;
  message_buffer_.reserve(kLeastCapacity);
  message_buffer_.assign(message_.begin(), message_.end());
  message_ = message_buffer_;
}

}  // namespace kbench::kinetic
