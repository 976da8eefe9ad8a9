#include "server/key_ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "kinetic/types.h"

namespace kbench::server {
namespace {

absl::Status AddLine(absl::string_view line, KeyRing* ring) {
  const size_t blank = line.find_first_of(" \t");
  int64_t identity = 0;
  if (!absl::SimpleAtoi(line.substr(0, blank), &identity)) {
    return absl::InvalidArgumentError("does not begin with a decimal identity");
  }
  const absl::string_view key = blank == absl::string_view::npos
                                    ? absl::string_view()
                                    : absl::StripLeadingAsciiWhitespace(line.substr(blank));
  if (key.empty()) return absl::InvalidArgumentError("has no key after the identity");
  absl::string_view hex = key;
  std::string bytes(key);
  if (absl::ConsumePrefix(&hex, "hex:")) {
    if (hex.empty() || hex.size() % 2 != 0 || !absl::c_all_of(hex, absl::ascii_isxdigit)) {
      return absl::InvalidArgumentError("has no pairs of hexadecimal digits after 'hex:'");
    }
    bytes = absl::HexStringToBytes(hex);
  }
  if (!ring->Add(identity, bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("names identity ", identity, " again"));
  }
  return absl::OkStatus();
}

}  // namespace

KeyRing KeyRing::Factory() {
  KeyRing ring;
  ring.Add(kinetic::kFactoryIdentity, kinetic::kFactoryKey);
  return ring;
}

absl::StatusOr<KeyRing> KeyRing::Parse(absl::string_view text) {
  KeyRing ring;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    RETURN_IF_ERROR(Annotate(AddLine(line, &ring), absl::StrCat("line ", number)));
  }
  if (ring.size() == 0) return absl::InvalidArgumentError("it names no identity");
  return ring;
}

absl::StatusOr<KeyRing> KeyRing::ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::NotFoundError(
        absl::StrCat("cannot read the identity key file ", path, ": ", std::strerror(errno)));
  }
  absl::StatusOr<KeyRing> ring = Parse(text.str());
  if (!ring.ok()) return Annotate(ring.status(), absl::StrCat("identity key file ", path));
  return ring;
}

bool KeyRing::Add(int64_t identity, absl::string_view key) {
  const auto at =
      std::lower_bound(keys_.begin(), keys_.end(), identity,
                       [](const Item& item, int64_t wanted) { return item.identity < wanted; });
  if (at != keys_.end() && at->identity == identity) return false;
  keys_.insert(at, Item{.identity = identity, .key = kinetic::HmacKey(key)});
  return true;
}

const kinetic::HmacKey* KeyRing::Find(int64_t identity) const {
  const auto at =
      std::lower_bound(keys_.begin(), keys_.end(), identity,
                       [](const Item& item, int64_t wanted) { return item.identity < wanted; });
  return at != keys_.end() && at->identity == identity ? &at->key : nullptr;
}

}  // namespace kbench::server
