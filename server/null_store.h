// The floor of every comparison: a server that does everything but store. It keeps the entry that
// was put last and gives it for every key, so that a load phase makes GETs answer with values of
// the right length, at the price of no look-up at all.
#pragma once

#include <string>

#include "server/store.h"

namespace kbench::server {

class NullStore final : public Store {
 public:
  absl::string_view name() const override { return "null"; }
  bool keeps_versions() const override { return false; }
  absl::StatusOr<EntryRef> Find(absl::string_view) const override { return latest_; }
  absl::StatusOr<std::optional<Item>> Next(absl::string_view) const override {
    return std::nullopt;
  }
  absl::StatusOr<std::optional<Item>> Previous(absl::string_view) const override {
    return std::nullopt;
  }
  absl::Status Scan(Bound, Bound, bool,
                    const std::function<bool(absl::string_view)>&) const override {
    return absl::OkStatus();
  }
  absl::Status Apply(std::span<const Change> changes, Durability) override {
    for (const Change& change : changes) {
      if (change.entry != nullptr) latest_ = change.entry;
    }
    return absl::OkStatus();
  }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::StatusOr<std::string> LoadSettings() const override { return settings_; }
  absl::Status SaveSettings(absl::string_view settings) override {
    settings_ = std::string(settings);
    return absl::OkStatus();
  }
  absl::Status EraseAll(absl::string_view settings) override {
    latest_ = nullptr;
    return SaveSettings(settings);
  }
  absl::Status Compact(Bound, Bound) override { return absl::OkStatus(); }
  Room room() const override {
    return {.capacity_bytes = UINT64_MAX,
            .used_bytes = sizeof(*this) + (latest_ == nullptr ? 0 : latest_->value.size())};
  }

 private:
  EntryRef latest_;
  std::string settings_;
};

}  // namespace kbench::server
