// CRC32C (Castagnoli; RFC 3720, appendix B.4), which zlib's crc32 is not: the checksum of tags.
//
// A checksum of two pieces follows from those of each, without their bytes: so what is known of a
// value's body beforehand need not be read again when another label is put before it.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace kbench::kinetic {

uint32_t Crc32c(uint32_t crc, Bytes bytes);  // continues `crc`; begins with 0

// Joins the checksums of two pieces, the second of which has always the same length.
//   Crc32cJoin(b.size()).Of(Crc32c(0, a), Crc32c(0, b)) == Crc32c(0, a + b)
class Crc32cJoin {
 public:
  explicit Crc32cJoin(uint64_t second_size);
  uint32_t Of(uint32_t first, uint32_t second) const;

 private:
  uint32_t shift_;  // x^(8 * second_size) modulo the polynomial, its bits reflected
};

// The two ways of Crc32c(), for the test that they agree: by table everywhere, by the processor's
// own instruction (SSE4.2) where it has one.
uint32_t Crc32cByTable(uint32_t crc, Bytes bytes);
bool HasCrc32cInstruction();
uint32_t Crc32cByInstruction(uint32_t crc, Bytes bytes);  // precondition: HasCrc32cInstruction()

}  // namespace kbench::kinetic
