// Where objects live: a map from keys to entries, ordered by the keys' unsigned bytes, and beside
// it one text of settings. Protocol rules (versions, limits, statuses) are above this seam;
// durability is below it.
//
// An error is a Status: ResourceExhausted when there is no space, DataLoss when what was stored
// cannot be read back, Internal when the medium failed otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/entry.h"

namespace kbench::server {

class Store {
 public:
  struct Item {
    std::string key;
    EntryRef entry;
  };
  struct Bound {
    absl::string_view key;
    bool inclusive = false;
    bool open = false;  // no bound at all: the first, or the last, of all keys
  };
  // Puts an entry, or erases the key when there is none.
  struct Change {
    absl::string_view key;
    EntryRef entry;
  };
  enum class Durability {
    kLater,  // when the store likes; not lost unless the machine stops
    kNow,    // before Apply() returns
  };
  struct Room {
    uint64_t capacity_bytes = 0;
    uint64_t used_bytes = 0;  // bookkeeping included
  };

  virtual ~Store() = default;

  virtual absl::string_view name() const = 0;
  // False: what was put may come back under any key, so that versions mean nothing (null store).
  virtual bool keeps_versions() const { return true; }

  // Null when the key is not stored.
  virtual absl::StatusOr<EntryRef> Find(absl::string_view key) const = 0;
  // The nearest object above, or below, `key`, which itself need not be stored.
  virtual absl::StatusOr<std::optional<Item>> Next(absl::string_view key) const = 0;
  virtual absl::StatusOr<std::optional<Item>> Previous(absl::string_view key) const = 0;
  // Visits keys from `first` to `last`, or from `last` down to `first`, until `visit` is false.
  // An inverted range visits none. The store must not change meanwhile.
  virtual absl::Status Scan(Bound first, Bound last, bool reverse,
                            const std::function<bool(absl::string_view key)>& visit) const = 0;

  // All of the changes or, with an error, none of them, also across a crash. Of several changes of
  // one key the last one counts.
  virtual absl::Status Apply(std::span<const Change> changes, Durability durability) = 0;
  // Returns when everything applied so far is as durable as this store can make it.
  virtual absl::Status Flush() = 0;

  // The settings that were saved last; empty when none were.
  virtual absl::StatusOr<std::string> LoadSettings() const = 0;
  // Durable before it returns.
  virtual absl::Status SaveSettings(absl::string_view settings) = 0;
  // Forgets all objects and replaces the settings, both or neither, durably.
  virtual absl::Status EraseAll(absl::string_view settings) = 0;

  // Gives storage between `first` and `last` back, where there is any to give. The only call that
  // may come from another thread, beside all others.
  virtual absl::Status Compact(Bound first, Bound last) = 0;

  virtual Room room() const = 0;
};

}  // namespace kbench::server
