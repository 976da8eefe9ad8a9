// From a packet to its TCP segment: IPv4 and IPv6, with options and extension headers, as far as
// the bytes were captured.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"

namespace kbench::observer {

enum class PacketType : uint8_t {
  kUnknown,   // the source does not tell directions
  kIncoming,  // for this host
  kOutgoing,  // of this host
  kOther,     // of others, for others
};

// One packet as a source hands it over. Views are valid during the call only.
struct Packet {
  RealTime stamp;
  Bytes network;              // from the IP header on, as far as it was captured
  uint32_t network_size = 0;  // from the IP header on, on the wire
  uint16_t ethertype = 0;
  PacketType type = PacketType::kUnknown;
  int interface = 0;  // 0: not known
};

inline constexpr uint16_t kEthertypeIpv4 = 0x0800;
inline constexpr uint16_t kEthertypeIpv6 = 0x86dd;

// IPv4 in its IPv6 form, ::ffff:a.b.c.d.
using IpAddress = std::array<uint8_t, 16>;

struct TcpSegment {
  enum Flags : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kAck = 16 };
  IpAddress source = {};
  IpAddress destination = {};
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t sequence = 0;
  uint32_t acknowledged = 0;
  uint8_t flags = 0;
  Bytes payload;              // as far as it was captured
  uint32_t payload_size = 0;  // on the wire
};

enum class Parsed {
  kTcp,
  kOther,      // another protocol
  kFragment,   // a part of an IP packet: its segment cannot be known
  kMalformed,  // lengths that contradict each other, or cut before the end of the TCP header
};

// Fills *segment when it returns kTcp. The payload points into `packet`.
Parsed ParseTcp(const Packet& packet, TcpSegment* segment);

}  // namespace kbench::observer
