// Who may do what: the identities that this server knows, each with its key and its scopes.
//
// A scope gives permissions for the keys that hold `value` at `offset`; an empty value fits every
// key, and a key that is too short for a scope is not in it. A scope with tls_required counts on
// TLS connections only. A request is allowed when any scope of its identity gives the permission
// that it needs (specification; the simulator wants every scope to give it where no key is
// concerned).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench::server {

struct Scope {
  uint64_t offset = 0;
  std::string value;
  std::vector<kinetic::Permission> permissions;
  bool tls_required = false;

  bool Gives(kinetic::Permission permission, bool tls) const;
  bool Fits(absl::string_view key) const;
};

struct Identity {
  explicit Identity(absl::string_view hmac_key) : key_text(hmac_key), key(hmac_key) {}

  std::string key_text;  // secret
  kinetic::HmacKey key;
  std::vector<Scope> scopes;
  int32_t max_priority = 0;  // 0: none was set

  // A permission for this key.
  bool Allows(kinetic::Permission permission, absl::string_view key, bool tls) const;
  // A permission that concerns no key, or for any key at all.
  bool AllowsAny(kinetic::Permission permission, bool tls) const;
  bool AllScopesAllow(kinetic::Permission permission, bool tls) const;
};

// Every permission for every key, on plain connections too.
Scope EverythingScope();

class AccessTable {
 public:
  // Null for an unknown identity. What is returned stays valid for the request that asked, whatever
  // it changes here.
  std::shared_ptr<const Identity> Find(int64_t id) const;
  void Set(int64_t id, std::shared_ptr<const Identity> identity);
  size_t size() const { return identities_.size(); }
  const std::map<int64_t, std::shared_ptr<const Identity>>& all() const { return identities_; }

  // Identity 1 with the key that every Kinetic device leaves the factory with, and all permissions.
  static AccessTable Factory();
  // Lines of `identity key`; empty lines and lines that begin with '#' are skipped. The key is
  // everything after the first run of blanks, up to blanks at the end; `hex:` before pairs of
  // hexadecimal digits gives any bytes. Each identity has all permissions. Errors name the line,
  // never the key.
  static absl::StatusOr<AccessTable> Parse(absl::string_view text);
  static absl::StatusOr<AccessTable> ReadFile(const std::string& path);

 private:
  std::map<int64_t, std::shared_ptr<const Identity>> identities_;
};

}  // namespace kbench::server
