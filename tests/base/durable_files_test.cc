#include "base/durable_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/base/scratch_files.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(DurableFiles, WritesWhatItWasGiven) {
  const TempDir dir;
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(WriteDurably(dir / "f", bytes).ok());
  EXPECT_EQ(*ReadFile(dir / "f"), bytes);
  ASSERT_TRUE(WriteDurably(dir / "empty", "").ok());
  EXPECT_EQ(*ReadFile(dir / "empty"), "");
  const std::string large(300'000, 'y');  // more than one read
  ASSERT_TRUE(WriteDurably(dir / "large", large).ok());
  EXPECT_EQ(*ReadFile(dir / "large"), large);
}

TEST(DurableFiles, NeverWritesOverAFile) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "f", "first").ok());
  const absl::Status again = WriteDurably(dir / "f", "second");
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
  EXPECT_EQ(*ReadFile(dir / "f"), "first");
}

TEST(DurableFiles, AFullDiskNamesFileBytesAndRemedyAndLeavesNoPart) {
  const TempDir dir;
  const FileSizeLimit limit(1000);
  ASSERT_TRUE(WriteDurably(dir / "fits", std::string(1000, 'x')).ok());
  const absl::Status status = WriteDurably(dir / "not", std::string(1001, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Text(status), HasSubstr("1001 bytes to " + dir / "not"));
  EXPECT_THAT(Text(status), HasSubstr("free some space"));
  EXPECT_THAT(FilesBelow(dir.path()), ElementsAre("fits"));
}

TEST(DurableFiles, ReplacingIsAllOrNothing) {
  const TempDir dir;
  ASSERT_TRUE(ReplaceDurably(dir / "f", "first").ok());
  ASSERT_TRUE(ReplaceDurably(dir / "f", "second").ok());
  EXPECT_EQ(*ReadFile(dir / "f"), "second");
  {
    const FileSizeLimit limit(10);
    EXPECT_TRUE(absl::IsResourceExhausted(ReplaceDurably(dir / "f", std::string(11, 'x'))));
  }
  EXPECT_EQ(*ReadFile(dir / "f"), "second");
  EXPECT_THAT(FilesBelow(dir.path()), ElementsAre("f"));
}

// What a crash between writing and renaming left.
TEST(DurableFiles, ReplacingIsNotHinderedByALeftover) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "f.new", "half of").ok());
  ASSERT_TRUE(ReplaceDurably(dir / "f", "whole").ok());
  EXPECT_EQ(*ReadFile(dir / "f"), "whole");
  EXPECT_THAT(FilesBelow(dir.path()), ElementsAre("f"));
}

// As in "kbench report --output report.html".
TEST(DurableFiles, ABareFileNameIsInTheWorkingDirectory) {
  const TempDir dir;
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  const absl::Status written = ReplaceDurably("bare", "x");
  const absl::Status renamed = RenameDurably("bare", "renamed");
  fs::current_path(before);
  EXPECT_TRUE(written.ok()) << written;
  EXPECT_TRUE(renamed.ok()) << renamed;
  EXPECT_THAT(FilesBelow(dir.path()), ElementsAre("renamed"));
}

TEST(DurableFiles, RenamingNeverReplaces) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirectories(dir / "from/inner").ok());
  ASSERT_TRUE(MakeDirectories(dir / "to").ok());
  const absl::Status status = RenameDurably(dir / "from", dir / "to");
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(Text(status), HasSubstr(dir / "to"));
  EXPECT_TRUE(fs::exists(dir / "from/inner"));
  EXPECT_TRUE(RenameDurably(dir / "from", dir / "free").ok());
  EXPECT_TRUE(fs::exists(dir / "free/inner"));
  EXPECT_FALSE(fs::exists(dir / "from"));
}

TEST(DurableFiles, OnlyOneCanMakeANewDirectory) {
  const TempDir dir;
  EXPECT_TRUE(MakeNewDirectory(dir / "d").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(MakeNewDirectory(dir / "d")));
  EXPECT_TRUE(absl::IsNotFound(MakeNewDirectory(dir / "no/d")));
  EXPECT_TRUE(MakeDirectories(dir / "d").ok()) << "there is nothing to do";
}

TEST(DurableFiles, SaysWhichDirectoryCannotBeMade) {
  const TempDir dir;
  ASSERT_TRUE(WriteDurably(dir / "file", "").ok());
  EXPECT_THAT(Text(MakeDirectories(dir / "file/inner")), HasSubstr(dir / "file"));
}

TEST(DurableFiles, AForbiddenDirectoryIsSaidWithARemedy) {
  const TempDir dir;
  fs::permissions(dir.path(), fs::perms(0555));
  const WithoutRoot nobody;
  for (const absl::Status& status :
       {WriteDurably(dir / "f", "x"), MakeDirectories(dir / "d"), MakeNewDirectory(dir / "d")}) {
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    EXPECT_THAT(Text(status), HasSubstr(dir.path()));
    EXPECT_THAT(Text(status), HasSubstr("permissions"));
  }
}

TEST(DurableFiles, MakesEveryFileReadOnlyAndNoDirectory) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirectories(dir / "a/b").ok());
  ASSERT_TRUE(WriteDurably(dir / "a/b/f", "x").ok());
  ASSERT_TRUE(MakeFilesReadOnly(dir.path()).ok());
  constexpr fs::perms kWrite = fs::perms(0222);
  EXPECT_EQ(fs::status(dir / "a/b/f").permissions() & kWrite, fs::perms::none);
  EXPECT_NE(fs::status(dir / "a/b").permissions() & kWrite, fs::perms::none);
}

TEST(DurableFiles, AMissingFileIsNotFoundAndNamed) {
  const TempDir dir;
  const absl::Status status = ReadFile(dir / "gone").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(Text(status), HasSubstr(dir / "gone"));
  EXPECT_TRUE(absl::IsInternal(ReadFile(dir.path()).status())) << "a directory has no bytes";
}

TEST(DurableFiles, ADirectoryIsLockedByOneAtATime) {
  const TempDir dir;
  Fd first = TryLockDirectory(dir.path());
  EXPECT_TRUE(first.valid());
  EXPECT_FALSE(TryLockDirectory(dir.path()).valid());
  first.Reset();
  EXPECT_TRUE(TryLockDirectory(dir.path()).valid());
  EXPECT_FALSE(TryLockDirectory(dir / "gone").valid());
}

}  // namespace
}  // namespace kbench
