// Whether an answer is what its request asked for: the status that the operation expects, signed,
// with a value of the length, and under `verify` of the contents, that its key has. What is wrong
// first is what the completion says.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "agent/load/recorder.h"
#include "agent/load/reply_reader.h"
#include "agent/load/slot_table.h"
#include "agent/load/workload.h"
#include "kinetic/answer.h"

namespace kbench {

class AnswerJudge {
 public:
  struct Options {
    bool verify = false;  // look at every value that is read
    bool exact = false;   // ... which is to be one of `values`, and no other
    // What reads a value and gets another length has failed; where `values` has lengths by key,
    // these.
    uint32_t value_bytes = 0;
    const ValuePool* values = nullptr;
  };

  // Both outlive the judge. `reader` has just read the answer.
  AnswerJudge(const Options& options, const KeyGenerator* keys, ReplyReader* reader)
      : options_(options), keys_(keys), reader_(reader) {}

  // `fault` is of the answer's head; what was wrong with a message of a batch is in `slot`.
  Completion Judge(const Reply& reply, kinetic::AnswerFault fault, const Slot& slot);

 private:
  std::optional<uint64_t> KeyOf(const Reply& reply, const Slot& slot) const;
  absl::string_view ValueFault(const Reply& reply, const Slot& slot);
  // Of the value that the reply must carry; nothing when its key is none of ours.
  std::optional<uint32_t> ExpectedSize(const Reply& reply, const Slot& slot) const;

  Options options_;
  const KeyGenerator* keys_;
  ReplyReader* reader_;
};

}  // namespace kbench
