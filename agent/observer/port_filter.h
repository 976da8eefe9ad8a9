// The kernel's packet filter of an observation: TCP of one port in the directions of one view, so
// that other traffic costs the host no copy, and no more of long values than must be.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

#include "agent/observer/packet_observer.h"

namespace kbench::observer {

// For sockets whose packets begin with the IP header (SOCK_DGRAM). What it passes:
//
//   IPv4   TCP of the port; of a fragmented packet the first fragment, which is counted
//   IPv6   TCP of the port; with extension headers everything, to be looked at by its reader
//   VLAN   with a tag before the IP header, everything, likewise
//
// A segment that begins with a frame which reaches to its end or beyond is passed without the
// value: no other header can be in it. A filter has no memory, so the later segments of a long
// value are copied whole. Bytes of a value that look like such a frame (one in 2^33 of random ones)
// cost the observation its place in the stream, which it counts and finds again.
std::vector<sock_filter> PortFilter(uint16_t port, View view);

}  // namespace kbench::observer
