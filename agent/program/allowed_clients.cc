#include "agent/program/allowed_clients.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

constexpr size_t kNameMax = 64;

bool IsName(absl::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), good);
}

// Why somebody else could change what is there; empty: nobody can.
std::string Changeable(const std::string& path, bool is_directory) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return absl::StrCat(path, ": ", strerror(errno));
  if (status.st_uid != 0 && status.st_uid != geteuid()) {
    return absl::StrCat(path, " belongs to user ", status.st_uid,
                        ", who is neither root nor the agent's user");
  }
  const bool sticky = is_directory && (status.st_mode & S_ISVTX) != 0;
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky) {
    return absl::StrCat(path, " can be written by others than its owner; chmod go-w ", path);
  }
  return "";
}

// The path without links, when what is there may be run.
absl::StatusOr<std::string> Trusted(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (real == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", strerror(errno)));
  }
  const std::string resolved = real.get();
  struct stat status = {};
  if (stat(resolved.c_str(), &status) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(resolved, ": ", strerror(errno)));
  }
  if (!S_ISREG(status.st_mode) || (status.st_mode & S_IXUSR) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(resolved, " is no file that may be executed; chmod u+x, or name another one"));
  }
  std::string problem = Changeable(resolved, false);
  for (size_t slash = resolved.rfind('/'); problem.empty();
       slash = resolved.rfind('/', slash - 1)) {
    problem = Changeable(slash == 0 ? "/" : resolved.substr(0, slash), true);
    if (slash == 0) break;
  }
  if (!problem.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("whoever changes ", path, " would run what he likes here: ", problem));
  }
  return resolved;
}

}  // namespace

absl::Status AllowedClients::Allow(absl::string_view text) {
  const std::pair<std::string, std::string> pair = absl::StrSplit(text, absl::MaxSplits('=', 1));
  const auto& [name, path] = pair;
  if (!IsName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text,
                     "' does not begin with a name; write NAME=/PATH, the name of "
                     "letters, digits, '-', '_' and '.', like kctl=/usr/local/bin/kctl"));
  }
  const std::vector<std::string> steps = absl::StrSplit(path, '/');
  const bool dots = std::any_of(steps.begin(), steps.end(), [](const std::string& step) {
    return step == ".." || step == ".";
  });
  if (!absl::StartsWith(path, "/") || dots) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", path, "' is no absolute path without '.' and '..'; write ", name, "=/PATH"));
  }
  RETURN_IF_ERROR(Trusted(path).status());
  if (!paths_.emplace(name, path).second) {
    return absl::InvalidArgumentError(absl::StrCat("the name ", name, " is given twice"));
  }
  return absl::OkStatus();
}

absl::Status AllowedClients::RunAs(const std::string& user) {
  errno = 0;
  const passwd* const entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("there is no user '", user, "' on this host"));
  }
  if (geteuid() != 0 && entry->pw_uid != geteuid()) {
    return absl::InvalidArgumentError(
        absl::StrCat("only an agent of root can start a program as ", user));
  }
  user_ = ProgramUser{.uid = entry->pw_uid, .gid = entry->pw_gid};
  return absl::OkStatus();
}

absl::Status AllowedClients::Resolve(ExternalClient* client) const {
  const auto found = paths_.find(client->name);
  if (found == paths_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, path] : paths_) names.push_back(name);
    return absl::PermissionDeniedError(absl::StrCat(
        "this agent's owner does not allow it: no client program is called '", client->name, "'; ",
        names.empty() ? "none is allowed"
                      : absl::StrCat("allowed are ", absl::StrJoin(names, ", ")),
        " (--allow-client NAME=/PATH of kbench-agent; a campaign gives the name)"));
  }
  absl::StatusOr<std::string> path = Trusted(found->second);
  if (!path.ok()) return Annotate(path.status(), absl::StrCat("client ", client->name));
  client->path = *std::move(path);
  client->user = user_;
  return absl::OkStatus();
}

std::map<std::string, std::string> AllowedClients::Problems() const {
  std::map<std::string, std::string> problems;
  for (const auto& [name, path] : paths_) {
    problems[name] = std::string(Trusted(path).status().message());
  }
  return problems;
}

}  // namespace kbench
