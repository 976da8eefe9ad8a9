// HOST:PORT as people type it, and the socket address that it stands for.
#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench {

struct HostPort {
  std::string host;
  uint16_t port = 0;

  std::string ToString() const;  // IPv6 hosts in brackets.
};

// "10.0.0.1:8123", "[::1]:8123", "localhost:8123". Port 0 is allowed (a free one, for listeners).
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// The first address the resolver gives. Blocks: for set-up only.
absl::StatusOr<SocketAddress> Resolve(const HostPort& target);

// The local address of a bound socket as HOST:PORT, for listeners that asked for port 0.
absl::StatusOr<HostPort> LocalAddress(int fd);

// True for 127.0.0.0/8 and ::1.
bool IsLoopback(const SocketAddress& address);

// "10.0.0.5", "::1": without the port.
std::string NumericHost(const SocketAddress& address);

// A range of addresses of one family.
struct Network {
  std::string text;  // as it was typed
  int family = AF_INET;
  uint8_t bytes[16] = {};
  int prefix_bits = 0;

  // An IPv4 address that comes as IPv6 (::ffff:10.0.0.5) is an IPv4 one.
  bool Contains(const SocketAddress& address) const;
};

// "10.0.0.0/8", "2001:db8::/32", or one address.
absl::StatusOr<Network> ParseNetwork(absl::string_view text);

}  // namespace kbench
