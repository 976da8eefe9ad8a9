// Tags on the command line of kbench-kv: the one that a put carries, and whether a value that was
// read fits the one that came with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kinetic/types.h"

namespace kbench::client {

// As they are given; none: the option is not.
struct TagFlags {
  std::optional<std::string> tag;        // "auto", or hexadecimal digits, perhaps none
  std::optional<std::string> algorithm;  // "none", a name or a number
};

// What goes beside a value.
struct ChosenTag {
  std::optional<std::string> tag;
  std::optional<int32_t> algorithm;

  // Borrowed by *put.
  void Set(kinetic::Command* put) const;
};

// Of `value`; its CRC32C when nothing is given. InvalidArgument says what to give instead.
absl::StatusOr<ChosenTag> ChooseTag(const TagFlags& flags, absl::string_view value);

// "4 (crc32c)".
std::string ShowAlgorithm(int32_t algorithm);

// Whether the value fits the tag that came with it; nothing without one that is known.
std::optional<bool> FitsItsTag(const kinetic::KeyValue& read, absl::string_view value);
// Of one that does not: what is wrong, and what that may mean.
std::string TagComplaint(const kinetic::KeyValue& read);

}  // namespace kbench::client
