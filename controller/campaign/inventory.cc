#include "controller/campaign/inventory.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "controller/campaign/captured_command.h"

namespace kbench {
namespace {

using nlohmann::json;

constexpr Nanos kPatience = Seconds(60);  // plugins may ask a cloud
constexpr int kAgentPort = 7100;
constexpr int kServerPort = 8123;

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("inventory ", path, ": ", what));
}

// Ansible gives numbers as numbers or as text, as they were typed.
std::string Text(const json& variables, const char* name, const std::string& otherwise) {
  const auto found = variables.find(name);
  if (found == variables.end() || found->is_null()) return otherwise;
  return found->is_string() ? found->get<std::string>() : found->dump();
}

absl::StatusOr<std::string> AddressOf(const std::string& path, const std::string& host,
                                      const json& variables, const char* kind, int port) {
  const std::string prefix = absl::StrCat("kbench_", kind);
  const std::string address =
      Text(variables, (prefix + "_address").c_str(), Text(variables, "ansible_host", host));
  const std::string number = Text(variables, (prefix + "_port").c_str(), absl::StrCat(port));
  const bool v6 = address.find(':') != std::string::npos;
  const auto parsed = ParseHostPort(absl::StrCat(v6 ? "[" : "", address, v6 ? "]:" : ":", number));
  if (!parsed.ok() || parsed->port == 0) {
    return Bad(path, absl::StrCat("host ", host, ": ", prefix, "_address '", address, "' and ",
                                  prefix, "_port '", number, "' are no address"));
  }
  return parsed->ToString();
}

void Collect(const json& groups, const std::string& group, std::set<std::string>* visited,
             std::vector<std::string>* hosts) {
  if (!visited->insert(group).second || !groups.contains(group)) return;
  const json& one = groups.at(group);
  for (const json& host : one.value("hosts", json::array())) {
    const std::string name = host.get<std::string>();
    if (std::find(hosts->begin(), hosts->end(), name) == hosts->end()) hosts->push_back(name);
  }
  for (const json& child : one.value("children", json::array())) {
    Collect(groups, child.get<std::string>(), visited, hosts);
  }
}

}  // namespace

absl::StatusOr<Inventory> Inventory::Read(const std::string& path) {
  const absl::StatusOr<std::string> listed =
      CaptureCommand({"ansible-inventory", "-i", path, "--list"}, kPatience);
  if (absl::IsNotFound(listed.status())) {
    return Bad(path, absl::StrCat(listed.status().message(),
                                  "; Ansible reads it: install Debian's package ansible"));
  }
  if (!listed.ok()) return Bad(path, listed.status().message());
  return Parse(path, *listed);
}

absl::StatusOr<Inventory> Inventory::Parse(const std::string& path, absl::string_view text) {
  Inventory inventory;
  inventory.path_ = path;
  try {
    const json listed = json::parse(text.begin(), text.end());
    const json variables = listed.value("_meta", json::object()).value("hostvars", json::object());
    for (const auto& [name, group] : listed.items()) {
      if (name == "_meta") continue;
      std::set<std::string> visited;
      Collect(listed, name, &visited, &inventory.groups_[name]);
      for (const std::string& host : inventory.groups_[name]) {
        const json of_host = variables.value(host, json::object());
        ASSIGN_OR_RETURN(inventory.hosts_[host].agent,
                         AddressOf(path, host, of_host, "agent", kAgentPort));
        ASSIGN_OR_RETURN(inventory.hosts_[host].server,
                         AddressOf(path, host, of_host, "server", kServerPort));
      }
    }
  } catch (const json::exception& error) {
    return Bad(path, absl::StrCat("ansible-inventory printed something else than expected: ",
                                  error.what()));
  }
  if (inventory.hosts_.empty()) return Bad(path, "it has no hosts; is it an inventory?");
  return inventory;
}

absl::StatusOr<std::vector<std::string>> Inventory::Find(absl::string_view name, Kind kind) const {
  std::vector<std::string> addresses;
  const auto take = [&](const Host& host) {
    addresses.push_back(kind == Kind::kAgent ? host.agent : host.server);
  };
  if (const auto group = groups_.find(name); group != groups_.end()) {
    for (const std::string& host : group->second) take(hosts_.at(host));
  } else if (const auto host = hosts_.find(name); host != hosts_.end()) {
    take(host->second);
  }
  if (!addresses.empty()) return addresses;
  const auto names = [](std::string* out, const auto& entry) { out->append(entry.first); };
  return Bad(path_, absl::StrCat("no host and no group with hosts is called '", name,
                                 "'; groups: ", absl::StrJoin(groups_, ", ", names),
                                 "; hosts: ", absl::StrJoin(hosts_, ", ", names)));
}

}  // namespace kbench
