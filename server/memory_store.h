// Objects in this process's memory. Nothing survives its end, so Flush() has nothing to wait for.
#pragma once

#include <string>

#include "absl/container/btree_map.h"
#include "server/store.h"

namespace kbench::server {

class MemoryStore : public Store {
 public:
  EntryRef Find(absl::string_view key) const override;
  std::optional<Item> Next(absl::string_view key) const override;
  std::optional<Item> Previous(absl::string_view key) const override;
  void Scan(Bound first, Bound last, bool reverse,
            const std::function<bool(absl::string_view key)>& visit) const override;
  void Put(absl::string_view key, EntryRef entry) override;
  void Erase(absl::string_view key) override;
  void Flush() override {}
  uint64_t bytes() const override { return bytes_; }

 private:
  // absl::string_view compares with memcmp: as unsigned bytes, a prefix before what it begins.
  struct UnsignedBytes {
    using is_transparent = void;
    bool operator()(absl::string_view a, absl::string_view b) const { return a < b; }
  };

  absl::btree_map<std::string, EntryRef, UnsignedBytes> entries_;
  uint64_t bytes_ = 0;
};

}  // namespace kbench::server
