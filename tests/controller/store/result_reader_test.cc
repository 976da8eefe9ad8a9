// Reading a result directory back, and what is said of one that is not as it was written.
#include "controller/store/result_reader.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/strip.h"
#include "analysis/report/report.h"
#include "tests/controller/result_rig.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A finished result of two runs.
class ResultReaderTest : public ::testing::Test {
 protected:
  ResultReaderTest() : writing_(results_.path()) {
    EXPECT_TRUE(writing_.Add(RunOf(1, 0)).ok());
    EXPECT_TRUE(writing_.Add(RunOf(0, 0)).ok());
    directory_ = *writing_.Finish();
  }

  void Overwrite(const std::string& file, const std::string& bytes) {
    fs::remove(directory_ + "/" + file);
    ASSERT_TRUE(WriteDurably(directory_ + "/" + file, bytes).ok());
  }
  // What ReadResult says, when it refuses.
  std::string Complaint() const {
    const auto stored = ReadResult(directory_);
    EXPECT_FALSE(stored.ok());
    return std::string(stored.status().message());
  }

  const std::string run_ = "cells/01-transport=uring/rep0/sampled";
  TempDir results_;
  Writing writing_;
  std::string directory_;
};

TEST_F(ResultReaderTest, GivesBackTheEvidence) {
  const auto stored = ReadResult(directory_);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_FALSE(stored->recovered);
  EXPECT_EQ(stored->directory, directory_);
  EXPECT_EQ(stored->evidence.status, "complete");
  ASSERT_EQ(stored->evidence.runs.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const analysis::RunEvidence& before = writing_.evidence.runs[i];
    const analysis::RunEvidence& after = stored->evidence.runs[i];
    EXPECT_EQ(after.cell, before.cell);
    EXPECT_EQ(after.run_id, before.run_id);
    ASSERT_EQ(after.agents.size(), 2u);
    for (size_t agent = 0; agent < 2; ++agent) {
      EXPECT_TRUE(MessageDifferencer::Equals(after.agents[agent], before.agents[agent]));
    }
  }
}

TEST_F(ResultReaderTest, GivesBackWhatTheServersObserverSaw) {
  const TempDir results;
  Writing writing(results.path());
  analysis::RunEvidence run = RunOf(0, 0);
  run.server_wire.emplace().set_available(true);
  run.server_wire->add_records()->set_sequence(7);
  ASSERT_TRUE(writing.Add(run).ok());
  ASSERT_TRUE(writing.Add(RunOf(1, 0)).ok());
  const std::string directory = *writing.Finish();
  const auto stored = ReadResult(directory);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_TRUE(stored->evidence.runs[0].server_wire);
  EXPECT_TRUE(MessageDifferencer::Equals(*stored->evidence.runs[0].server_wire, *run.server_wire));
  EXPECT_FALSE(stored->evidence.runs[1].server_wire);
  const std::string file = directory + "/cells/00-transport=epoll/rep0/sampled/server_wire.pb";
  fs::remove(file);
  ASSERT_TRUE(WriteDurably(file, "other").ok());
  EXPECT_THAT(std::string(ReadResult(directory).status().message()), HasSubstr("server_wire.pb"));
}

TEST_F(ResultReaderTest, GivesBackTheNetworksBaselinesAlsoAfterACrash) {
  const TempDir results;
  Writing writing(results.path());
  std::vector<result::NetworkBaseline> paths(2);
  paths[0].set_from("a");
  paths[0].set_echo_floor_ns(5);
  paths[1].set_reason("nobody is there");
  ASSERT_TRUE(writing.store->AddBaselines(paths).ok());
  const auto expect_them = [&paths](const absl::StatusOr<StoredCampaign>& stored) {
    ASSERT_TRUE(stored.ok()) << stored.status();
    ASSERT_THAT(stored->evidence.baselines, SizeIs(2));
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_TRUE(MessageDifferencer::Equals(stored->evidence.baselines[i], paths[i]));
    }
  };
  expect_them(ReadResult(writing.store->partial_dir()));
  ASSERT_TRUE(writing.Add(RunOf(0, 0)).ok());
  const std::string directory = *writing.Finish();
  expect_them(ReadResult(directory));
  fs::remove(directory + "/baselines.pb");
  ASSERT_TRUE(WriteDurably(directory + "/baselines.pb", "").ok());
  EXPECT_THAT(std::string(ReadResult(directory).status().message()),
              HasSubstr("baselines.pb is not what was written"));
}

TEST_F(ResultReaderTest, EveryReportIsComputedAgainFromTheDirectoryAlone) {
  const auto stored = ReadResult(directory_);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(analysis::SummaryJson(stored->evidence), *ReadFile(directory_ + "/summary.json"));
  EXPECT_EQ(analysis::TextReport(stored->evidence, {}), *ReadFile(directory_ + "/report.txt"));
  EXPECT_EQ(analysis::HtmlReport(stored->evidence), *ReadFile(directory_ + "/report.html"));
}

// As they were before there were passes: no directory of the pass, no word about it.
TEST_F(ResultReaderTest, AResultWithoutPassesIsReadAsSampled) {
  for (const char* cell : {"cells/00-transport=epoll", "cells/01-transport=uring"}) {
    const std::string rep = directory_ + "/" + cell + "/rep0";
    for (const auto& entry : fs::directory_iterator(rep + "/sampled")) {
      fs::rename(entry.path(), rep + "/" + entry.path().filename().string());
    }
    fs::remove(rep + "/sampled");
    auto run = nlohmann::ordered_json::parse(*ReadFile(rep + "/run.json"));
    ASSERT_EQ(run.erase("pass"), 1u);
    Overwrite(std::string(cell) + "/rep0/run.json", run.dump());
  }
  auto manifest = nlohmann::ordered_json::parse(*ReadFile(directory_ + "/manifest.json"));
  for (auto& run : manifest["runs"]) {
    ASSERT_EQ(run.erase("pass"), 1u);
    run["directory"] =
        std::string(absl::StripSuffix(run["directory"].get<std::string>(), "/sampled"));
  }
  Overwrite("manifest.json", manifest.dump());
  const auto stored = ReadResult(directory_);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_THAT(stored->evidence.runs, SizeIs(2));
  for (const analysis::RunEvidence& run : stored->evidence.runs) {
    EXPECT_EQ(run.pass, analysis::Pass::kSampled);
    EXPECT_THAT(run.agents, SizeIs(2));
  }
}

TEST_F(ResultReaderTest, ADamagedManifestIsNamedWithTheRemedy) {
  Overwrite("manifest.json", ReadFile(directory_ + "/manifest.json")->substr(0, 200));
  const std::string complaint = Complaint();
  EXPECT_THAT(complaint, HasSubstr(directory_ + "/manifest.json: it is damaged"));
  EXPECT_THAT(complaint, HasSubstr("restore the result directory from a copy"));
}

TEST_F(ResultReaderTest, AFileWhoseBytesChangedIsNamed) {
  for (const std::string& file :
       {std::string("campaign.yaml"), std::string("plan.json"), run_ + "/agents/0-___1__7100.pb"}) {
    const std::string bytes = *ReadFile(directory_ + "/" + file);
    Overwrite(file, bytes + "#");
    const std::string complaint = Complaint();
    EXPECT_THAT(complaint, HasSubstr(directory_ + "/" + file + " is not what was written"));
    EXPECT_THAT(complaint, HasSubstr("restore the result directory from a copy"));
    Overwrite(file, bytes);
    EXPECT_TRUE(ReadResult(directory_).ok());
  }
}

TEST_F(ResultReaderTest, AMissingFileIsNamed) {
  for (const std::string& file :
       {std::string("campaign.yaml"), std::string("plan.json"), run_ + "/agents/1-___1__7101.pb"}) {
    const std::string bytes = *ReadFile(directory_ + "/" + file);
    fs::remove(directory_ + "/" + file);
    EXPECT_THAT(Complaint(), HasSubstr(directory_ + "/" + file));
    Overwrite(file, bytes);
  }
}

TEST_F(ResultReaderTest, AMissingRunIsNoSmallerCampaign) {
  fs::remove_all(directory_ + "/" + run_);
  EXPECT_THAT(Complaint(), HasSubstr("its manifest names 2 runs, there are 1"));
}

TEST_F(ResultReaderTest, ADamagedRunIsNamed) {
  Overwrite(run_ + "/run.json", "{}");
  EXPECT_THAT(Complaint(), HasSubstr(directory_ + "/" + run_));
}

TEST_F(ResultReaderTest, ARunOfAnUnknownCellIsRefused) {
  for (const int cell : {-1, 2}) {
    auto record = ParseRunRecord(*ReadFile(directory_ + "/" + run_ + "/run.json"));
    record->evidence.cell = cell;
    Overwrite(run_ + "/run.json", RunRecordJson(*record));
    EXPECT_THAT(Complaint(), HasSubstr("which the manifest does not know"));
  }
}

TEST_F(ResultReaderTest, ADirectoryWithoutAManifestIsNoResult) {
  const auto stored = ReadResult(results_.path());
  EXPECT_TRUE(absl::IsNotFound(stored.status())) << stored.status();
  EXPECT_THAT(std::string(stored.status().message()), HasSubstr("is no result directory"));
}

TEST_F(ResultReaderTest, IsFoundByDirectoryByIdAndByItsBeginning) {
  for (const std::string& name : {directory_, std::string("0123abcd"), std::string("01")}) {
    const auto found = FindResult(results_.path(), name);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, directory_);
  }
}

TEST_F(ResultReaderTest, WhatIsNotFoundOrNotClearIsSaid) {
  const absl::Status none = FindResult(results_.path(), "ffff").status();
  EXPECT_TRUE(absl::IsNotFound(none)) << none;
  EXPECT_THAT(std::string(none.message()), HasSubstr("see 'kbench list'"));
  EXPECT_TRUE(absl::IsNotFound(FindResult(results_.path(), "").status()));
  const Writing other(results_.path(), "0123ffff");
  const absl::Status two = FindResult(results_.path(), "0123").status();
  EXPECT_TRUE(absl::IsInvalidArgument(two)) << two;
  EXPECT_THAT(std::string(two.message()), HasSubstr("the beginning of 2 run ids"));
  EXPECT_TRUE(FindResult(results_.path(), "0123a").ok());
}

TEST_F(ResultReaderTest, ListsTheDamagedBesideTheWholeOnes) {
  Overwrite("manifest.json", "{");
  const Writing other(results_.path(), "fedc");
  const std::vector<ResultListing> listings = ListResults(results_.path());
  ASSERT_EQ(listings.size(), 2u);
  EXPECT_FALSE(listings[0].manifest.ok());
  EXPECT_THAT(std::string(listings[0].manifest.status().message()), HasSubstr(directory_));
  EXPECT_TRUE(listings[1].manifest.ok());
}

TEST_F(ResultReaderTest, WhatIsNoneOfOursIsNotListed) {
  ASSERT_TRUE(WriteDurably(results_ / "notes.txt", "").ok());
  ASSERT_TRUE(MakeDirectories(results_ / "two_cells/mine").ok());
  EXPECT_THAT(ListResults(results_.path()), SizeIs(1));
  EXPECT_THAT(ListResults(results_ / "gone"), IsEmpty());
}

TEST_F(ResultReaderTest, WhatMayNotBeReadDoesNotEndTheList) {
  fs::permissions(results_.path(), fs::perms(0755));
  ASSERT_TRUE(MakeDirectories(results_ / "secret/inner").ok());
  ASSERT_TRUE(MakeDirectories(results_ / "two_cells/.partial-secret").ok());
  fs::permissions(results_ / "secret", fs::perms::none);
  fs::permissions(results_ / "two_cells/.partial-secret", fs::perms::none);
  {
    const WithoutRoot nobody;
    EXPECT_THAT(ListResults(results_.path()), SizeIs(1));
  }
  fs::permissions(results_ / "secret", fs::perms(0755));
  fs::permissions(results_ / "two_cells/.partial-secret", fs::perms(0755));
}

TEST_F(ResultReaderTest, RunsThatMayNotBeReadAreNotLeftOut) {
  fs::permissions(results_.path(), fs::perms(0755));
  fs::permissions(directory_ + "/" + run_, fs::perms::none);
  {
    const WithoutRoot nobody;
    EXPECT_THAT(Complaint(), HasSubstr(directory_ + "/cells"));
  }
  fs::permissions(directory_ + "/" + run_, fs::perms(0755));
}

}  // namespace
}  // namespace kbench
