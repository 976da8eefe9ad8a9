#include "controller/store/live_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable_files.h"
#include "tests/base/scratch_files.h"

namespace kbench {
namespace {

using testing::HasSubstr;

TEST(LiveStatus, IsReadAsItWasWritten) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(ReadLiveStatus(dir.path()).status()));
  const LiveStatus status{.campaign = "c \xff",
                          .run_id = "00c0ffee",
                          .controller = "me@here pid 1",
                          .updated_unix_ms = 1'700'000'000'123,
                          .runs = 54,
                          .run = 3,
                          .what = "transport=uring rep 0 bare",
                          .phase = "measure",
                          .ops_per_s = 12.5,
                          .left_ms = 60'000,
                          .absent = {"a:1", "b:2"}};
  WriteLiveStatus(dir.path(), status);
  const auto read = ReadLiveStatus(dir.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->run_id, "00c0ffee");
  EXPECT_EQ(read->controller, status.controller);
  EXPECT_EQ(read->updated_unix_ms, status.updated_unix_ms);
  EXPECT_EQ(read->runs, 54u);
  EXPECT_EQ(read->run, 3u);
  EXPECT_EQ(read->what, status.what);
  EXPECT_EQ(read->phase, "measure");
  EXPECT_EQ(read->ops_per_s, 12.5);
  EXPECT_EQ(read->left_ms, 60'000);
  EXPECT_EQ(read->absent, status.absent);
  RemoveLiveFiles(dir.path());
  EXPECT_TRUE(absl::IsNotFound(ReadLiveStatus(dir.path()).status()));
}

TEST(LiveStatus, GarbageIsSaid) {
  for (const char* text : {"", "[]", "{}", "{\"campaign\": 3}"}) {
    EXPECT_THAT(std::string(ParseLiveStatus(text).status().message()), HasSubstr("status.json"))
        << text;
  }
}

TEST(LiveStatus, NamesThisController) { EXPECT_THAT(ThisController(), HasSubstr("@")); }

TEST(LiveStatus, AFullDiskHarmsNothing) {
  const TempDir dir;
  WriteLiveStatus(dir.path(), {.campaign = "before"});
  {
    const FileSizeLimit full(10);
    WriteLiveStatus(dir.path(), {.campaign = "after"});
  }
  EXPECT_EQ(ReadLiveStatus(dir.path())->campaign, "before");
}

TEST(CancelWatch, HandsOnWhatIsAsked) {
  const TempDir dir;
  Interrupts interrupts;
  const CancelWatch watch(dir.path(), &interrupts);
  ASSERT_TRUE(AskToCancel(dir.path(), false).ok());
  while (!interrupts.stop()) continue;  // ctest bounds the wait
  EXPECT_FALSE(interrupts.hard());
  EXPECT_EQ(interrupts.signal, 0);
  ASSERT_TRUE(AskToCancel(dir.path(), true).ok());
  while (!interrupts.hard()) continue;
}

TEST(Interrupts, ASignalAndACancellationDoNotAddUp) {
  Interrupts interrupts;
  interrupts.Ask(1);
  interrupts.Ask(1);
  EXPECT_FALSE(interrupts.hard());
  interrupts.Ask(2);
  interrupts.Ask(1);
  EXPECT_TRUE(interrupts.hard());
}

}  // namespace
}  // namespace kbench
