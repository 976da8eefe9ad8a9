#include "tests/e2e/acceptance.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/base/judge.h"

namespace kbench::e2e {
namespace {

std::string Number(double value) { return absl::StrFormat("%.*f", value < 10 ? 3 : 1, value); }

std::string Allowed(const Acceptance& line) {
  if (line.least <= -1e9) return absl::StrCat("at most ", Number(line.most));
  if (line.most >= 1e9) return absl::StrCat("at least ", Number(line.least));
  return absl::StrCat(Number(line.least), " to ", Number(line.most));
}

}  // namespace

bool Accept(const Acceptance& line) {
  const Measured& m = line.measured;
  const bool pass = line.least <= m.value && m.value <= line.most;
  const bool judged = line.foreign_cpus <= kForeignMost;
  const std::string text = absl::StrFormat("| %s | %s | %s | %s [%s, %s] %s | %s | %s | %.2f |",
                                           line.row, line.injection, line.quantity, Number(m.value),
                                           Number(m.low), Number(m.high), line.unit, Allowed(line),
                                           !judged ? "not judged"
                                           : pass  ? "pass"
                                                   : "**fail**",
                                           line.foreign_cpus);
  std::cout << text << "\n";
  if (const char* path = std::getenv("KBENCH_TABLE"); path != nullptr) {
    const bool fresh = !std::filesystem::exists(path);
    std::ofstream out(path, std::ios::app);
    if (fresh) {
      out << "| row | injection | quantity | measured, 95 % | allowed | | others' CPUs |\n"
             "|---|---|---|---|---|---|---|\n";
    }
    out << text << "\n";
    EXPECT_TRUE(out.good()) << "cannot write " << path;
  }
  return JudgeWhenQuiet(
      pass,
      {.what = absl::StrCat("row ", line.row, ", ", line.injection, ": ", line.quantity),
       .figure = absl::StrCat(Number(m.value), " ", line.unit),
       .bound = absl::StrCat(Allowed(line), " ", line.unit)},
      line.foreign_cpus);
}

}  // namespace kbench::e2e
