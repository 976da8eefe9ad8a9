#include "server/announcer.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench::server {

absl::StatusOr<std::unique_ptr<Announcer>> Announcer::Open(const HostPort& group,
                                                           const SocketAddress& from) {
  ASSIGN_OR_RETURN(const SocketAddress to, Resolve(group));
  const auto* in = reinterpret_cast<const sockaddr_in*>(to.get());
  if (to.family() != AF_INET || !IN_MULTICAST(ntohl(in->sin_addr.s_addr))) {
    return absl::InvalidArgumentError(
        absl::StrCat(group.ToString(), " is no IPv4 multicast address"));
  }
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const unsigned char one_hop = 1;
  bool good = fd.valid() &&
              setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_TTL, &one_hop, sizeof(one_hop)) == 0;
  if (good && from.family() == AF_INET) {
    const in_addr interface = reinterpret_cast<const sockaddr_in*>(from.get())->sin_addr;
    good = setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)) == 0;
  }
  if (!good) {
    return absl::UnavailableError(
        absl::StrCat("cannot announce to ", group.ToString(), ": ", std::strerror(errno)));
  }
  return std::unique_ptr<Announcer>(new Announcer(std::move(fd), to));
}

void Announcer::Announce(const kinetic::GetLog::Configuration& configuration) {
  next_ = MonoNow() + kInterval;
  const std::string text = AnnouncementOf(configuration);
  (void)sendto(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL, group_.get(), group_.length);
}

std::string AnnouncementOf(const kinetic::GetLog::Configuration& configuration) {
  const auto text = [](const std::optional<kinetic::Text>& field) {
    return std::string(field.value_or(""));
  };
  nlohmann::ordered_json json;
  json["network_interfaces"] = nlohmann::ordered_json::array();
  for (const kinetic::GetLog::Interface& interface : configuration.interfaces) {
    json["network_interfaces"].push_back({{"name", std::string(interface.name)},
                                          {"mac_addr", std::string(interface.mac)},
                                          {"ipv4_addr", std::string(interface.ipv4_address)},
                                          {"ipv6_addr", std::string(interface.ipv6_address)}});
  }
  json["port"] = configuration.port.value_or(0);
  json["tlsPort"] = configuration.tls_port.value_or(0);
  json["manufacturer"] = text(configuration.vendor);
  json["model"] = text(configuration.model);
  json["firmware_version"] = text(configuration.version);
  json["protocol_version"] = text(configuration.protocol_version);
  json["serial_number"] = text(configuration.serial_number);
  json["world_wide_name"] = text(configuration.world_wide_name);
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace kbench::server
