#include "server/request_reader.h"

#include <algorithm>
#include <cstring>

#include "base/status_macros.h"

namespace kbench::server {

using kinetic::kFrameHeaderSize;

absl::StatusOr<bool> RequestReader::Consume(Bytes* in) {
  if (!error_.ok()) return error_;
  if (state_ == State::kComplete) {
    state_ = State::kHead;
    head_.clear();
    value_ = Value();
  }
  if (state_ == State::kHead) {
    ASSIGN_OR_RETURN(const bool complete, ConsumeHead(in));
    if (!complete) return false;
    missing_ = header_.value_size;
    if (!value_skipped()) value_ = Value(header_.value_size);
    state_ = State::kValue;
  }
  ConsumeValue(in);
  if (missing_ == 0) {
    state_ = State::kComplete;
    return true;
  }
  if (head_.empty()) {  // The message is in the caller's bytes, which will be gone next time.
    head_.assign(kFrameHeaderSize, 0);
    head_.insert(head_.end(), message_.begin(), message_.end());
    message_ = Bytes(head_).subspan(kFrameHeaderSize);
  }
  return false;
}

absl::StatusOr<bool> RequestReader::ConsumeHead(Bytes* in) {
  if (head_.empty() && in->size() >= kFrameHeaderSize) {
    RETURN_IF_ERROR(DecodeHeader(in->data()));
    const size_t size = kFrameHeaderSize + header_.message_size;
    if (in->size() >= size) {
      message_ = in->subspan(kFrameHeaderSize, header_.message_size);
      *in = in->subspan(size);
      return true;
    }
  }
  if (!GatherHead(kFrameHeaderSize, in)) return false;
  RETURN_IF_ERROR(DecodeHeader(head_.data()));
  if (!GatherHead(kFrameHeaderSize + header_.message_size, in)) return false;
  message_ = Bytes(head_).subspan(kFrameHeaderSize);
  return true;
}

absl::Status RequestReader::DecodeHeader(const uint8_t* bytes) {
  absl::StatusOr<kinetic::FrameHeader> header = kinetic::DecodeFrameHeader(
      bytes, {.max_message_size = limits_->message_size,
              .max_value_size = std::max(limits_->value_size, limits_->skipped_value_size)});
  if (!header.ok()) return error_ = header.status();
  header_ = *header;
  return absl::OkStatus();
}

bool RequestReader::GatherHead(size_t size, Bytes* in) {
  if (head_.size() < size) {
    const size_t part = std::min(size - head_.size(), in->size());
    head_.insert(head_.end(), in->begin(), in->begin() + static_cast<std::ptrdiff_t>(part));
    *in = in->subspan(part);
  }
  return head_.size() >= size;
}

void RequestReader::ConsumeValue(Bytes* in) {
  const size_t part = std::min<size_t>(missing_, in->size());
  if (part > 0 && !value_skipped()) std::memcpy(room().data(), in->data(), part);
  *in = in->subspan(part);
  missing_ -= static_cast<uint32_t>(part);
}

MutableBytes RequestReader::room() {
  if (state_ != State::kValue || value_skipped()) return {};
  return {value_.data() + (value_.size() - missing_), missing_};
}

}  // namespace kbench::server
