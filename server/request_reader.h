// Cuts a connection's bytes, in any split, into requests, and gathers each value straight into the
// memory that the store will keep. (kinetic::FrameReader is for those who only look at a value: it
// lends the bytes out, and every PUT would copy them once more.)
//
// Lengths are checked before anything is allocated for them. Framing is by lengths only, so the
// first error is final: every later call repeats it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "kinetic/frame.h"
#include "server/entry.h"
#include "server/limits.h"

namespace kbench::server {

class RequestReader {
 public:
  // `limits` outlives the reader.
  explicit RequestReader(const Limits* limits) : limits_(limits) {}

  // Takes bytes from the front of *in up to the end of one request at most. True: a request is
  // complete; call again even if *in is empty now. False: *in was used up.
  absl::StatusOr<bool> Consume(Bytes* in);

  // Of the complete request, until the next call. The span may point into the bytes given last.
  Bytes message() const { return message_; }
  uint32_t value_size() const { return header_.value_size; }
  // Empty when the value was above the limit and only skipped.
  bool value_skipped() const { return header_.value_size > limits_->value_size; }
  Value TakeValue() { return std::move(value_); }

  // Where the missing bytes of a value may be received without a copy; empty between values.
  MutableBytes room();
  void Filled(size_t n) { missing_ -= static_cast<uint32_t>(n); }

  // True when no part of a request is pending: the only clean place for a stream to end.
  bool at_boundary() const { return state_ == State::kHead && head_.empty(); }

 private:
  enum class State { kHead, kValue, kComplete };

  absl::StatusOr<bool> ConsumeHead(Bytes* in);
  absl::Status DecodeHeader(const uint8_t* bytes);
  void ConsumeValue(Bytes* in);
  // False: *in ended before head_ held `size` bytes.
  bool GatherHead(size_t size, Bytes* in);

  const Limits* limits_;
  absl::Status error_;
  State state_ = State::kHead;
  kinetic::FrameHeader header_;
  std::vector<uint8_t> head_;  // header and message, when they came in pieces
  Bytes message_;
  Value value_;
  uint32_t missing_ = 0;  // bytes of the value that have not come yet
};

}  // namespace kbench::server
