#include "agent/load/value_label.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "kinetic/byte_order.h"

namespace kbench {
namespace {

using kinetic::LoadBigEndian32;
using kinetic::StoreBigEndian32;

constexpr absl::string_view kMagic = "kbv1";
constexpr size_t kLengthAt = 4, kKeyAt = 8, kVersionAt = 16, kBodyCrcAt = 24, kOwnCrcAt = 28;

void Store64(uint64_t value, uint8_t* out) {
  StoreBigEndian32(static_cast<uint32_t>(value >> 32), out);
  StoreBigEndian32(static_cast<uint32_t>(value), out + 4);
}

uint64_t Load64(const uint8_t* in) {
  return uint64_t{LoadBigEndian32(in)} << 32 | LoadBigEndian32(in + 4);
}

uint32_t OwnCrc(const uint8_t* label) { return ValueCrc(0, {label, kOwnCrcAt}); }

}  // namespace

uint32_t ValueCrc(uint32_t crc, Bytes bytes) {
  return static_cast<uint32_t>(crc32_z(crc, bytes.data(), bytes.size()));
}

void EncodeValueLabel(const ValueLabel& label, uint8_t out[kValueLabelSize]) {
  std::memcpy(out, kMagic.data(), kMagic.size());
  StoreBigEndian32(label.length, out + kLengthAt);
  Store64(label.key, out + kKeyAt);
  Store64(label.version, out + kVersionAt);
  StoreBigEndian32(label.body_crc, out + kBodyCrcAt);
  StoreBigEndian32(OwnCrc(out), out + kOwnCrcAt);
}

void ValueCheck::Take(Bytes piece) {
  if (have_ < kValueLabelSize) {
    const Bytes head = piece.first(std::min<size_t>(piece.size(), kValueLabelSize - have_));
    std::copy(head.begin(), head.end(), label_.begin() + have_);
    have_ += head.size();
    piece = piece.subspan(head.size());
  }
  if (piece.empty()) return;
  crc_ = ValueCrc(crc_, piece);
  have_ += piece.size();
}

absl::string_view ValueCheck::Fault(uint64_t key) const {
  const uint8_t* label = label_.data();
  if (have_ < kValueLabelSize || std::memcmp(label, kMagic.data(), kMagic.size()) != 0) {
    return "it is no value that kbench wrote";
  }
  if (LoadBigEndian32(label + kOwnCrcAt) != OwnCrc(label)) return "its label is damaged";
  if (LoadBigEndian32(label + kLengthAt) != have_) return "it was written with another length";
  if (Load64(label + kKeyAt) != key) return "it was written under another key";
  if (LoadBigEndian32(label + kBodyCrcAt) != crc_) return "its bytes are not those written";
  return "";
}

bool ValueCheck::Is(Bytes value) const {
  return have_ == value.size() && std::equal(value.begin(), value.end(), label_.begin());
}

}  // namespace kbench
