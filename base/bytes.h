// Borrowed bytes. Frames, values and receive buffers are spans; keys, versions and tags, which are
// short and compared as strings of unsigned bytes, are absl::string_view.
#pragma once

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"

namespace kbench {

using Bytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

inline Bytes AsBytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline absl::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace kbench
