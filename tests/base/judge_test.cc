#include "tests/base/judge.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/durable_files.h"
#include "tests/base/scratch_files.h"

namespace kbench {
namespace {

const Claim kClaim = {.what = "rate", .figure = "7\nand 8", .bound = "at least 9"};

class Judge : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* before = std::getenv(kVariable); before != nullptr) before_ = before;
    setenv(kVariable, file_.c_str(), 1);
  }
  void TearDown() override {
    if (before_.empty()) {
      unsetenv(kVariable);
    } else {
      setenv(kVariable, before_.c_str(), 1);
    }
  }
  std::string Written() const {
    const auto text = ReadFile(file_);
    return text.ok() ? *text : "";
  }

  static constexpr const char* kVariable = "KBENCH_NOT_JUDGED";
  const TempDir dir_;
  const std::string file_ = dir_ / "not_judged.txt";
  std::string before_;
};

TEST_F(Judge, WhatHoldsHasHeldAtAnyLoad) {
  EXPECT_TRUE(JudgeWhenQuiet(true, kClaim, 0));
  EXPECT_TRUE(JudgeWhenQuiet(true, kClaim, 10));
  EXPECT_EQ(Written(), "");
}

TEST_F(Judge, WhatDoesNotHoldIsAFailureOnAQuietMachine) {
  EXPECT_NONFATAL_FAILURE(JudgeWhenQuiet(false, kClaim, kForeignMost), "rate: 7");
  EXPECT_EQ(Written(), "");
}

TEST_F(Judge, WhatDoesNotHoldBesideOthersIsOneLineOfItsOwn) {
  const int before = CountNotJudged();
  EXPECT_FALSE(JudgeWhenQuiet(false, kClaim, 1.25));
  EXPECT_FALSE(JudgeWhenQuiet(false, kClaim, 2));
  EXPECT_EQ(CountNotJudged(), before + 2);
  const std::string line =
      "not judged: Judge.WhatDoesNotHoldBesideOthersIsOneLineOfItsOwn: rate: 7 and 8, at least 9; "
      "others used ";
  EXPECT_EQ(Written(), line + "1.25 CPUs\n" + line + "2.00 CPUs\n");
}

// All that is used is at most all that there is: at any load, what is ours is not others'.
TEST(ForeignCpu, WhatThisProcessUsesIsNotOthers) {
  const unsigned cpus = std::thread::hardware_concurrency();
  const auto own_s = [] {
    rusage use = {};
    getrusage(RUSAGE_SELF, &use);
    return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
  };
  const ForeignCpu others;
  const double before_s = own_s();
  const MonoTime begin = MonoNow();
  std::vector<std::thread> spinners;
  for (unsigned i = 0; i < cpus; ++i) {
    spinners.emplace_back([begin] {
      while (MonoNow() - begin < Seconds(1)) continue;
    });
  }
  for (std::thread& spinner : spinners) spinner.join();
  const double foreign = others.Cpus();
  const double own = (own_s() - before_s) / (MonoNow() - begin).seconds();
  EXPECT_LE(foreign, cpus - own + 0.2) << "of " << cpus << " CPUs, of which we used " << own;
}

}  // namespace
}  // namespace kbench
