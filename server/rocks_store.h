// Objects on disk, in RocksDB: kept across restarts, `kill -9` and, as far as their durability was
// asked for, a machine that stops. One directory is one server's.
//
//   'o' key   an object (server/entry_codec.h)
//   's'       the settings
#pragma once

#include <memory>
#include <string>

#include "server/store.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace kbench::server {

class RocksStore final : public Store {
 public:
  // Makes the directory when it is missing. FailedPrecondition when another server holds it.
  static absl::StatusOr<std::unique_ptr<RocksStore>> Open(const std::string& directory);
  ~RocksStore() override;

  // File descriptors that it may hold at once, about.
  static constexpr int kOpenFiles = 256;
  // How often its log was synced to the disk.
  uint64_t syncs() const;

  absl::string_view name() const override { return "rocksdb"; }
  absl::StatusOr<EntryRef> Find(absl::string_view key) const override;
  absl::StatusOr<std::optional<Item>> Next(absl::string_view key) const override;
  absl::StatusOr<std::optional<Item>> Previous(absl::string_view key) const override;
  absl::Status Scan(Bound first, Bound last, bool reverse,
                    const std::function<bool(absl::string_view key)>& visit) const override;
  absl::Status Apply(std::span<const Change> changes, Durability durability) override;
  absl::Status Flush() override;
  absl::StatusOr<std::string> LoadSettings() const override;
  absl::Status SaveSettings(absl::string_view settings) override;
  absl::Status EraseAll(absl::string_view settings) override;
  absl::Status Compact(Bound first, Bound last) override;
  Room room() const override;

 private:
  RocksStore(std::string directory, std::unique_ptr<rocksdb::DB> db);

  absl::Status Explain(absl::string_view what, const rocksdb::Status& status) const;

  std::string directory_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace kbench::server
