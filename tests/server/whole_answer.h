// Rows of the whole answers (whole_answer_test.cc): a message type, when, the question, and all
// that is on the wire of its answer, in the words of Summary() (wire_answer.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/server/dialect_bench.h"

namespace kbench::server {

struct AnswerRow {
  kinetic::MessageType type;
  const char* when;
  std::function<std::string(DialectBench*)> ask;
  const char* answer;
};

std::vector<AnswerRow> LogRows();
std::vector<AnswerRow> BatchRows();
std::vector<AnswerRow> AdminRows();
std::vector<AnswerRow> MediaRows();

// The command with the plain connection's next header; a batchID stays.
kinetic::Command As(DialectBench* bench, kinetic::Command command);
// By identity 2, which may do nothing but list the device's logs.
std::string ByStranger(DialectBench* bench, const kinetic::Command& command);
kinetic::Command Ranged(DialectBench* bench, kinetic::MessageType type,
                        const kinetic::Range& range);

}  // namespace kbench::server
