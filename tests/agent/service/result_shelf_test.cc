#include "agent/service/result_shelf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/durable_files.h"
#include "tests/base/scratch_files.h"

namespace kbench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Ids(const ResultShelf& shelf) {
  std::vector<std::string> ids;
  for (const KeptResult& kept : shelf.List()) ids.push_back(kept.run_id);
  return ids;
}

TEST(ResultShelf, KeepsResultsUntilTheyAreDropped) {
  const TempDir dir;
  const std::string bytes("\0\xff result", 9);
  {
    auto shelf = *ResultShelf::Open(dir / "deep/results");
    ASSERT_TRUE(shelf->Put("abc-0001", bytes).ok());
    ASSERT_TRUE(shelf->Put("abc-0002", "two").ok());
  }
  // Another agent, after the first one has died.
  auto shelf = *ResultShelf::Open(dir / "deep/results");
  EXPECT_THAT(Ids(*shelf), ElementsAre("abc-0001", "abc-0002"));
  EXPECT_EQ(shelf->List()[0].bytes, 9u);
  EXPECT_EQ(*shelf->Read("abc-0001"), bytes);
  EXPECT_TRUE(shelf->Drop("abc-0001").ok());
  EXPECT_TRUE(shelf->Drop("abc-0001").ok()) << "acknowledged twice";
  EXPECT_THAT(Ids(*shelf), ElementsAre("abc-0002"));
  EXPECT_TRUE(absl::IsNotFound(shelf->Read("abc-0001").status()));
}

TEST(ResultShelf, ARunThatWasArmedAgainReplacesItsResult) {
  const TempDir dir;
  auto shelf = *ResultShelf::Open(dir.path());
  ASSERT_TRUE(shelf->Put("a", "first").ok());
  ASSERT_TRUE(shelf->Put("a", "second").ok());
  EXPECT_EQ(*shelf->Read("a"), "second");
  EXPECT_THAT(Ids(*shelf), ElementsAre("a"));
}

// A host's clock was an hour ahead and has been set back.
TEST(ResultShelf, TheLatestIsTheLatestWhateverTheClockSays) {
  const TempDir dir;
  auto shelf = *ResultShelf::Open(dir.path());
  ASSERT_TRUE(shelf->Put("z-earlier", "x").ok());
  const auto now = std::filesystem::last_write_time(dir / "z-earlier.result");
  std::filesystem::last_write_time(dir / "z-earlier.result", now + std::chrono::hours(1));
  ASSERT_TRUE(shelf->Put("b-later", "x").ok());
  ASSERT_TRUE(shelf->Put("a-last", "x").ok());
  EXPECT_THAT(Ids(*shelf), ElementsAre("z-earlier", "b-later", "a-last"));
}

TEST(ResultShelf, AnIdIsNoPath) {
  const TempDir dir;
  auto shelf = *ResultShelf::Open(dir / "results");
  ASSERT_TRUE(WriteDurably(dir / "secret.result", "x").ok());
  for (const char* id : {"../secret", "", "a/b", ".", "a b", "a.b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(shelf->Put(id, "x"))) << id;
    EXPECT_TRUE(absl::IsInvalidArgument(shelf->Read(id).status())) << id;
    EXPECT_TRUE(absl::IsInvalidArgument(shelf->Drop(id))) << id;
  }
  EXPECT_TRUE(ReadFile(dir / "secret.result").ok());
}

TEST(ResultShelf, TheOldestGivesWayToNewerOnes) {
  const TempDir dir;
  auto shelf = *ResultShelf::Open(dir.path());
  for (size_t i = 0; i <= ResultShelf::kMostKept; ++i) {
    ASSERT_TRUE(shelf->Put(absl::StrCat("run-", 1000 + i), "x").ok());
  }
  const std::vector<std::string> ids = Ids(*shelf);
  EXPECT_EQ(ids.size(), ResultShelf::kMostKept);
  EXPECT_EQ(ids.back(), absl::StrCat("run-", 1000 + ResultShelf::kMostKept));
}

TEST(ResultShelf, AFullDiskLeavesNoPart) {
  const TempDir dir;
  auto shelf = *ResultShelf::Open(dir.path());
  {
    const FileSizeLimit full(1000);
    const absl::Status status = shelf->Put("large", std::string(100'000, 'x'));
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr("100000 bytes"));
  }
  EXPECT_THAT(Ids(*shelf), IsEmpty());
  EXPECT_TRUE(shelf->Put("large", std::string(100'000, 'x')).ok());
}

TEST(ResultShelf, SaysAtOnceThatItCannotWrite) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "file", "").ok());
  EXPECT_FALSE(ResultShelf::Open(dir / "file").ok());
}

}  // namespace
}  // namespace kbench
