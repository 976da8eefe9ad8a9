#include "server/media_task.h"

#include <utility>

#include "kinetic/tag.h"
#include "server/changes.h"

namespace kbench::server {

using kinetic::StatusCode;
using kinetic::Text;

namespace {

constexpr Nanos kSlice = Micros(500);
constexpr size_t kKeysPerSlice = 256;

}  // namespace

OwnedRange::OwnedRange(const kinetic::Range& range)
    : start(OrEmpty(range.start_key)),
      end(OrEmpty(range.end_key)),
      start_inclusive(range.start_key_inclusive.value_or(false)),
      end_inclusive(range.end_key_inclusive.value_or(false)) {}

Store::Bound OwnedRange::First() const {
  return {.key = start, .inclusive = start_inclusive, .open = start.empty()};
}
Store::Bound OwnedRange::Last() const {
  return {.key = end, .inclusive = end_inclusive, .open = end.empty()};
}

ScanTask::ScanTask(const Options& options) : options_(options), range_(options.range) {}

bool ScanTask::Good(absl::string_view key) const {
  const absl::StatusOr<EntryRef> entry = options_.store->Find(key);
  if (!entry.ok()) return false;
  if (*entry == nullptr) return true;  // erased meanwhile
  const Entry& found = **entry;
  if (!found.tag.has_value()) return true;
  const int32_t algorithm = found.algorithm.value_or(0);
  const std::optional<bool> agrees = kinetic::TagAgrees(algorithm, *found.tag, found.value.bytes());
  // Of another length than its algorithm makes it is the digest of nothing.
  const size_t size = kinetic::TagSize(static_cast<kinetic::TagAlgorithm>(algorithm));
  return agrees.value_or(found.tag->empty() || size == 0);
}

bool ScanTask::Step() {
  std::vector<std::string> keys;
  const Store::Bound from = begun_ ? Store::Bound{.key = reached_} : range_.First();
  failed_ =
      options_.store->Scan(from, range_.Last(), /*reverse=*/false, [&](absl::string_view key) {
        keys.emplace_back(key);
        return keys.size() < kKeysPerSlice;
      });
  if (!failed_.ok()) return true;
  const MonoTime begin = MonoNow();
  for (std::string& key : keys) {
    const bool visible = options_.identity->Allows(kinetic::Permission::kRange, key, options_.tls);
    if (visible) {
      told_ = key;
      if (!Good(key)) bad_.push_back(key);
    }
    reached_ = std::move(key);
    begun_ = true;
    if (bad_.size() >= options_.keys_max) return true;
    const MonoTime now = MonoNow();
    if (options_.deadline.has_value() && now >= *options_.deadline) return expired_ = true;
    if (now - begin > kSlice) return false;
  }
  return keys.size() < kKeysPerSlice;
}

Objection ScanTask::Finish(kinetic::Command* response) {
  if (!failed_.ok()) return OfStore(failed_);
  kinetic::Range& range = response->range.emplace();
  range.end_key = options_.tells == Dialect::ScanTells::kRequestedEnd ? range_.end : told_;
  if (options_.tells == Dialect::ScanTells::kWholeRange) {
    range.start_key = range_.start;
    range.start_key_inclusive = range_.start_inclusive;
    range.end_key_inclusive = range_.end_inclusive;
  }
  range.keys.assign(bad_.begin(), bad_.end());
  if (!expired_) return std::nullopt;
  return Refusal{.code = StatusCode::kExpired,
                 .why = "the timeout passed; endKey is the last key that was looked at"};
}

CompactTask::CompactTask(Store* store, const kinetic::Range& range,
                         const std::function<void()>& wake)
    : range_(range), thread_([this, store, wake] {
        result_ = store->Compact(range_.First(), range_.Last());
        done_ = true;
        if (wake) wake();
      }) {}

Objection CompactTask::Finish(kinetic::Command* response) {
  if (!result_.ok()) return OfStore(result_);
  response->range.emplace().end_key = range_.end;
  return std::nullopt;
}

}  // namespace kbench::server
