// Objects in RAM, gone when the server ends.
#pragma once

#include <string>

#include "absl/container/btree_map.h"
#include "server/store.h"

namespace kbench::server {

class MemoryStore final : public Store {
 public:
  // Holds up to `capacity_bytes` of keys, values and bookkeeping.
  explicit MemoryStore(uint64_t capacity_bytes = UINT64_MAX) : capacity_(capacity_bytes) {}

  absl::string_view name() const override { return "memory"; }
  absl::StatusOr<EntryRef> Find(absl::string_view key) const override;
  absl::StatusOr<std::optional<Item>> Next(absl::string_view key) const override;
  absl::StatusOr<std::optional<Item>> Previous(absl::string_view key) const override;
  absl::Status Scan(Bound first, Bound last, bool reverse,
                    const std::function<bool(absl::string_view key)>& visit) const override;
  absl::Status Apply(std::span<const Change> changes, Durability durability) override;
  absl::Status Flush() override { return absl::OkStatus(); }  // RAM is as durable as it gets
  absl::StatusOr<std::string> LoadSettings() const override { return settings_; }
  absl::Status SaveSettings(absl::string_view settings) override;
  absl::Status EraseAll(absl::string_view settings) override;
  absl::Status Compact(Bound, Bound) override { return absl::OkStatus(); }  // nothing is left over
  Room room() const override { return {.capacity_bytes = capacity_, .used_bytes = used_}; }

 private:
  // What an object costs beside its key and value: about, for the allocator has its own rounding.
  static constexpr uint64_t kOverhead = sizeof(Entry) + 64;

  static uint64_t CostOf(absl::string_view key, const Entry& entry) {
    const size_t tag = entry.tag.has_value() ? entry.tag->size() : 0;
    return key.size() + entry.value.size() + entry.version.size() + tag + kOverhead;
  }
  bool Fit(std::span<const Change> changes) const;
  void Put(absl::string_view key, EntryRef entry);
  void Erase(absl::string_view key);

  uint64_t capacity_;
  uint64_t used_ = 4096;
  // absl::string_view compares with memcmp: as unsigned bytes, a prefix before what it begins.
  struct UnsignedBytes {
    using is_transparent = void;
    bool operator()(absl::string_view a, absl::string_view b) const { return a < b; }
  };

  absl::btree_map<std::string, EntryRef, UnsignedBytes> entries_;
  std::string settings_;
};

}  // namespace kbench::server
