// How kbench-kv ends, for the script that started it. The codes are part of the interface: a test
// asserts each one. They contradict none of kbench's own (controller/fleet/exit_codes.h).
//
// Inside, an absl::Status says why there is no answer:
//
//   InvalidArgument    the command line is wrong, or a file that it names cannot be read
//   Unavailable        no server, or none that answers in time
//   PermissionDenied   the server refused us otherwise than by an answer
//   DataLoss           the answer cannot be believed
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "kinetic/types.h"

namespace kbench::client {

enum class KvExit : int {
  kSuccess = 0,
  kInternal = 1,
  kUsage = 2,
  kUnreachable = 8,
  kUnbelievable = 9,
  kNotFound = 12,
  kVersionMismatch = 13,
  kRefused = 14,
};

struct KvExitMeaning {
  KvExit code;
  absl::string_view meaning;
};

// Printed by --help.
inline constexpr std::array<KvExitMeaning, 8> kKvExits = {{
    {KvExit::kSuccess, "SUCCESS"},
    {KvExit::kInternal, "internal error: what was read could not be written to stdout"},
    {KvExit::kUsage, "wrong command line, or a file that cannot be read"},
    {KvExit::kUnreachable,
     "unreachable: no connection, no Kinetic handshake, or no answer within --timeout"},
    {KvExit::kUnbelievable,
     "the answer cannot be believed: not of our key, none to the request by its message type, or "
     "with a tag that does not fit its value"},
    {KvExit::kNotFound, "NOT_FOUND"},
    {KvExit::kVersionMismatch, "VERSION_MISMATCH: another version of the key is stored"},
    {KvExit::kRefused, "refused: any other status, or the connection ended with one"},
}};

// Of an answer.
constexpr KvExit ExitOf(kinetic::StatusCode status) {
  switch (status) {
    case kinetic::StatusCode::kSuccess:
      return KvExit::kSuccess;
    case kinetic::StatusCode::kNotFound:
      return KvExit::kNotFound;
    case kinetic::StatusCode::kVersionMismatch:
      return KvExit::kVersionMismatch;
    default:
      return KvExit::kRefused;
  }
}

// Of what was no answer.
inline KvExit ExitOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return KvExit::kSuccess;
    case absl::StatusCode::kInvalidArgument:
      return KvExit::kUsage;
    case absl::StatusCode::kPermissionDenied:
      return KvExit::kRefused;
    case absl::StatusCode::kDataLoss:
      return KvExit::kUnbelievable;
    case absl::StatusCode::kUnavailable:
      return KvExit::kUnreachable;
    default:
      return KvExit::kInternal;
  }
}

// Why Client gave no reply, in the codes above. `last_word` is the status that the server said
// unasked before the connection ended; kInvalid: none.
absl::Status OfNoReply(const absl::Status& why, kinetic::StatusCode last_word, int64_t identity);

}  // namespace kbench::client
