// What this server accepts, enforced and advertised in the handshake alike. Sizes are those of the
// kinetic-java simulator, which most clients were written against.
#pragma once

#include <cstdint>

#include "kinetic/frame.h"

namespace kbench::server {

inline constexpr uint32_t kUnlimited = 4294967295u;  // the wire's "no limit"

struct Limits {
  uint32_t key_size = 4096;
  uint32_t value_size = kinetic::kSpecMaxValueSize;
  uint32_t version_size = 2048;
  uint32_t tag_size = 64 * 1024;
  uint32_t message_size = kinetic::kSpecMaxMessageSize;
  uint32_t range_keys = 200;
  uint32_t connections = 10'000;  // main() derives it from RLIMIT_NOFILE
  uint32_t identities = 1024;

  // A value above value_size is never stored, but read past and refused, so that the connection
  // lives on; above this it is not worth reading, and the connection ends.
  uint32_t skipped_value_size = 8 * kinetic::kSpecMaxValueSize;
  // A connection with more bytes than this still to send is not read from until half are gone.
  size_t unsent_bytes = 16 * 1024 * 1024;
};

}  // namespace kbench::server
