// Integers as bytes: the frame and the HMAC's length prefix are big endian, our own residence log
// is little endian. Pointers must have room for the whole integer; no alignment is needed.
#pragma once

#include <cstdint>

namespace kbench::kinetic {

inline void StoreBigEndian32(uint32_t v, uint8_t* out) {
  out[0] = static_cast<uint8_t>(v >> 24);
  out[1] = static_cast<uint8_t>(v >> 16);
  out[2] = static_cast<uint8_t>(v >> 8);
  out[3] = static_cast<uint8_t>(v);
}

inline uint32_t LoadBigEndian32(const uint8_t* in) {
  return uint32_t{in[0]} << 24 | uint32_t{in[1]} << 16 | uint32_t{in[2]} << 8 | uint32_t{in[3]};
}

template <typename UInt>
void StoreLittleEndian(UInt v, uint8_t* out) {
  for (unsigned i = 0; i < sizeof(UInt); ++i) out[i] = static_cast<uint8_t>(v >> (8 * i));
}

template <typename UInt>
UInt LoadLittleEndian(const uint8_t* in) {
  UInt v = 0;
  for (unsigned i = 0; i < sizeof(UInt); ++i) v |= static_cast<UInt>(in[i]) << (8 * i);
  return v;
}

}  // namespace kbench::kinetic
