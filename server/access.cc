#include "server/access.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace kbench::server {

using kinetic::Permission;

namespace {

absl::Status AddLine(absl::string_view line, AccessTable* table) {
  const size_t blank = line.find_first_of(" \t");
  int64_t id = 0;
  if (!absl::SimpleAtoi(line.substr(0, blank), &id)) {
    return absl::InvalidArgumentError("does not begin with a decimal identity");
  }
  const absl::string_view key = blank == absl::string_view::npos
                                    ? absl::string_view()
                                    : absl::StripLeadingAsciiWhitespace(line.substr(blank));
  if (key.empty()) return absl::InvalidArgumentError("has no key after the identity");
  absl::string_view hex = key;
  std::string bytes(key);
  if (absl::ConsumePrefix(&hex, "hex:")) {
    if (hex.empty() || hex.size() % 2 != 0 || !absl::c_all_of(hex, absl::ascii_isxdigit)) {
      return absl::InvalidArgumentError("has no pairs of hexadecimal digits after 'hex:'");
    }
    bytes = absl::HexStringToBytes(hex);
  }
  if (table->Find(id) != nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("names identity ", id, " again"));
  }
  auto identity = std::make_shared<Identity>(bytes);
  identity->scopes = {EverythingScope()};
  table->Set(id, std::move(identity));
  return absl::OkStatus();
}

}  // namespace

bool Scope::Gives(Permission permission, bool tls) const {
  return (tls || !tls_required) && absl::c_linear_search(permissions, permission);
}

bool Scope::Fits(absl::string_view key) const {
  return offset <= key.size() && key.substr(offset, value.size()) == value;
}

bool Identity::Allows(Permission permission, absl::string_view of_key, bool tls) const {
  return absl::c_any_of(scopes, [&](const Scope& scope) {
    return scope.Gives(permission, tls) && scope.Fits(of_key);
  });
}

bool Identity::AllowsAny(Permission permission, bool tls) const {
  return absl::c_any_of(scopes, [&](const Scope& scope) { return scope.Gives(permission, tls); });
}

bool Identity::AllScopesAllow(Permission permission, bool tls) const {
  return absl::c_all_of(scopes, [&](const Scope& scope) { return scope.Gives(permission, tls); });
}

Scope EverythingScope() {
  return {.permissions = {Permission::kRead, Permission::kWrite, Permission::kDelete,
                          Permission::kRange, Permission::kSetup, Permission::kPeerToPeer,
                          Permission::kGetLog, Permission::kSecurity,
                          Permission::kPowerManagement}};
}

std::shared_ptr<const Identity> AccessTable::Find(int64_t id) const {
  const auto it = identities_.find(id);
  return it == identities_.end() ? nullptr : it->second;
}

void AccessTable::Set(int64_t id, std::shared_ptr<const Identity> identity) {
  identities_[id] = std::move(identity);
}

AccessTable AccessTable::Factory() {
  AccessTable table;
  auto identity = std::make_shared<Identity>(kinetic::kFactoryKey);
  identity->scopes = {EverythingScope()};
  table.Set(kinetic::kFactoryIdentity, std::move(identity));
  return table;
}

absl::StatusOr<AccessTable> AccessTable::Parse(absl::string_view text) {
  AccessTable table;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    RETURN_IF_ERROR(Annotate(AddLine(line, &table), absl::StrCat("line ", number)));
  }
  if (table.size() == 0) return absl::InvalidArgumentError("it names no identity");
  return table;
}

absl::StatusOr<AccessTable> AccessTable::ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the identity key file ", path, ": ", std::strerror(errno)));
  }
  absl::StatusOr<AccessTable> table = Parse(text.str());
  if (!table.ok()) return Annotate(table.status(), absl::StrCat("identity key file ", path));
  return table;
}

}  // namespace kbench::server
