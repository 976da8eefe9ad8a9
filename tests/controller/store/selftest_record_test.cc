#include "controller/store/selftest_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace kbench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Selftests : public testing::Test {
 protected:
  Selftests() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "kbench-selftest-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    results_ = pattern;
  }
  ~Selftests() override {
    std::error_code ignored;
    std::filesystem::remove_all(results_, ignored);
  }
  std::string results_;
};

SelftestRecord Record(const std::string& fleet) {
  return {.fleet = fleet,
          .passed = true,
          .ended_utc = "2026-11-26T12:00:00Z",
          .version = "0.1.0",
          .responses = 12,
          .wrong = 0,
          .not_tested = {"server: no agent there"},
          .details = "[{\"experiment\":\"relay\"}]"};
}

TEST_F(Selftests, OfAFleetIsReadBackWhole) {
  ASSERT_TRUE(StoreSelftest(results_, Record("a:1,b:1")).ok());
  const auto read = LoadSelftest(results_, "a:1,b:1");
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->passed);
  EXPECT_EQ(read->responses, 12);
  EXPECT_THAT(read->not_tested, ElementsAre("server: no agent there"));
  EXPECT_EQ(read->details, "[{\"experiment\":\"relay\"}]");
  EXPECT_EQ(read->Sentence(), Record("a:1,b:1").Sentence());
}

TEST_F(Selftests, TheLastOneCounts) {
  ASSERT_TRUE(StoreSelftest(results_, Record("a:1")).ok());
  SelftestRecord failed = Record("a:1");
  failed.passed = false;
  failed.wrong = 3;
  ASSERT_TRUE(StoreSelftest(results_, failed).ok());
  const auto read = LoadSelftest(results_, "a:1");
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->passed);
  EXPECT_THAT(read->Sentence(), HasSubstr("FAILED on 2026-11-26T12:00:00Z"));
  EXPECT_THAT(read->Sentence(), HasSubstr("3 wrong"));
}

TEST_F(Selftests, OfAnotherFleetSaysNothing) {
  ASSERT_TRUE(StoreSelftest(results_, Record("a:1")).ok());
  EXPECT_FALSE(LoadSelftest(results_, "a:2").has_value());
  EXPECT_FALSE(LoadSelftest(results_ + "/none", "a:1").has_value());
}

TEST_F(Selftests, AFileThatIsNoneOfOursIsNone) {
  ASSERT_TRUE(StoreSelftest(results_, Record("a:1")).ok());
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(results_) / "selftests")) {
    for (const char* text : {"", "{", "[]", "{\"schema\":1}", "{\"schema\":2}"}) {
      std::ofstream(file.path(), std::ios::trunc) << text;
      EXPECT_FALSE(LoadSelftest(results_, "a:1").has_value()) << text;
    }
  }
}

TEST(SelftestRecord, SaysWhatWasNotTested) {
  SelftestRecord record = Record("a:1");
  EXPECT_THAT(record.Sentence(), HasSubstr("; not tested: server: no agent there"));
  record.not_tested.clear();
  EXPECT_THAT(record.Sentence(), Not(HasSubstr("not tested")));
}

TEST(FleetKey, IsTheSameWhateverTheOrder) {
  EXPECT_EQ(FleetKey({"b:1", "a:1"}, false), FleetKey({"a:1", "b:1"}, false));
  EXPECT_NE(FleetKey({"a:1"}, false), FleetKey({"a:2"}, false));
  EXPECT_THAT(FleetKey({}, true), HasSubstr("local-"));
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back("agent-" + std::to_string(i) + ":7100");
  const std::string key = FleetKey(many, false);
  EXPECT_LT(key.size(), 100u);
  many.back() = "agent-200:7100";
  EXPECT_NE(FleetKey(many, false), key);
}

}  // namespace
}  // namespace kbench
