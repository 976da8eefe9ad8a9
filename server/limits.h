// What this server accepts, enforced and advertised in the handshake alike. The defaults are those
// of the kinetic-java simulator, which most clients were written against.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kinetic/frame.h"

namespace kbench::server {

inline constexpr uint32_t kUnlimited = 4294967295u;  // the wire's "no limit"

// The handshake's fields, for Limits::unlimited and Limits::untold.
enum LimitFlag : uint32_t {
  kKeyLimit = 1u << 0,
  kValueLimit = 1u << 1,
  kVersionLimit = 1u << 2,
  kTagLimit = 1u << 3,
  kConnectionsLimit = 1u << 4,
  kReadDepthLimit = 1u << 5,
  kWriteDepthLimit = 1u << 6,
  kMessageLimit = 1u << 7,
  kRangeLimit = 1u << 8,
  kIdentitiesLimit = 1u << 9,
  kPinLimit = 1u << 10,
  kBatchOperationsLimit = 1u << 11,
  kBatchesLimit = 1u << 12,
  kBatchSizeLimit = 1u << 13,
  kBatchDeletesLimit = 1u << 14,
};

struct Limits {
  uint32_t key_size = 4096;
  uint32_t value_size = kinetic::kSpecMaxValueSize;
  uint32_t version_size = 2048;
  uint32_t tag_size = 64 * 1024;
  uint32_t message_size = kinetic::kSpecMaxMessageSize;
  uint32_t range_keys = 200;
  uint32_t connections = 10'000;  // main() derives it from RLIMIT_NOFILE
  uint32_t identities = 1024;
  uint32_t pin_size = 64;
  uint32_t read_depth = kUnlimited;   // reads of one connection that are not answered
  uint32_t write_depth = kUnlimited;  // writes of one connection that are not answered
  uint32_t batch_operations = 15;
  uint32_t batches = 5;                    // open ones of a connection
  uint32_t batch_size = 64 * 1024 * 1024;  // bytes of one batch's changes
  uint32_t push_operations = 1000;         // of one PEER2PEERPUSH, nested ones included

  // What is enforced but told as kUnlimited, or not told at all; a limit that ParseLimits() names
  // is told as it is.
  uint32_t unlimited = 0;
  uint32_t untold = 0;

  // A value above value_size is never stored, but read past and refused, so that the connection
  // lives on; above this it is not worth reading, and the connection ends.
  uint32_t skipped_value_size = 8 * kinetic::kSpecMaxValueSize;
  // What the changes of all open batches may hold together.
  uint64_t waiting_bytes = uint64_t{1} << 30;
  // A connection with more bytes than this still to send is not read from until half are gone.
  size_t unsent_bytes = 16 * 1024 * 1024;
};

// "key=1024,range=800,connections=100" or "drive", which stands for what a drive with the vendor's
// server says of itself. Names: key, value, version, tag, message, range, connections, identities,
// pin, read-depth, write-depth, batch-operations, batches, batch-size. Sizes may have units
// (64KiB). What the text does not name stays as in `base`. Errors name the part that is wrong.
absl::StatusOr<Limits> ParseLimits(absl::string_view text, const Limits& base);
std::string LimitsHelp();

}  // namespace kbench::server
