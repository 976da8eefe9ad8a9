// How long a link of a given rate needs for bytes of TCP payload: the theory that shaped links are
// held against. A segment with time stamps carries 1448 bytes and 66 of headers (Ethernet 14, IPv4
// 20, TCP 32), which is what a token bucket charges.
#pragma once

#include <cmath>

namespace kbench::e2e {

inline constexpr double kSegmentBytes = 1448;
inline constexpr double kHeaderBytes = 66;

inline double SerializationNs(double payload_bytes, double bits_per_s) {
  const double segments = std::ceil(payload_bytes / kSegmentBytes);
  return (payload_bytes + segments * kHeaderBytes) * 8e9 / bits_per_s;
}

}  // namespace kbench::e2e
