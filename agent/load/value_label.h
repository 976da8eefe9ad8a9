// What a value says of itself, in its first bytes, so that whoever reads it can tell whether it is
// the one that was written under that key, and whole:
//
//   offset  0   4 bytes   "kbv1"
//           4   4 bytes   length of the whole value
//           8   8 bytes   the key: its first 64 bits before they were made into text (KeyGenerator)
//          16   8 bytes   version: flow << 44 | number of the write among the flow's, from 1
//          24   4 bytes   CRC-32 (zlib's) of what follows the label
//          28   4 bytes   CRC-32 of the label's 28 bytes before
//          32             noise from the seed
//
// Numbers are big endian, as in the frame. Values shorter than a label have none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace kbench {

inline constexpr uint32_t kValueLabelSize = 32;

struct ValueLabel {
  uint32_t length = 0;
  uint64_t key = 0;
  uint64_t version = 0;
  uint32_t body_crc = 0;
};

void EncodeValueLabel(const ValueLabel& label, uint8_t out[kValueLabelSize]);
uint32_t ValueCrc(uint32_t crc, Bytes bytes);  // continues `crc`; begins with 0

// Checks one value as its bytes come, in any pieces, without keeping them.
class ValueCheck {
 public:
  void Begin() { have_ = 0, crc_ = 0; }
  void Take(Bytes piece);
  // Of all that was taken since Begin(): what is wrong with it, a sentence without an end; empty
  // when it is the value of `key` and whole.
  absl::string_view Fault(uint64_t key) const;
  // CRC-32 of what followed the label.
  uint32_t body_crc() const { return crc_; }
  // True when all that was taken is `value`, which is shorter than a label.
  bool Is(Bytes value) const;

 private:
  std::array<uint8_t, kValueLabelSize> label_ = {};
  uint64_t have_ = 0;
  uint32_t crc_ = 0;  // of what follows the label
};

}  // namespace kbench
