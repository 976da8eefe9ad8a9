// The fleet as Ansible knows it: the inventory that playbooks deploy to names agents and servers
// for campaigns, too, so that addresses live in one place. Ansible itself reads it, with all that
// an inventory may be: INI, YAML, a directory, group variables, a plugin.
//
//   agents: ['@agents']           all hosts of a group, in the inventory's order
//   server: {address: '@drive7'}  one host
//
// A host's address is kbench_agent_address (kbench_server_address), or else ansible_host, or else
// its name; its port is kbench_agent_port (7100), or kbench_server_port (8123).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kbench {

class Inventory {
 public:
  // Runs ansible-inventory on it.
  static absl::StatusOr<Inventory> Read(const std::string& path);
  // Of what `ansible-inventory --list` prints.
  static absl::StatusOr<Inventory> Parse(const std::string& path, absl::string_view json);

  enum class Kind { kAgent, kServer };
  // HOST:PORT of all hosts of the group, or of the one host, that is called so. InvalidArgument,
  // with what there is, when there is none.
  absl::StatusOr<std::vector<std::string>> Find(absl::string_view name, Kind kind) const;

 private:
  struct Host {
    std::string agent;  // HOST:PORT
    std::string server;
  };

  std::string path_;
  std::map<std::string, Host, std::less<>> hosts_;
  std::map<std::string, std::vector<std::string>, std::less<>> groups_;  // hosts, also of children
};

}  // namespace kbench
