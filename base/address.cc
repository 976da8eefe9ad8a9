#include "base/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kbench {

std::string HostPort::ToString() const {
  if (host.find(':') != std::string::npos) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not HOST:PORT (examples: 127.0.0.1:8123, [::1]:8123)"));
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad;
  absl::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != absl::string_view::npos) {
    return bad;
  }
  uint32_t port = 0;
  if (host.empty() || !absl::SimpleAtoi(text.substr(colon + 1), &port) || port > 65535) return bad;
  return HostPort{.host = std::string(host), .port = static_cast<uint16_t>(port)};
}

absl::StatusOr<SocketAddress> Resolve(const HostPort& target) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(target.host.c_str(), absl::StrCat(target.port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat("cannot resolve ", target.ToString(), ": ",
                                            gai_strerror(error),
                                            "; check the name in the campaign or inventory"));
  }
  SocketAddress address;
  address.length = found->ai_addrlen;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return address;
}

absl::StatusOr<HostPort> LocalAddress(int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0 ||
      getnameinfo(address.get(), address.length, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return absl::InternalError(absl::StrCat("cannot read a socket's address: ", strerror(errno)));
  }
  uint32_t number = 0;
  if (!absl::SimpleAtoi(port, &number)) return absl::InternalError("socket without a port");
  return HostPort{.host = host, .port = static_cast<uint16_t>(number)};
}

bool IsLoopback(const SocketAddress& address) {
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  if (address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
  }
  return false;
}

std::string NumericHost(const SocketAddress& address) {
  char host[NI_MAXHOST];
  if (getnameinfo(address.get(), address.length, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) !=
      0) {
    return "";
  }
  return host;
}

bool Network::Contains(const SocketAddress& address) const {
  const uint8_t* other = nullptr;
  int of = address.family();
  if (of == AF_INET) {
    other = reinterpret_cast<const uint8_t*>(
        &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr);
  } else if (of == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
    if (mapped) of = AF_INET;
    other = v6.s6_addr + (mapped ? 12 : 0);
  }
  if (other == nullptr || of != family) return false;
  const int whole = prefix_bits / 8, rest = prefix_bits % 8;
  if (std::memcmp(bytes, other, static_cast<size_t>(whole)) != 0) return false;
  if (rest == 0) return true;
  const int mask = 0xff << (8 - rest) & 0xff;
  return (bytes[whole] & mask) == (other[whole] & mask);
}

absl::StatusOr<Network> ParseNetwork(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no network (examples: 10.0.0.0/8, 2001:db8::/32, 192.0.2.7)"));
  Network network{.text = std::string(text)};
  const size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  network.family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (inet_pton(network.family, host.c_str(), network.bytes) != 1) return bad;
  const int most = network.family == AF_INET ? 32 : 128;
  network.prefix_bits = most;
  if (slash != absl::string_view::npos &&
      (!absl::SimpleAtoi(text.substr(slash + 1), &network.prefix_bits) || network.prefix_bits < 0 ||
       network.prefix_bits > most)) {
    return bad;
  }
  // 10.0.0.5/8 is most likely a mistake: of which host, or of which network?
  for (int bit = network.prefix_bits; bit < most; ++bit) {
    if ((network.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return bad;
  }
  return network;
}

}  // namespace kbench
