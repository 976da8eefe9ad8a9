// The client programs that this host's owner lets controllers run, by name: --allow-client
// NAME=/PATH. A controller names one and gives it arguments; it names no path. What a program does
// with its arguments is the owner's to know: who allows an interpreter or a shell allows everything
// that its user may do (docs/decisions/050-other-clients-under-the-same-microscope.md).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/load/external_client.h"

namespace kbench {

class AllowedClients {
 public:
  // "NAME=/PATH". A path that nobody but its owner should be able to change: absolute, without
  // "..", a file that may be executed, belonging to root or to the agent's user, and writable, like
  // every directory above it, by no group and no others (but a sticky directory, like /tmp).
  absl::Status Allow(absl::string_view text);
  // Whose processes the programs are; only root can have another one than itself.
  absl::Status RunAs(const std::string& user);

  // Fills in what the owner decides. PermissionDenied names the client and those that are allowed;
  // FailedPrecondition says what has become of its file since.
  absl::Status Resolve(ExternalClient* client) const;
  // Name -> why it cannot be run now; empty: it can.
  std::map<std::string, std::string> Problems() const;

 private:
  std::map<std::string, std::string> paths_;
  std::optional<ProgramUser> user_;
};

}  // namespace kbench
