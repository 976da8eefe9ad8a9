// GET, its neighbours and versions, and ranges of keys: what may be seen, and how it is shown. An
// answer's views are valid until the next call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kinetic/types.h"
#include "server/caller.h"
#include "server/changes.h"
#include "server/dialect.h"
#include "server/entry.h"
#include "server/limits.h"
#include "server/outbox.h"
#include "server/refusal.h"
#include "server/store.h"

namespace kbench::server {

class Reads {
 public:
  // All outlive the object. `changes` knows the limits of a request's fields.
  Reads(const Limits* limits, const Dialect* dialect, Store* store, const Changes* changes)
      : limits_(limits), dialect_(dialect), store_(store), changes_(changes) {}

  // Each fills the response's keyValue, which is there, and the payload with the value.
  Objection Get(const kinetic::KeyValue& get, const Caller& caller, kinetic::Command* response,
                Payload* payload);
  Objection GetNeighbour(const kinetic::KeyValue& get, bool next, const Caller& caller,
                         kinetic::Command* response, Payload* payload);
  Objection GetVersion(const kinetic::KeyValue& get, const Caller& caller,
                       kinetic::Command* response);
  // Fills the response's range; a range without keys is absent.
  Objection GetKeyRange(const kinetic::Range& range, const Caller& caller,
                        kinetic::Command* response);

  // The bounds, the number of keys and the permission that a request about a range may have.
  Objection CheckRange(const kinetic::Range& range, const Caller& caller, uint32_t* keys_max) const;

 private:
  Refusal NotFound(kinetic::MessageType type) const;
  // An entry's metadata as a body, and its value unless only metadata was asked for.
  Payload Show(kinetic::Text key, const EntryRef& entry, bool metadata_only,
               kinetic::Command* response) const;

  const Limits* limits_;
  const Dialect* dialect_;
  Store* store_;
  const Changes* changes_;
  // What the keys of the last answer point to.
  std::string key_;
  std::vector<std::string> keys_;
};

}  // namespace kbench::server
