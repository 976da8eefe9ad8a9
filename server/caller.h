// Who asks, and over what.
#pragma once

#include <cstdint>

#include "kinetic/types.h"
#include "server/access.h"
#include "server/refusal.h"

namespace kbench::server {

struct Caller {
  int64_t id = 0;
  const Identity* identity = nullptr;  // not null
  bool tls = false;
  bool every_scope_must_give = false;  // where no key is concerned (Dialect)

  Objection May(kinetic::Permission permission, absl::string_view key) const {
    if (identity->Allows(permission, key, tls)) return std::nullopt;
    return NotAuthorized();
  }
  Objection MaySomewhere(kinetic::Permission permission) const {
    const bool may = every_scope_must_give ? identity->AllScopesAllow(permission, tls)
                                           : identity->AllowsAny(permission, tls);
    if (may) return std::nullopt;
    return NotAuthorized();
  }
};

}  // namespace kbench::server
