// The questions on which dialects differ, and what a dialect says to each: the rows of the tables
// in docs/protocol.md (dialect_test.cc).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/server/dialect_bench.h"

namespace kbench::server {

struct DialectRow {
  const char* question;
  std::function<std::string(DialectBench*)> ask;  // of a bench that was just reset
};

const std::vector<DialectRow>& DialectRows();
// What the greeting tells: one row a limit.
const std::vector<DialectRow>& LimitRows();

}  // namespace kbench::server
