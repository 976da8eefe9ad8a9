// The rules of PUT and DELETE, alone or in a batch: lengths, permission, version, durability.
#pragma once

#include <cstdint>
#include <string>

#include "kinetic/types.h"
#include "server/caller.h"
#include "server/dialect.h"
#include "server/entry.h"
#include "server/limits.h"
#include "server/refusal.h"
#include "server/store.h"

namespace kbench::server {

// What a PUT (with an entry) or a DELETE (without) wants of the store. The views are the caller's.
struct ChangeRequest {
  kinetic::Text key;
  kinetic::Text db_version;
  bool force = false;
  EntryRef entry;
};

class Changes {
 public:
  // `default_synchronization` is that of changes that name none; kInvalid leaves that to the
  // dialect. Borrowed pointers outlive this object.
  Changes(const Limits* limits, const Store* store, const Dialect* dialect,
          kinetic::Synchronization default_synchronization)
      : limits_(limits),
        store_(store),
        dialect_(dialect),
        default_synchronization_(default_synchronization != kinetic::Synchronization::kInvalid
                                     ? default_synchronization
                                     : dialect->without_synchronization) {}

  // Whether a PUT has the fields that the dialect wants.
  Objection HasWhatItNeeds(const kinetic::KeyValue& put) const;
  // Whether the lengths of a request's fields, and of its value, are within the limits.
  Objection WithinLimits(const kinetic::KeyValue& key_value, uint64_t value_size) const;
  // When the change is to be durable; the refusal says what it must name.
  Objection Synchronization(const kinetic::KeyValue& key_value,
                            kinetic::Synchronization* synchronization) const;
  // Whether the caller may, and whether the stored version agrees: NOT_FOUND before
  // VERSION_MISMATCH for a DELETE of what is not stored.
  Objection MayApply(const ChangeRequest& change, const Caller& caller) const;

  static EntryRef MakeEntry(const kinetic::KeyValue& put, Value value);

 private:
  const Limits* limits_;
  const Store* store_;
  const Dialect* dialect_;
  kinetic::Synchronization default_synchronization_;
};

inline kinetic::Text OrEmpty(const std::optional<kinetic::Text>& text) {
  return text.value_or(kinetic::Text());
}

}  // namespace kbench::server
