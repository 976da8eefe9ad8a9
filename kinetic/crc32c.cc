#include "kinetic/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "kinetic/byte_order.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

namespace kbench::kinetic {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41 with its bits reflected
constexpr uint32_t kOne = 0x80000000;         // x^0: the highest bit, reflected
constexpr size_t kSlices = 8;

using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

// [0][b]: the remainder of byte b; [i][b]: of b with i zero bytes behind it.
constexpr Tables MakeTables() {
  Tables tables = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (kPolynomial & (0 - (crc & 1)));
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

// a * b modulo the polynomial, all bits reflected. Without branches: its time is always the same.
uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int bit = 31; bit >= 0; --bit) {
    product ^= b & (0 - (a >> bit & 1));
    b = b >> 1 ^ (kPolynomial & (0 - (b & 1)));
  }
  return product;
}

}  // namespace

uint32_t Crc32cByTable(uint32_t crc, Bytes bytes) {
  crc = ~crc;
  for (; bytes.size() >= kSlices; bytes = bytes.subspan(kSlices)) {
    const uint64_t next = LoadLittleEndian<uint64_t>(bytes.data()) ^ crc;
    crc = 0;
    for (size_t i = 0; i < kSlices; ++i) crc ^= kTables[kSlices - 1 - i][next >> (8 * i) & 0xff];
  }
  for (const uint8_t byte : bytes) crc = crc >> 8 ^ kTables[0][(crc ^ byte) & 0xff];
  return ~crc;
}

#ifdef __x86_64__

bool HasCrc32cInstruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

__attribute__((target("sse4.2"))) uint32_t Crc32cByInstruction(uint32_t crc, Bytes bytes) {
  uint64_t state = static_cast<uint32_t>(~crc);
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    uint64_t next;
    std::memcpy(&next, bytes.data(), sizeof(next));
    state = _mm_crc32_u64(state, next);
  }
  auto rest = static_cast<uint32_t>(state);
  for (const uint8_t byte : bytes) rest = _mm_crc32_u8(rest, byte);
  return ~rest;
}

#else

bool HasCrc32cInstruction() { return false; }
uint32_t Crc32cByInstruction(uint32_t crc, Bytes bytes) { return Crc32cByTable(crc, bytes); }

#endif

uint32_t Crc32c(uint32_t crc, Bytes bytes) {
  return HasCrc32cInstruction() ? Crc32cByInstruction(crc, bytes) : Crc32cByTable(crc, bytes);
}

Crc32cJoin::Crc32cJoin(uint64_t second_size) : shift_(kOne) {
  uint32_t power = kOne >> 8;  // x^8, squared for every bit of the length
  for (; second_size > 0; second_size >>= 1) {
    if ((second_size & 1) != 0) shift_ = Multiply(shift_, power);
    power = Multiply(power, power);
  }
}

uint32_t Crc32cJoin::Of(uint32_t first, uint32_t second) const {
  return Multiply(first, shift_) ^ second;
}

}  // namespace kbench::kinetic
