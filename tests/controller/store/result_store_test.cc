// Writing a result directory: whole, recoverable, or not there.
#include "controller/store/result_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "controller/store/result_reader.h"
#include "tests/controller/result_rig.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(PathComponent, IsOnePlainName) {
  EXPECT_EQ(PathComponent("value_size=4KiB,op=get"), "value_size=4KiB,op=get");
  EXPECT_EQ(PathComponent("two/cells"), "two_cells");
  EXPECT_EQ(PathComponent("a b\n$c"), "a_b__c");
  EXPECT_EQ(PathComponent(".."), "_..");
  EXPECT_EQ(PathComponent(".partial-x"), "_.partial-x") << "cannot pass for one of ours";
  EXPECT_EQ(PathComponent(""), "_");
  EXPECT_EQ(PathComponent("caf\xc3\xa9"), "caf__");
  EXPECT_THAT(PathComponent(std::string(5000, 'x')), SizeIs(120));
}

TEST(ResultStore, AppearsAtOnceUnderItsFinalName) {
  const TempDir results;
  Writing writing(results.path());
  ASSERT_TRUE(writing.status.ok()) << writing.status;
  const std::string final_dir = results / "two_cells/20261123T233600Z-0123abcd";
  EXPECT_EQ(writing.store->final_dir(), final_dir);
  ASSERT_TRUE(writing.Add(RunOf(1, 0)).ok());
  ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
  EXPECT_FALSE(fs::exists(final_dir)) << "not before it is whole";
  const auto directory = writing.Finish();
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(*directory, final_dir);
  EXPECT_FALSE(fs::exists(writing.store->partial_dir()));
  const std::vector<std::string> files = FilesBelow(final_dir);
  for (const char* name :
       {"manifest.json", "campaign.yaml", "plan.json", "summary.json", "report.html", "report.txt",
        "cells/00-transport=epoll/rep0/sampled/run.json",
        "cells/01-transport=uring/rep0/sampled/run.json",
        "cells/01-transport=uring/rep0/sampled/agents/0-___1__7100.pb",
        "cells/01-transport=uring/rep0/sampled/agents/1-___1__7101.pb",
        "cells/01-transport=uring/rep0/sampled/summary.json",
        "cells/01-transport=uring/rep0/sampled/decomposition.json",
        "cells/01-transport=uring/rep0/sampled/health.json",
        "cells/01-transport=uring/rep0/sampled/intervals.csv",
        "cells/01-transport=uring/rep0/sampled/latency.hlog"}) {
    EXPECT_THAT(files, Contains(name));
  }
  EXPECT_THAT(files, SizeIs(6 + 2 * 8)) << "and nothing else: no temporary names";
  for (const std::string& file : files) {
    EXPECT_EQ(fs::status(absl::StrCat(final_dir, "/", file)).permissions() & fs::perms(0222),
              fs::perms::none)
        << file;
  }
  EXPECT_EQ(*ReadFile(final_dir + "/campaign.yaml"), TwoCells().source);
}

TEST(ResultStore, PassesOfOneCellAndRepetitionLieBesideEachOther) {
  const TempDir results;
  Writing writing(results.path());
  for (analysis::Pass pass :
       {analysis::Pass::kFull, analysis::Pass::kBare, analysis::Pass::kSampled}) {
    analysis::RunEvidence run = RunOf(1, 2);
    run.pass = pass;
    ASSERT_TRUE(writing.Add(run).ok());
  }
  const std::string directory = *writing.Finish();
  const std::vector<std::string> files = FilesBelow(directory);
  for (const char* pass : {"bare", "sampled", "full"}) {
    EXPECT_THAT(files, Contains(absl::StrCat("cells/01-transport=uring/rep2/", pass, "/run.json")));
  }
  const auto stored = ReadResult(directory);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->evidence.runs[0].pass, analysis::Pass::kFull) << "in the order of execution";
  EXPECT_EQ(stored->evidence.runs[1].pass, analysis::Pass::kBare);
  EXPECT_EQ(stored->manifest.runs[1].pass, analysis::Pass::kBare);
}

TEST(ResultStore, IsListedAsInProgressWhileItsWriterLives) {
  const TempDir results;
  {
    Writing writing(results.path());
    ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
    const std::vector<ResultListing> listings = ListResults(results.path());
    ASSERT_EQ(listings.size(), 1u);
    EXPECT_TRUE(listings[0].partial);
    EXPECT_TRUE(listings[0].in_progress);
    EXPECT_EQ(listings[0].manifest->campaign.status, "running");
  }
  const std::vector<ResultListing> listings = ListResults(results.path());
  ASSERT_EQ(listings.size(), 1u);
  EXPECT_TRUE(listings[0].partial);
  EXPECT_FALSE(listings[0].in_progress);
}

TEST(ResultStore, IsListedAsCompleteOnceFinished) {
  const TempDir results;
  Writing writing(results.path());
  ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
  ASSERT_TRUE(writing.Finish().ok());
  const std::vector<ResultListing> listings = ListResults(results.path());
  ASSERT_EQ(listings.size(), 1u);
  EXPECT_FALSE(listings[0].partial);
  EXPECT_EQ(listings[0].manifest->campaign.status, "complete");
}

// Crashes: what the steps had written up to then is what the next start finds.
TEST(ResultStore, ACrashKeepsEveryRunThatWasAdded) {
  const TempDir results;
  std::string partial;
  {
    Writing dies(results.path());
    partial = dies.store->partial_dir();
    ASSERT_TRUE(dies.Add(RunOf(1, 0)).ok());
    ASSERT_TRUE(dies.Add(RunOf(0, 0)).ok());
  }
  EXPECT_THAT(partial, HasSubstr("/.partial-2026"));
  const auto stored = ReadResult(partial);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_TRUE(stored->recovered);
  EXPECT_EQ(stored->evidence.status, "aborted");
  ASSERT_EQ(stored->evidence.runs.size(), 2u);
  EXPECT_EQ(stored->evidence.runs[0].cell, 1) << "in the order of execution";
  ASSERT_EQ(stored->evidence.caveats.size(), 1u);
  EXPECT_EQ(stored->evidence.caveats[0].code(), "recovered");
  EXPECT_THAT(stored->evidence.caveats[0].text(), HasSubstr("2 of 6 runs"));
}

TEST(ResultStore, ACrashInTheMiddleOfARunCostsThatRunOnly) {
  const TempDir results;
  std::string partial;
  {
    Writing dies(results.path());
    partial = dies.store->partial_dir();
    ASSERT_TRUE(dies.Add(RunOf(0, 0)).ok());
  }
  // The second one's evidence is there, its run.json is not, or only in part.
  const std::string second = partial + "/cells/01-transport=uring/rep0/sampled";
  ASSERT_TRUE(MakeDirectories(second + "/agents").ok());
  ASSERT_TRUE(WriteDurably(second + "/agents/0-a.pb", "half of a mess").ok());
  ASSERT_TRUE(WriteDurably(second + "/run.json.new", "{\"schema_ver").ok());
  const auto stored = ReadResult(partial);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_THAT(stored->evidence.runs, SizeIs(1));
}

TEST(ResultStore, ACrashBeforeTheFirstRunIsAResultOfNothing) {
  const TempDir results;
  std::string partial;
  {
    Writing dies(results.path());
    partial = dies.store->partial_dir();
  }
  const auto stored = ReadResult(partial);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_THAT(stored->evidence.runs, IsEmpty());
  EXPECT_THAT(stored->evidence.caveats[0].text(), HasSubstr("0 of 6 runs"));
}

TEST(ResultStore, ACrashBeforeTheManifestIsNoResult) {
  const TempDir results;
  ASSERT_TRUE(MakeDirectories(results / "two_cells/.partial-x/logs").ok());
  ASSERT_TRUE(WriteDurably(results / "two_cells/.partial-x/manifest.json.new", "{\"sche").ok());
  EXPECT_THAT(ListResults(results.path()), IsEmpty());
}

TEST(ResultStore, AFullDiskInARunIsSaidAndDiscardLeavesNothing) {
  const TempDir results;
  Writing writing(results.path());
  ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
  {
    const FileSizeLimit limit(64 * 1024);
    const absl::Status status = writing.Add(RunOf(1, 0, 1, 100'000));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(Text(status), HasSubstr("agents/0-___1__7100.pb"));
    EXPECT_THAT(Text(status), HasSubstr("free some space"));
  }
  const auto stored = ReadResult(writing.store->partial_dir());
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_THAT(stored->evidence.runs, SizeIs(1)) << "until the caller decides";
  writing.store->Discard();
  EXPECT_TRUE(fs::is_empty(results.path()));
}

TEST(ResultStore, AFullDiskAtTheBeginningLeavesNothing) {
  const TempDir results;
  const FileSizeLimit limit(10);
  const Writing writing(results.path());
  EXPECT_TRUE(absl::IsResourceExhausted(writing.status)) << writing.status;
  EXPECT_THAT(Text(writing.status), StartsWith("result directory: "));
  EXPECT_THAT(Text(writing.status), HasSubstr("campaign.yaml"));
  EXPECT_TRUE(fs::is_empty(results.path()));
}

TEST(ResultStore, AFullDiskAtTheEndNeverShowsTheFinalName) {
  const TempDir results;
  Writing writing(results.path());
  ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
  {
    const FileSizeLimit limit(100);
    const absl::Status status = writing.Finish().status();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_FALSE(fs::exists(writing.store->final_dir()));
  const std::vector<ResultListing> listings = ListResults(results.path());
  ASSERT_EQ(listings.size(), 1u);
  EXPECT_TRUE(listings[0].partial);
  writing.store->Discard();
  EXPECT_TRUE(fs::is_empty(results.path()));
}

TEST(ResultStore, AnUnwritableDirectoryIsSaidWithARemedy) {
  const TempDir results;
  fs::permissions(results.path(), fs::perms(0555));
  const WithoutRoot nobody;
  const Writing writing(results.path());
  EXPECT_TRUE(absl::IsInternal(writing.status)) << writing.status;
  EXPECT_THAT(Text(writing.status), HasSubstr(results / "two_cells"));
  EXPECT_THAT(Text(writing.status), HasSubstr("name another directory with --results"));
}

TEST(ResultStore, AFileInTheWayIsNamed) {
  const TempDir results;
  ASSERT_TRUE(WriteDurably(results / "two_cells", "").ok());
  const Writing writing(results.path());
  EXPECT_FALSE(writing.status.ok());
  EXPECT_THAT(Text(writing.status), HasSubstr(results / "two_cells"));
  EXPECT_TRUE(fs::is_regular_file(results / "two_cells"));
}

TEST(ResultStore, TwoControllersWriteSideBySide) {
  const TempDir results;
  Writing first(results.path(), "00000001");
  Writing second(results.path(), "00000002");
  ASSERT_TRUE(first.Add(RunOf(0, 0)).ok());
  ASSERT_TRUE(second.Add(RunOf(0, 0)).ok());
  ASSERT_TRUE(second.Finish().ok());
  first.store->Discard();
  const std::vector<ResultListing> listings = ListResults(results.path());
  ASSERT_EQ(listings.size(), 1u);
  EXPECT_THAT(listings[0].directory, EndsWith("-00000002"));
}

TEST(ResultStore, TwoControllersOfOneNameDoNotTouchEachOther) {
  const TempDir results;
  Writing first(results.path());
  ASSERT_TRUE(first.Add(RunOf(0, 0)).ok());
  {
    const Writing second(results.path());
    EXPECT_TRUE(absl::IsAlreadyExists(second.status)) << second.status;
  }
  ASSERT_TRUE(first.Add(RunOf(1, 0)).ok());
  const auto finished = first.Finish();
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_THAT(ReadResult(*finished)->evidence.runs, SizeIs(2));
}

TEST(ResultStore, NeverReplacesAFinishedResult) {
  const TempDir results;
  Writing writing(results.path());
  ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
  ASSERT_TRUE(MakeDirectories(writing.store->final_dir()).ok());
  ASSERT_TRUE(WriteDurably(writing.store->final_dir() + "/mine", "").ok());
  const absl::Status status = writing.Finish().status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(FilesBelow(writing.store->final_dir()), ElementsAre("mine"));
  EXPECT_TRUE(ReadResult(writing.store->partial_dir()).ok()) << "what was measured is not lost";
}

}  // namespace
}  // namespace kbench
