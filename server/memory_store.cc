#include "server/memory_store.h"

#include <iterator>
#include <utility>

namespace kbench::server {

EntryRef MemoryStore::Find(absl::string_view key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : it->second;
}

std::optional<Store::Item> MemoryStore::Next(absl::string_view key) const {
  const auto it = entries_.upper_bound(key);
  if (it == entries_.end()) return std::nullopt;
  return Item{.key = it->first, .entry = it->second};
}

std::optional<Store::Item> MemoryStore::Previous(absl::string_view key) const {
  const auto above = entries_.lower_bound(key);
  if (above == entries_.begin()) return std::nullopt;
  const auto it = std::prev(above);
  return Item{.key = it->first, .entry = it->second};
}

void MemoryStore::Scan(Bound first, Bound last, bool reverse,
                       const std::function<bool(absl::string_view key)>& visit) const {
  if (last.key < first.key) return;
  if (first.key == last.key && !(first.inclusive && last.inclusive)) return;
  auto begin = first.inclusive ? entries_.lower_bound(first.key) : entries_.upper_bound(first.key);
  auto end = last.inclusive ? entries_.upper_bound(last.key) : entries_.lower_bound(last.key);
  while (begin != end) {
    const auto it = reverse ? --end : begin++;
    if (!visit(it->first)) return;
  }
}

void MemoryStore::Put(absl::string_view key, EntryRef entry) {
  const size_t value_size = entry->value.size();
  const auto it = entries_.lower_bound(key);
  if (it != entries_.end() && it->first == key) {
    bytes_ -= it->second->value.size();
    it->second = std::move(entry);
  } else {
    entries_.emplace_hint(it, std::string(key), std::move(entry));
    bytes_ += key.size();
  }
  bytes_ += value_size;
}

void MemoryStore::Erase(absl::string_view key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  bytes_ -= it->first.size() + it->second->value.size();
  entries_.erase(it);
}

}  // namespace kbench::server
