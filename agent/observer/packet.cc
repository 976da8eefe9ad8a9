#include "agent/observer/packet.h"

#include <algorithm>

#include "kinetic/byte_order.h"

namespace kbench::observer {
namespace {

constexpr uint16_t kEthertypeVlan = 0x8100, kEthertypeServiceVlan = 0x88a8;
constexpr size_t kIpv4Least = 20, kIpv6Size = 40, kTcpLeast = 20;
constexpr uint8_t kTcp = 6;
// Extension headers of IPv6.
constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kOptions = 60;

uint16_t Load16(const uint8_t* in) { return static_cast<uint16_t>(in[0] << 8 | in[1]); }

// What follows the IP headers: `size` bytes on the wire, of which `captured` are here.
Parsed ParseSegment(Bytes captured, uint64_t size, TcpSegment* segment) {
  if (captured.size() > size) captured = captured.first(size);  // padding of a short frame
  if (captured.size() < kTcpLeast) return Parsed::kMalformed;
  const uint8_t* tcp = captured.data();
  const size_t header = size_t{tcp[12]} / 16 * 4;
  if (header < kTcpLeast || header > size) return Parsed::kMalformed;
  segment->source_port = Load16(tcp);
  segment->destination_port = Load16(tcp + 2);
  segment->sequence = kinetic::LoadBigEndian32(tcp + 4);
  segment->acknowledged = kinetic::LoadBigEndian32(tcp + 8);
  segment->flags = tcp[13];
  segment->payload = captured.subspan(std::min(header, captured.size()));
  segment->payload_size = static_cast<uint32_t>(size - header);
  return Parsed::kTcp;
}

Parsed ParseIpv4(Bytes ip, uint64_t wire_size, TcpSegment* segment) {
  if (ip.size() < kIpv4Least) return Parsed::kMalformed;
  const size_t header = size_t{ip[0]} % 16 * 4;
  // Zero: longer than the field can say, as the kernel hands over merged segments.
  const uint64_t total = Load16(&ip[2]) == 0 ? wire_size : Load16(&ip[2]);
  if (ip[0] / 16 != 4 || header < kIpv4Least || total < header || total > wire_size) {
    return Parsed::kMalformed;
  }
  if (ip[9] != kTcp) return Parsed::kOther;
  if ((Load16(&ip[6]) & 0x3fff) != 0) return Parsed::kFragment;  // more follow, or an offset
  if (ip.size() < header) return Parsed::kMalformed;
  for (IpAddress* address : {&segment->source, &segment->destination}) {
    address->fill(0);
    (*address)[10] = (*address)[11] = 0xff;
  }
  std::copy_n(&ip[12], 4, &segment->source[12]);
  std::copy_n(&ip[16], 4, &segment->destination[12]);
  return ParseSegment(ip.subspan(header), total - header, segment);
}

Parsed ParseIpv6(Bytes ip, uint64_t wire_size, TcpSegment* segment) {
  if (ip.size() < kIpv6Size || ip[0] / 16 != 6 || wire_size < kIpv6Size) return Parsed::kMalformed;
  const uint64_t told = Load16(&ip[4]);
  uint64_t rest = told == 0 ? wire_size - kIpv6Size : told;  // zero: a jumbogram
  if (rest > wire_size - kIpv6Size) return Parsed::kMalformed;
  std::copy_n(&ip[8], 16, segment->source.begin());
  std::copy_n(&ip[24], 16, segment->destination.begin());
  uint8_t next = ip[6];
  ip = ip.subspan(kIpv6Size);
  while (next != kTcp) {
    if (next != kHopByHop && next != kRouting && next != kFragment && next != kAuthentication &&
        next != kOptions) {
      return Parsed::kOther;
    }
    if (ip.size() < 8) return Parsed::kMalformed;
    size_t size = (size_t{ip[1]} + 1) * 8;
    if (next == kAuthentication) size = (size_t{ip[1]} + 2) * 4;
    if (next == kFragment) {
      if ((Load16(&ip[2]) & 0xfff9) != 0) return Parsed::kFragment;
      size = 8;
    }
    if (size > ip.size() || size > rest) return Parsed::kMalformed;
    next = ip[0];
    ip = ip.subspan(size);
    rest -= size;
  }
  return ParseSegment(ip, rest, segment);
}

}  // namespace

Parsed ParseTcp(const Packet& packet, TcpSegment* segment) {
  Bytes bytes = packet.network;
  uint64_t size = packet.network_size;
  uint16_t ethertype = packet.ethertype;
  while (ethertype == kEthertypeVlan || ethertype == kEthertypeServiceVlan) {
    if (bytes.size() < 4 || size < 4) return Parsed::kMalformed;
    ethertype = Load16(&bytes[2]);
    bytes = bytes.subspan(4);
    size -= 4;
  }
  if (ethertype == kEthertypeIpv4) return ParseIpv4(bytes, size, segment);
  if (ethertype == kEthertypeIpv6) return ParseIpv6(bytes, size, segment);
  return Parsed::kOther;
}

}  // namespace kbench::observer
