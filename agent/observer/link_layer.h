// What stands before the IP header in a capture file.
#pragma once

#include <cstdint>

#include "agent/observer/packet.h"
#include "base/bytes.h"

namespace kbench::observer {

enum class LinkType {
  kEthernet,
  kRawIp,      // nothing: the packet begins with the IP header
  kLinuxSll,   // "cooked": packet type and protocol
  kLinuxSll2,  // the same and the interface
  kLoopback,   // address family, big endian
  kNull,       // address family, in the byte order of whoever wrote it
};

// Fills all of *packet but the stamp from a frame of `size` bytes on the wire. Directions and
// interfaces are known of cooked frames only. False: it is cut before its end, or no IP.
bool ParseLink(LinkType type, Bytes frame, uint32_t size, Packet* packet);

}  // namespace kbench::observer
