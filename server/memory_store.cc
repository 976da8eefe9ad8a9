#include "server/memory_store.h"

#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kbench::server {

absl::StatusOr<EntryRef> MemoryStore::Find(absl::string_view key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : it->second;
}

absl::StatusOr<std::optional<Store::Item>> MemoryStore::Next(absl::string_view key) const {
  const auto it = entries_.upper_bound(key);
  if (it == entries_.end()) return std::nullopt;
  return Item{.key = it->first, .entry = it->second};
}

absl::StatusOr<std::optional<Store::Item>> MemoryStore::Previous(absl::string_view key) const {
  const auto above = entries_.lower_bound(key);
  if (above == entries_.begin()) return std::nullopt;
  const auto it = std::prev(above);
  return Item{.key = it->first, .entry = it->second};
}

absl::Status MemoryStore::Scan(Bound first, Bound last, bool reverse,
                               const std::function<bool(absl::string_view key)>& visit) const {
  if (!first.open && !last.open) {
    if (last.key < first.key) return absl::OkStatus();
    if (first.key == last.key && !(first.inclusive && last.inclusive)) return absl::OkStatus();
  }
  auto begin = first.open        ? entries_.begin()
               : first.inclusive ? entries_.lower_bound(first.key)
                                 : entries_.upper_bound(first.key);
  auto end = last.open        ? entries_.end()
             : last.inclusive ? entries_.upper_bound(last.key)
                              : entries_.lower_bound(last.key);
  while (begin != end) {
    const auto it = reverse ? --end : begin++;
    if (!visit(it->first)) break;
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::Apply(std::span<const Change> changes, Durability) {
  uint64_t more = 0;
  for (const Change& change : changes) {
    if (change.entry != nullptr) more += CostOf(change.key, *change.entry);
  }
  if (used_ + more > capacity_ && !Fit(changes)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the memory store holds ", used_, " of ", capacity_, " bytes"));
  }
  for (const Change& change : changes) {
    if (change.entry != nullptr) {
      Put(change.key, change.entry);
    } else {
      Erase(change.key);
    }
  }
  return absl::OkStatus();
}

// Only near the end is it worth knowing what changes replace, the store's objects and each other.
bool MemoryStore::Fit(std::span<const Change> changes) const {
  std::map<absl::string_view, uint64_t> costs;  // of each key, after the changes
  for (const Change& change : changes) {
    costs[change.key] = change.entry == nullptr ? 0 : CostOf(change.key, *change.entry);
  }
  uint64_t used = used_;
  for (const auto& [key, cost] : costs) {
    const auto it = entries_.find(key);
    used += cost;
    if (it != entries_.end()) used -= CostOf(key, *it->second);
  }
  return used <= capacity_;
}

void MemoryStore::Put(absl::string_view key, EntryRef entry) {
  used_ += CostOf(key, *entry);
  const auto it = entries_.lower_bound(key);
  if (it != entries_.end() && it->first == key) {
    used_ -= CostOf(key, *it->second);
    it->second = std::move(entry);
  } else {
    entries_.emplace_hint(it, std::string(key), std::move(entry));
  }
}

void MemoryStore::Erase(absl::string_view key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  used_ -= CostOf(key, *it->second);
  entries_.erase(it);
}

absl::Status MemoryStore::SaveSettings(absl::string_view settings) {
  settings_ = std::string(settings);
  return absl::OkStatus();
}

absl::Status MemoryStore::EraseAll(absl::string_view settings) {
  for (const auto& [key, entry] : entries_) used_ -= CostOf(key, *entry);
  entries_.clear();
  return SaveSettings(settings);
}

}  // namespace kbench::server
