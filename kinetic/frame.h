// The frame round every Kinetic PDU, and the reader that cuts a byte stream into PDUs.
//
//   offset 0   1 byte    'F' (0x46)
//          1   4 bytes   length of the protobuf message, big endian
//          5   4 bytes   length of the value, big endian
//          9   n bytes   message
//        9+n   m bytes   value: raw, outside the protobuf and outside the HMAC
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"

namespace kbench::kinetic {

inline constexpr size_t kFrameHeaderSize = 9;
inline constexpr uint8_t kFrameMagic = 'F';
inline constexpr uint32_t kSpecMaxMessageSize = 1024 * 1024;
inline constexpr uint32_t kSpecMaxValueSize = 1024 * 1024;

struct FrameHeader {
  uint32_t message_size = 0;
  uint32_t value_size = 0;
};

// What a reader accepts. A length above these is an error before anything is allocated.
struct FrameLimits {
  uint32_t max_message_size = kSpecMaxMessageSize;
  uint32_t max_value_size = kSpecMaxValueSize;
};

void EncodeFrameHeader(FrameHeader header, uint8_t out[kFrameHeaderSize]);
// InvalidArgument on another magic; OutOfRange on a length above `limits`.
absl::StatusOr<FrameHeader> DecodeFrameHeader(const uint8_t in[kFrameHeaderSize],
                                              FrameLimits limits);

// Cuts a stream, in any split, into PDUs. Framing is by lengths only, so the first error is final:
// every later call repeats it.
//
//   while (!in.empty()) {
//     ASSIGN_OR_RETURN(bool complete, reader.Consume(&in));
//     if (complete) Handle(reader.message(), reader.value());
//   }
class FrameReader {
 public:
  // kKeep gathers the value; kCount only counts its bytes (value() is empty), which spares a
  // client the copy of what it does not keep: value_piece() is its look at them.
  enum class ValuePolicy { kKeep, kCount };

  explicit FrameReader(FrameLimits limits = {}, ValuePolicy policy = ValuePolicy::kKeep);

  // Takes bytes from the front of *in up to the end of one PDU at most. True: a PDU is complete
  // and readable until the next call; *in begins with what follows it. False: *in was used up.
  absl::StatusOr<bool> Consume(Bytes* in);

  // Of the complete PDU. The spans point into the reader or into the bytes given to the last
  // Consume(), whichever held the whole part, so both must still be alive.
  Bytes message() const { return message_; }
  Bytes value() const { return value_; }
  // kCount: the bytes of the value, complete or not, that the last Consume() took from its *in.
  Bytes value_piece() const { return value_piece_; }
  uint32_t value_size() const { return header_.value_size; }
  // The message of a PDU is complete, its value is not: message() can be read already.
  bool awaits_value() const { return state_ == State::kValue; }
  // Bytes on the wire of the complete PDU.
  size_t size() const { return kFrameHeaderSize + header_.message_size + header_.value_size; }

  // True when no part of a PDU is pending: the only clean place for a stream to end.
  bool at_boundary() const { return state_ == State::kHeader && have_ == 0; }

 private:
  enum class State { kHeader, kMessage, kValue };

  // Gathers `wanted` bytes from *in, without a copy when *in holds them all. True when *part is
  // complete.
  bool Gather(Bytes* in, uint32_t wanted, std::vector<uint8_t>* buffer, Bytes* part);
  // Copies a message that lies in the caller's bytes, because its value is still to come.
  void KeepMessage();

  FrameLimits limits_;
  ValuePolicy policy_;
  absl::Status error_;
  State state_ = State::kHeader;
  size_t have_ = 0;  // bytes of the current part so far
  FrameHeader header_;
  std::array<uint8_t, kFrameHeaderSize> header_bytes_ = {};
  std::vector<uint8_t> message_buffer_;
  std::vector<uint8_t> value_buffer_;
  Bytes message_;
  Bytes value_;
  Bytes value_piece_;
};

}  // namespace kbench::kinetic
