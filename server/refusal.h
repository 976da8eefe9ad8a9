// Why a request is not done: a status of the protocol, and a sentence for its sender.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "kinetic/types.h"

namespace kbench::server {

// How a refusal reaches its sender.
enum class Ending : uint8_t {
  kAnswer,   // by an answer; the connection goes on
  kTell,     // by an unsolicited status, the connection's last word
  kSilence,  // the connection is closed without a word
};

struct Refusal {
  kinetic::StatusCode code = kinetic::StatusCode::kInternalError;
  std::string why;
  Ending ending = Ending::kAnswer;
  bool in_detail = false;  // `why` is the status' detailedMessage, and it has no statusMessage
};

// Nothing: the request may go on.
using Objection = std::optional<Refusal>;

inline Refusal Invalid(std::string why) {
  return {.code = kinetic::StatusCode::kInvalidRequest, .why = std::move(why)};
}

// kinetic-java's own tests compare these words.
inline Refusal NotAuthorized() {
  return {.code = kinetic::StatusCode::kNotAuthorized, .why = "permission denied"};
}

// What went wrong below the protocol (server/store.h).
inline Refusal OfStore(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return {.code = kinetic::StatusCode::kNoSpace, .why = std::string(status.message())};
    case absl::StatusCode::kDataLoss:
      return {.code = kinetic::StatusCode::kPermDataError, .why = std::string(status.message())};
    default:
      return {.code = kinetic::StatusCode::kInternalError, .why = std::string(status.message())};
  }
}

}  // namespace kbench::server

// Returns the refusal that `expr` gives, if it gives one.
#define RETURN_IF_REFUSED(expr) \
  if (auto refusal_ = (expr); refusal_.has_value()) return *std::move(refusal_)
