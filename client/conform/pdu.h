// A step's request as bytes: right where the step says nothing, wrong where it says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/conform/case.h"
#include "kinetic/types.h"

namespace kbench::conform {

// Who asks, on which connection.
struct Asker {
  int64_t identity = kinetic::kFactoryIdentity;
  std::string key = std::string(kinetic::kFactoryKey);
  int64_t connection_id = 0;
  int64_t cluster_version = 0;
  uint64_t last_sequence = 0;  // the largest so far
};

struct Pdu {
  std::string bytes;
  std::optional<uint64_t> sequence;  // that an answer can acknowledge
  std::optional<kinetic::MessageType> response_type;
};

Pdu Build(const Step& step, Asker* asker);

}  // namespace kbench::conform
