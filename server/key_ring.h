// The identities that this server knows, and the key that signs for each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kinetic/hmac.h"

namespace kbench::server {

class KeyRing {
 public:
  KeyRing() = default;
  KeyRing(KeyRing&&) = default;
  KeyRing& operator=(KeyRing&&) = default;

  // Identity 1 with the key that every Kinetic device leaves the factory with.
  static KeyRing Factory();
  // Lines of `identity key`; empty lines and lines that begin with '#' are skipped. The key is
  // everything after the first run of blanks, up to blanks at the end; `hex:` before pairs of
  // hexadecimal digits gives any bytes. Errors name the line, never the key.
  static absl::StatusOr<KeyRing> Parse(absl::string_view text);
  static absl::StatusOr<KeyRing> ReadFile(const std::string& path);

  // False: the identity is known already.
  bool Add(int64_t identity, absl::string_view key);
  // Null for an unknown identity. Valid while the ring lives and nothing is added.
  const kinetic::HmacKey* Find(int64_t identity) const;
  size_t size() const { return keys_.size(); }

 private:
  struct Item {
    int64_t identity = 0;
    kinetic::HmacKey key;
  };
  std::vector<Item> keys_;  // sorted by identity
};

}  // namespace kbench::server
