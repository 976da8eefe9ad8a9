#include "agent/observer/link_layer.h"

#include "kinetic/byte_order.h"

namespace kbench::observer {
namespace {

uint16_t Load16(const uint8_t* in) { return static_cast<uint16_t>(in[0] << 8 | in[1]); }

PacketType TypeOf(uint16_t cooked) {
  switch (cooked) {
    case 0:
      return PacketType::kIncoming;
    case 4:
      return PacketType::kOutgoing;
    default:
      return PacketType::kOther;
  }
}

uint16_t EthertypeOfFamily(uint32_t family) {
  switch (family) {
    case 2:
      return kEthertypeIpv4;
    case 10:  // of Linux, NetBSD, FreeBSD, macOS
    case 24:
    case 28:
    case 30:
      return kEthertypeIpv6;
    default:
      return 0;
  }
}

size_t HeaderSize(LinkType type) {
  switch (type) {
    case LinkType::kEthernet:
      return 14;
    case LinkType::kRawIp:
      return 0;
    case LinkType::kLinuxSll:
      return 16;
    case LinkType::kLinuxSll2:
      return 20;
    case LinkType::kLoopback:
    case LinkType::kNull:
      return 4;
  }
  return 0;
}

}  // namespace

bool ParseLink(LinkType type, Bytes frame, uint32_t size, Packet* packet) {
  const size_t header = HeaderSize(type);
  if (frame.size() < header || size < header || frame.size() == header) return false;
  packet->type = PacketType::kUnknown;
  packet->interface = 0;
  switch (type) {
    case LinkType::kEthernet:
      packet->ethertype = Load16(&frame[12]);
      break;
    case LinkType::kRawIp:
      packet->ethertype = frame[0] / 16 == 6 ? kEthertypeIpv6 : kEthertypeIpv4;
      break;
    case LinkType::kLinuxSll:
      packet->type = TypeOf(Load16(&frame[0]));
      packet->ethertype = Load16(&frame[14]);
      break;
    case LinkType::kLinuxSll2:
      packet->ethertype = Load16(&frame[0]);
      packet->interface = static_cast<int>(kinetic::LoadBigEndian32(&frame[4]) & 0x7fffffff);
      packet->type = TypeOf(frame[10]);
      break;
    case LinkType::kLoopback:
      packet->ethertype = EthertypeOfFamily(kinetic::LoadBigEndian32(frame.data()));
      break;
    case LinkType::kNull: {
      const auto swapped = kinetic::LoadLittleEndian<uint32_t>(frame.data());
      const uint16_t ethertype = EthertypeOfFamily(swapped);
      packet->ethertype =
          ethertype != 0 ? ethertype : EthertypeOfFamily(kinetic::LoadBigEndian32(frame.data()));
      break;
    }
  }
  packet->network = frame.subspan(header);
  packet->network_size = size - static_cast<uint32_t>(header);
  return true;
}

}  // namespace kbench::observer
