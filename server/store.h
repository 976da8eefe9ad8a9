// Where objects live: a map from keys to entries, ordered by the keys' unsigned bytes. Protocol
// rules (versions, limits, statuses) are above this seam; durability is below it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/strings/string_view.h"
#include "server/entry.h"

namespace kbench::server {

class Store {
 public:
  // The key is valid until the store next changes.
  struct Item {
    absl::string_view key;
    EntryRef entry;
  };
  struct Bound {
    absl::string_view key;
    bool inclusive = false;
  };

  virtual ~Store() = default;

  virtual EntryRef Find(absl::string_view key) const = 0;
  // The nearest object above, or below, `key`, which itself need not be stored.
  virtual std::optional<Item> Next(absl::string_view key) const = 0;
  virtual std::optional<Item> Previous(absl::string_view key) const = 0;
  // Visits keys from `first` to `last`, or from `last` down to `first`, until `visit` is false.
  // An inverted range visits none.
  virtual void Scan(Bound first, Bound last, bool reverse,
                    const std::function<bool(absl::string_view key)>& visit) const = 0;

  virtual void Put(absl::string_view key, EntryRef entry) = 0;
  virtual void Erase(absl::string_view key) = 0;
  // Returns when everything put or erased so far is as durable as this store can make it.
  virtual void Flush() = 0;

  virtual uint64_t bytes() const = 0;  // of keys and values
};

}  // namespace kbench::server
