// A fuzzer's input as a script, so that it gets past signatures and lengths: steps of
//
//   kind:u8, size:u16le, bytes
//
// the last one cut short where the input ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/varint.h"

namespace kbench::fuzz {

struct Step {
  uint8_t kind = 0;
  Bytes bytes;
};

// False: the script is over.
inline bool NextStep(Bytes* script, Step* step) {
  if (script->size() < 3) return false;
  step->kind = (*script)[0];
  const size_t size = (*script)[1] | size_t{(*script)[2]} << 8;
  *script = script->subspan(3);
  step->bytes = script->first(std::min(size, script->size()));
  *script = script->subspan(step->bytes.size());
  return true;
}

// A Kinetic message that holds nothing but these command bytes (field 7).
inline std::string MessageOf(Bytes command_bytes) {
  std::string message("\x3a");
  AppendVarint(&message, command_bytes.size());
  absl::StrAppend(&message, AsText(command_bytes));
  return message;
}

}  // namespace kbench::fuzz
