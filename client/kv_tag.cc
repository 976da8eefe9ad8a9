#include "client/kv_tag.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status_macros.h"
#include "kinetic/tag.h"

namespace kbench::client {
namespace {

using kinetic::TagAlgorithm;

absl::StatusOr<int32_t> ParseAlgorithm(const std::string& text) {
  int32_t number = 0;
  if (absl::SimpleAtoi(text, &number)) return number;
  const auto named = kinetic::ParseTagAlgorithm(text);
  if (named.ok()) return static_cast<int32_t>(*named);
  return absl::InvalidArgumentError(
      absl::StrCat("--algorithm: ", named.status().message(), "; or a number, or none"));
}

absl::StatusOr<std::string> ParseTag(const std::string& text) {
  if (text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return absl::ascii_isxdigit(c);
      })) {
    return absl::HexStringToBytes(text);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--tag: '", text, "' is not whole bytes in hexadecimal; give them like e3069283, or auto"));
}

}  // namespace

void ChosenTag::Set(kinetic::Command* put) const {
  if (tag.has_value()) put->key_value->tag = *tag;
  put->key_value->algorithm = algorithm;
}

absl::StatusOr<ChosenTag> ChooseTag(const TagFlags& flags, absl::string_view value) {
  ChosenTag chosen;
  const bool given = flags.tag.value_or("auto") != "auto";
  if (given && !flags.algorithm.has_value()) {
    return absl::InvalidArgumentError(
        "--tag needs --algorithm beside it, or the server would be told that the tag is a CRC32C; "
        "none sends the tag without an algorithm");
  }
  if (flags.algorithm.value_or("crc32c") != "none") {
    ASSIGN_OR_RETURN(chosen.algorithm, ParseAlgorithm(flags.algorithm.value_or("crc32c")));
  }
  if (given) {
    ASSIGN_OR_RETURN(chosen.tag, ParseTag(*flags.tag));
    return chosen;
  }
  if (!chosen.algorithm.has_value()) return chosen;
  const auto algorithm = static_cast<TagAlgorithm>(*chosen.algorithm);
  if (kinetic::TagSize(algorithm) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--algorithm ", *flags.algorithm,
                     ": tags are made by crc32c, sha1 and sha2; give this one by --tag HEX"));
  }
  chosen.tag = std::string(kinetic::MakeTag(algorithm, AsBytes(value)).text());
  return chosen;
}

std::string ShowAlgorithm(int32_t algorithm) {
  const absl::string_view name = kinetic::TagName(static_cast<TagAlgorithm>(algorithm));
  return name.empty() ? absl::StrCat(algorithm) : absl::StrCat(algorithm, " (", name, ")");
}

std::optional<bool> FitsItsTag(const kinetic::KeyValue& read, absl::string_view value) {
  if (!read.tag.has_value()) return std::nullopt;
  return kinetic::TagAgrees(read.algorithm.value_or(0), *read.tag, AsBytes(value));
}

std::string TagComplaint(const kinetic::KeyValue& read) {
  return absl::StrCat("the value does not fit its tag: ", absl::BytesToHexString(*read.tag),
                      " is not what algorithm ", ShowAlgorithm(*read.algorithm),
                      " makes of it; one of them is damaged, or whoever wrote it meant another");
}

}  // namespace kbench::client
