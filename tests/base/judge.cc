#include "tests/base/judge.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace kbench {
namespace {

std::atomic<int> not_judged = 0;

std::string TestName() {
  const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return "no test";
  return absl::StrCat(test->test_suite_name(), ".", test->name());
}

}  // namespace

bool JudgeWhenQuiet(bool holds, const Claim& claim, double foreign_cpus) {
  if (holds) return true;
  const std::string others = absl::StrFormat("others used %.2f CPUs", foreign_cpus);
  if (foreign_cpus > kForeignMost) {
    NotJudged(claim, others);
  } else {
    ADD_FAILURE() << claim.what << ": " << claim.figure << ", " << claim.bound << "; " << others;
  }
  return false;
}

void NotJudged(const Claim& claim, const std::string& why) {
  ++not_judged;
  // One line each, whatever the figure is.
  const std::string line =
      absl::StrReplaceAll(absl::StrCat("not judged: ", TestName(), ": ", claim.what, ": ",
                                       claim.figure, ", ", claim.bound, "; ", why),
                          {{"\n", " "}});
  std::cout << line << std::endl;
  const char* const path = std::getenv("KBENCH_NOT_JUDGED");
  if (path == nullptr) return;
  std::ofstream out(path, std::ios::app);
  out << line + "\n" << std::flush;
  EXPECT_TRUE(out.good()) << "cannot write " << path;
}

int CountNotJudged() { return not_judged; }

}  // namespace kbench
