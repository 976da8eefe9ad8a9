// Whatever the bytes, a stream cut into any pieces gives the same PDUs, the same error and the
// same end as the stream in one piece, whether values are kept or counted.
//
//   input := split seed (8 bytes, little endian) stream
#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "kinetic/frame.h"

namespace kbench::kinetic {
namespace {

constexpr FrameLimits kLimits = {.max_message_size = 4096, .max_value_size = 4096};

struct Outcome {
  std::vector<std::string> parts;  // message, value, message, value, ...
  std::vector<size_t> sizes;
  absl::Status status;
  bool at_boundary = false;
};

void Check(bool condition) {
  if (!condition) std::abort();
}

Outcome Read(Bytes stream, FrameReader::ValuePolicy policy, Random* split) {
  FrameReader reader(kLimits, policy);
  Outcome outcome;
  std::string counted;  // pieces of a value that is not kept
  while (!stream.empty() && outcome.status.ok()) {
    const size_t size = split == nullptr ? stream.size() : 1 + split->Below(split->Below(64) + 1);
    const Bytes taken = stream.first(std::min(size, stream.size()));
    stream = stream.subspan(taken.size());
    const std::vector<uint8_t> piece(taken.begin(), taken.end());  // gone before the next one
    for (Bytes in = piece; !in.empty();) {
      const absl::StatusOr<bool> complete = reader.Consume(&in);
      outcome.status = complete.status();
      if (!complete.ok()) break;
      counted += std::string(AsText(reader.value_piece()));
      Check(*complete || in.empty());
      if (!*complete) break;
      Check(reader.at_boundary());
      outcome.parts.emplace_back(AsText(reader.message()));
      outcome.parts.emplace_back(policy == FrameReader::ValuePolicy::kKeep
                                     ? std::string(AsText(reader.value()))
                                     : std::exchange(counted, ""));
      outcome.sizes.push_back(reader.size());
    }
  }
  outcome.at_boundary = reader.at_boundary();
  return outcome;
}

void CheckSame(const Outcome& a, const Outcome& b) {
  Check(a.sizes == b.sizes);
  Check(a.status == b.status);
  Check(a.at_boundary == b.at_boundary);
}

int RunInput(const uint8_t* data, size_t size) {
  if (size < 8) return 0;
  uint64_t seed = 0;
  for (int i = 7; i >= 0; --i) seed = seed << 8 | data[i];
  const Bytes stream(data + 8, size - 8);

  const Outcome whole = Read(stream, FrameReader::ValuePolicy::kKeep, nullptr);
  Random split(seed);
  const Outcome pieces = Read(stream, FrameReader::ValuePolicy::kKeep, &split);
  CheckSame(whole, pieces);
  Check(whole.parts == pieces.parts);
  const Outcome counted = Read(stream, FrameReader::ValuePolicy::kCount, &split);
  CheckSame(whole, counted);
  Check(counted.parts == whole.parts);
  return 0;
}

}  // namespace
}  // namespace kbench::kinetic

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return kbench::kinetic::RunInput(data, size);
}
