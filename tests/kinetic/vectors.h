// PDUs that other implementations sent, and what Google's protobuf said about them
// (tests/data/kinetic/README.md).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kinetic/hmac.h"
#include "kinetic/types.h"

namespace kbench::kinetic {

struct Vector {
  std::string name;  // case and number of the exchange
  std::string pdu;   // the whole PDU; a value of which the file keeps only a digest is zeros
  uint32_t message_size = 0;
  uint32_t value_size = 0;
  nlohmann::json expect;

  absl::string_view message() const { return absl::string_view(pdu).substr(9, message_size); }
  absl::string_view value() const { return absl::string_view(pdu).substr(9 + message_size); }
};

// Every PDU of the file, in its order.
const std::vector<Vector>& Vectors();

// The key with which an identity of the captured servers signs.
const HmacKey& KeyOf(int64_t identity);

// A message in the vocabulary of `expect`, complete: comparing the two objects compares the
// presence of every key as well as its value.
nlohmann::json Describe(const Message& message);

}  // namespace kbench::kinetic
