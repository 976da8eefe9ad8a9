// The names of the parts of a request, as results have them (docs/measurement.md): the one place
// from which tests take them.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace kbench::e2e {

inline constexpr std::string_view kNetworkPart = "network";
inline constexpr std::string_view kServerPart = "server";
// The client's own work, in the order of time; `wait`, before them, is load.
inline constexpr std::array<std::string_view, 5> kClientParts = {
    "client_encode", "client_submit", "client_send", "client_receive", "client_decode"};

// Parts whose border could not be drawn are one: "client_send+network".
inline bool HasNetwork(std::string_view part) {
  return part.find(kNetworkPart) != std::string_view::npos;
}
inline bool IsClient(std::string_view part) {
  return part.starts_with("client_") && !HasNetwork(part);
}

}  // namespace kbench::e2e
