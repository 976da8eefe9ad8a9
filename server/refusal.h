// Why a request is not done: a status of the protocol, and a sentence for its sender.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "kinetic/types.h"

namespace kbench::server {

struct Refusal {
  kinetic::StatusCode code = kinetic::StatusCode::kInternalError;
  std::string why;
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
