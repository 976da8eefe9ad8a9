// One stored object, immutable and shared: an answer that is still being sent keeps its entry
// alive while the store already holds the next version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace kbench::server {

// Owned bytes that are never zeroed and never copied: the request reader fills them from the
// socket, the store keeps them, and answers point into them. Aligned to a cache line, because
// copies from buffers a few bytes off a page are slow on some machines.
class Value {
 public:
  Value() = default;
  explicit Value(size_t size);

  uint8_t* data() { return data_.get(); }
  size_t size() const { return size_; }
  Bytes bytes() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(uint8_t* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<uint8_t, Free> data_;
  size_t size_ = 0;
};

struct Entry {
  std::string version;
  std::optional<std::string> tag;
  std::optional<int32_t> algorithm;
  Value value;
};

using EntryRef = std::shared_ptr<const Entry>;

}  // namespace kbench::server
