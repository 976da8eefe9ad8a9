#include "server/rocks_store.h"

#include <rocksdb/db.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/entry_codec.h"

namespace kbench::server {
namespace {

constexpr char kObject = 'o';
constexpr char kSettings[] = "s";

rocksdb::Slice AsSlice(absl::string_view text) { return {text.data(), text.size()}; }
absl::string_view AsView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string ObjectKey(absl::string_view key) {
  std::string stored(1, kObject);
  stored.append(key.data(), key.size());
  return stored;
}

// Where objects begin and what comes after the last of them.
const std::string& ObjectsBegin() {
  static const std::string* const begin = new std::string(1, kObject);
  return *begin;
}
const std::string& ObjectsEnd() {
  static const std::string* const end = new std::string(1, kObject + 1);
  return *end;
}

bool IsObject(const rocksdb::Iterator& it) { return it.Valid() && it.key()[0] == kObject; }

rocksdb::Options DatabaseOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  // What was torn by a crash is the log's end, never its middle.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.compression = rocksdb::kNoCompression;  // measured values are noise, or say that they are
  // Large values are written once to a file of their own and not again at every compaction.
  options.enable_blob_files = true;
  options.min_blob_size = 4096;
  options.enable_blob_garbage_collection = true;
  options.write_buffer_size = 64 << 20;
  options.max_write_buffer_number = 4;
  options.max_background_jobs = 2;
  options.max_open_files = RocksStore::kOpenFiles;
  options.statistics = rocksdb::CreateDBStatistics();
  options.keep_log_file_num = 4;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(64 << 20);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& directory) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DatabaseOptions(), directory, &db);
  if (!status.ok()) {
    const bool held = absl::StrContains(status.ToString(), "lock");
    return absl::FailedPreconditionError(
        absl::StrCat("cannot open the store in ", directory, ": ", status.ToString(),
                     held ? "; does another kbench-server use it?" : ""));
  }
  return std::unique_ptr<RocksStore>(new RocksStore(directory, std::unique_ptr<rocksdb::DB>(db)));
}

RocksStore::RocksStore(std::string directory, std::unique_ptr<rocksdb::DB> db)
    : directory_(std::move(directory)), db_(std::move(db)) {}

RocksStore::~RocksStore() {
  // What has not been asked to be durable is, when the server ends in order.
  (void)db_->SyncWAL();
  (void)db_->Close();
}

uint64_t RocksStore::syncs() const {
  return db_->GetDBOptions().statistics->getTickerCount(rocksdb::WAL_FILE_SYNCED);
}

absl::Status RocksStore::Explain(absl::string_view what, const rocksdb::Status& status) const {
  const std::string text =
      absl::StrCat("cannot ", what, " the store in ", directory_, ": ", status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsNoSpace() || absl::StrContains(status.ToString(), "No space left")) {
    return absl::ResourceExhaustedError(text);
  }
  return absl::InternalError(text);
}

absl::StatusOr<EntryRef> RocksStore::Find(absl::string_view key) const {
  rocksdb::PinnableSlice record;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(),
                                          AsSlice(ObjectKey(key)), &record);
  if (status.IsNotFound()) return EntryRef();
  if (!status.ok()) return Explain("read", status);
  return DecodeEntry(AsView(record));
}

absl::StatusOr<std::optional<Store::Item>> RocksStore::Next(absl::string_view key) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  const std::string from = ObjectKey(key);
  it->Seek(from);
  if (IsObject(*it) && it->key() == from) it->Next();
  if (!it->status().ok()) return Explain("read", it->status());
  if (!IsObject(*it)) return std::nullopt;
  absl::StatusOr<EntryRef> entry = DecodeEntry(AsView(it->value()));
  if (!entry.ok()) return entry.status();
  return Item{.key = std::string(AsView(it->key()).substr(1)), .entry = *std::move(entry)};
}

absl::StatusOr<std::optional<Store::Item>> RocksStore::Previous(absl::string_view key) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  const std::string from = ObjectKey(key);
  it->SeekForPrev(from);
  if (IsObject(*it) && it->key() == from) it->Prev();
  if (!it->status().ok()) return Explain("read", it->status());
  if (!IsObject(*it)) return std::nullopt;
  absl::StatusOr<EntryRef> entry = DecodeEntry(AsView(it->value()));
  if (!entry.ok()) return entry.status();
  return Item{.key = std::string(AsView(it->key()).substr(1)), .entry = *std::move(entry)};
}

absl::Status RocksStore::Scan(Bound first, Bound last, bool reverse,
                              const std::function<bool(absl::string_view key)>& visit) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  const auto above_first = [&](absl::string_view key) {
    return first.open || key > first.key || (first.inclusive && key == first.key);
  };
  const auto below_last = [&](absl::string_view key) {
    return last.open || key < last.key || (last.inclusive && key == last.key);
  };
  if (reverse) {
    it->SeekForPrev(last.open ? ObjectsEnd() : ObjectKey(last.key));
  } else {
    it->Seek(first.open ? ObjectsBegin() : ObjectKey(first.key));
  }
  for (; it->Valid(); reverse ? it->Prev() : it->Next()) {
    if (!IsObject(*it)) {
      if (reverse && it->key()[0] > kObject) continue;  // the settings come after the objects
      break;
    }
    const absl::string_view key = AsView(it->key()).substr(1);
    const bool before = reverse ? !below_last(key) : !above_first(key);
    if (before) continue;
    const bool within = reverse ? above_first(key) : below_last(key);
    if (!within || !visit(key)) break;
  }
  return it->status().ok() ? absl::OkStatus() : Explain("read", it->status());
}

absl::Status RocksStore::Apply(std::span<const Change> changes, Durability durability) {
  rocksdb::WriteBatch batch;
  for (const Change& change : changes) {
    const std::string key = ObjectKey(change.key);
    if (change.entry == nullptr) {
      batch.Delete(key);
      continue;
    }
    const std::string head = EncodeEntryHead(*change.entry);
    const rocksdb::Slice stored = key;
    const std::array<rocksdb::Slice, 2> parts = {rocksdb::Slice(head),
                                                 AsSlice(AsText(change.entry->value.bytes()))};
    batch.Put(rocksdb::SliceParts(&stored, 1), rocksdb::SliceParts(parts.data(), parts.size()));
  }
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::kNow;
  const rocksdb::Status status = db_->Write(options, &batch);
  return status.ok() ? absl::OkStatus() : Explain("write to", status);
}

absl::Status RocksStore::Flush() {
  const rocksdb::Status status = db_->SyncWAL();
  return status.ok() ? absl::OkStatus() : Explain("sync", status);
}

absl::StatusOr<std::string> RocksStore::LoadSettings() const {
  std::string settings;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), kSettings, &settings);
  if (status.ok() || status.IsNotFound()) return settings;
  return Explain("read the settings of", status);
}

absl::Status RocksStore::SaveSettings(absl::string_view settings) {
  rocksdb::WriteOptions options;
  options.sync = true;
  const rocksdb::Status status = db_->Put(options, kSettings, AsSlice(settings));
  return status.ok() ? absl::OkStatus() : Explain("save the settings of", status);
}

absl::Status RocksStore::EraseAll(absl::string_view settings) {
  rocksdb::WriteBatch batch;
  batch.DeleteRange(ObjectsBegin(), ObjectsEnd());
  batch.Put(kSettings, AsSlice(settings));
  rocksdb::WriteOptions options;
  options.sync = true;
  const rocksdb::Status status = db_->Write(options, &batch);
  return status.ok() ? absl::OkStatus() : Explain("erase", status);
}

absl::Status RocksStore::Compact(Bound first, Bound last) {
  const std::string begin = first.open ? ObjectsBegin() : ObjectKey(first.key);
  const std::string end = last.open ? ObjectsEnd() : ObjectKey(last.key);
  const rocksdb::Slice from = begin, upto = end;
  const rocksdb::Status status = db_->CompactRange(rocksdb::CompactRangeOptions(), &from, &upto);
  return status.ok() ? absl::OkStatus() : Explain("compact", status);
}

Store::Room RocksStore::room() const {
  struct statvfs disk = {};
  if (statvfs(directory_.c_str(), &disk) != 0) return {};
  const uint64_t block = disk.f_frsize;
  return {.capacity_bytes = disk.f_blocks * block,
          .used_bytes = (disk.f_blocks - disk.f_bavail) * block};
}

}  // namespace kbench::server
