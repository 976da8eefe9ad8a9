// Requests that change the device instead of its objects: SETUP, SECURITY, PINOP, SET_POWER_LEVEL.
// Each checks its permission, then its contents, then does all of it or nothing.
#pragma once

#include <string>

#include "kinetic/types.h"
#include "server/caller.h"
#include "server/device.h"
#include "server/dialect.h"
#include "server/limits.h"
#include "server/refusal.h"
#include "server/store.h"

namespace kbench::server {

class AdminRequests {
 public:
  // The pointers are borrowed and outlive this object.
  AdminRequests(const Limits* limits, const Dialect* dialect, Device* device, Store* store)
      : limits_(limits), dialect_(dialect), device_(device), store_(store) {}

  // The cluster version, or a firmware image: `value_size` bytes that are accepted and not kept.
  // *note: what the answer's message says of a success, if anything.
  Objection Setup(const kinetic::Command& request, uint64_t value_size, const Caller& caller,
                  std::string* note);
  // Identities and PINs, over TLS only. ACLs replace those of the identities that they name and
  // leave the others alone (specification: the list replaces the list; the simulator merges, and
  // kinetic-java and kinetic-py rely on it; Dialect::acls_replace_all).
  Objection Security(const kinetic::Command& request, const Caller& caller);
  // Vouched for by a PIN, over TLS only.
  Objection Pin(const kinetic::Command& request, kinetic::Text pin, bool tls);
  Objection Power(const kinetic::Command& request, const Caller& caller);

 private:
  Objection SetAcls(const kinetic::Security& security);
  Objection SetPin(kinetic::Text old_pin, kinetic::Text new_pin, std::string Device::State::*which);

  const Limits* limits_;
  const Dialect* dialect_;
  Device* device_;
  Store* store_;
};

}  // namespace kbench::server
