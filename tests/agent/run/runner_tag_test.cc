// Tags of whole runs against a recording server: what puts carry, what reads are judged by, and
// what the result says of both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "agent/run/runner.h"
#include "kinetic/tag.h"
#include "tests/agent/recording_server.h"
#include "tests/agent/specs.h"

namespace kbench {
namespace {

using testing::HasSubstr;

MonoTime Soon() { return MonoNow() + Millis(30); }
void Ignore(const Interval&) {}

std::string CaveatText(const RunOutcome& outcome, absl::string_view code) {
  for (const Caveat& caveat : outcome.caveats) {
    if (caveat.code == code) return caveat.text;
  }
  return "";
}
bool HasCaveat(const RunOutcome& outcome, absl::string_view code) {
  return !CaveatText(outcome, code).empty();
}

// A run that loads its keys with one tag and reads them with it, over a server that does `options`.
RunOutcome Verified(const RecordingServer::Options& options,
                    std::optional<kinetic::TagAlgorithm> tag) {
  RecordingServer server(options);
  RunSpec spec = SmallSpec(server.address());
  spec.ops = {{.kind = OpKind::kGet}, {.kind = OpKind::kNext}, {.kind = OpKind::kPrevious}};
  spec.load = true;
  spec.verify = true;
  spec.tag = tag;
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 90;
  Runner runner(spec);
  EXPECT_TRUE(runner.Prepare().ok());
  EXPECT_TRUE(runner.Load().ok());
  const auto outcome = runner.Run(Soon(), Ignore);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return *outcome;
}

using kinetic::TagAlgorithm;
constexpr std::pair<TagAlgorithm, absl::string_view> kTagFaults[] = {
    {TagAlgorithm::kCrc32c, "WRONG_VALUE: its tag is not the CRC32C of its bytes"},
    {TagAlgorithm::kSha1, "WRONG_VALUE: its tag is not the SHA-1 of its bytes"},
    {TagAlgorithm::kSha2, "WRONG_VALUE: its tag is not the SHA-256 of its bytes"}};

TEST(Tags, FailsAValueThatDoesNotFitItsTag) {
  for (const auto& [tag, fault] : kTagFaults) {
    SCOPED_TRACE(std::string(fault));
    const RunOutcome whole = Verified({.record = false}, tag);
    EXPECT_EQ(whole.totals().answered, whole.totals().sent);
    EXPECT_FALSE(HasCaveat(whole, "values_untagged"));
    const RunOutcome torn = Verified({.record = false, .corrupt_tags = true}, tag);
    EXPECT_EQ(torn.totals().failed, torn.totals().sent);
    EXPECT_TRUE(HasCaveat(torn, "wrong_values"));
    for (const OpStats& op : torn.ops) {
      EXPECT_EQ(op.statuses[kWrongValueSlot], op.counts.sent);
      ASSERT_FALSE(op.first_errors.empty());
      EXPECT_EQ(op.first_errors[0], fault);
    }
  }
}

// A value without a tag is not wrong: its label speaks for it. But it is said.
TEST(Tags, SaysThatTagsDidNotComeBack) {
  for (const bool tagged : {false, true}) {
    const auto tag = tagged ? std::optional<TagAlgorithm>(TagAlgorithm::kCrc32c) : std::nullopt;
    const RunOutcome outcome = Verified({.record = false, .forget_tags = true}, tag);
    EXPECT_EQ(outcome.totals().answered, outcome.totals().sent);
    EXPECT_EQ(HasCaveat(outcome, "values_untagged"), tagged);
    EXPECT_THAT(CaveatText(outcome, "values_verified"), HasSubstr("0 good ones against"));
  }
}

// Keys that other runs wrote are judged by the algorithm that came with them.
TEST(Tags, ReadsKeysOfEveryTagWhateverItsOwnIs) {
  RecordingServer server;
  RunSpec spec = SmallSpec(server.address());
  spec.verify = true;
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 60;
  constexpr std::optional<TagAlgorithm> kTags[] = {std::nullopt, TagAlgorithm::kSha1,
                                                   TagAlgorithm::kCrc32c, TagAlgorithm::kSha2};
  for (const auto& written : kTags) {
    spec.tag = written;
    spec.load = true;
    spec.ops = {{.kind = OpKind::kGet}};
    Runner writer(spec);
    ASSERT_TRUE(writer.Prepare().ok());
    ASSERT_TRUE(writer.Load().ok());
    for (const auto& own : kTags) {
      spec.tag = own;
      spec.load = false;
      Runner reader(spec);
      ASSERT_TRUE(reader.Prepare().ok());
      const auto outcome = reader.Run(Soon(), Ignore);
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      EXPECT_EQ(outcome->totals().answered, outcome->totals().sent);
      EXPECT_EQ(HasCaveat(*outcome, "values_untagged"), own.has_value() && !written.has_value());
    }
  }
}

TEST(Tags, SaysWhatATagThatCannotBePreparedCosts) {
  for (const auto& [tag, prepared] :
       {std::pair{TagAlgorithm::kCrc32c, true}, std::pair{TagAlgorithm::kSha1, false},
        std::pair{TagAlgorithm::kSha2, false}}) {
    for (const OpKind op : {OpKind::kPut, OpKind::kBatch, OpKind::kGet}) {
      RecordingServer server({.record = false});
      RunSpec spec = SmallSpec(server.address());
      spec.ops = {{.kind = op}};
      spec.tag = tag;
      spec.load = true;
      spec.duration = Seconds(60);
      spec.max_ops_per_flow = 5;
      Runner runner(spec);
      ASSERT_TRUE(runner.Prepare().ok());
      ASSERT_TRUE(runner.Load().ok());
      const auto outcome = runner.Run(Soon(), Ignore);
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      EXPECT_EQ(HasCaveat(*outcome, "tags_in_window"), !prepared && op != OpKind::kGet);
    }
  }
}

TEST(Tags, SaysWhatToDoForAServerThatWantsTags) {
  RecordingServer server({.record = false, .want_tags = true});
  RunSpec spec = SmallSpec(server.address());
  spec.load = true;
  Runner without(spec);
  ASSERT_TRUE(without.Prepare().ok());
  const absl::StatusOr<LoadOutcome> refused = without.Load();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("Tag required"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("set workload.tag to crc32c"));
  spec.load = false;
  spec.ops = {{.kind = OpKind::kPut}};
  spec.duration = Seconds(60);
  spec.max_ops_per_flow = 5;
  Runner unloaded(spec);
  ASSERT_TRUE(unloaded.Prepare().ok());
  const auto outcome = unloaded.Run(Soon(), Ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->totals().failed, 5u);
  EXPECT_THAT(CaveatText(*outcome, "requests_failed"),
              HasSubstr("the first: INVALID_REQUEST: Tag required; the run's puts carry no tag"));
  spec.load = true;
  spec.tag = TagAlgorithm::kCrc32c;
  Runner with(spec);
  ASSERT_TRUE(with.Prepare().ok());
  EXPECT_TRUE(with.Load().ok());
}

}  // namespace
}  // namespace kbench
