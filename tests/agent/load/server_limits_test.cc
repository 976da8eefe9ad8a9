// Tags against what a server says of them. The other limits are tried in
// tests/e2e/campaign_test.cc, on a server that enforces them.
#include "agent/load/server_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/agent/specs.h"

namespace kbench {
namespace {

using kinetic::TagAlgorithm;
using testing::HasSubstr;

absl::Status Check(OpKind op, bool load, std::optional<TagAlgorithm> tag,
                   std::optional<uint32_t> most) {
  RunSpec spec = SmallSpec({.host = "drive", .port = 8123});
  spec.ops = {{.kind = op}};
  spec.load = load;
  spec.tag = tag;
  return CheckServerLimits(spec, {.max_tag_size = most});
}

TEST(ServerLimits, RefuseATagThatIsTooLong) {
  const absl::Status status = Check(OpKind::kPut, false, TagAlgorithm::kSha2, 31);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      status.message(),
      "server drive:8123 takes tags of up to 31 bytes, and sha2 makes 32; set workload.tag to "
      "crc32c or none");
  EXPECT_THAT(std::string(Check(OpKind::kPut, false, TagAlgorithm::kCrc32c, 3).message()),
              HasSubstr("set workload.tag to none"));
  EXPECT_FALSE(Check(OpKind::kGet, true, TagAlgorithm::kSha1, 19).ok()) << "the load's puts";
  EXPECT_FALSE(Check(OpKind::kBatch, false, TagAlgorithm::kSha1, 19).ok());
}

TEST(ServerLimits, TakeATagThatFits) {
  EXPECT_TRUE(Check(OpKind::kPut, false, TagAlgorithm::kSha2, 32).ok());
  EXPECT_TRUE(Check(OpKind::kPut, false, TagAlgorithm::kSha2, 4294967295).ok()) << "no limit";
  EXPECT_TRUE(Check(OpKind::kPut, false, TagAlgorithm::kSha2, 0).ok()) << "none is said";
  EXPECT_TRUE(Check(OpKind::kPut, false, TagAlgorithm::kSha2, std::nullopt).ok());
  EXPECT_TRUE(Check(OpKind::kPut, false, std::nullopt, 1).ok());
  EXPECT_TRUE(Check(OpKind::kGet, false, TagAlgorithm::kSha2, 4).ok()) << "writes nothing";
}

TEST(ServerLimits, CountTagsAmongTheBytesOfABatch) {
  RunSpec spec = SmallSpec({});
  spec.ops = {{.kind = OpKind::kBatch}};
  const kinetic::GetLog::Limits limits = {.max_batch_size =
                                              spec.batch_ops * (spec.key_bytes + spec.value_bytes)};
  EXPECT_TRUE(CheckServerLimits(spec, limits).ok());
  spec.tag = TagAlgorithm::kCrc32c;
  EXPECT_FALSE(CheckServerLimits(spec, limits).ok());
}

TEST(TagRemedy, SaysWhatToDoAboutWordsThatAreAboutTags) {
  RunSpec spec = SmallSpec({});
  EXPECT_THAT(TagRemedy(spec, "INVALID_REQUEST: Tag required"),
              HasSubstr("set workload.tag to crc32c"));
  spec.tag = TagAlgorithm::kSha1;
  EXPECT_THAT(TagRemedy(spec, "the server closed it; it had said INVALID_REQUEST: bad algorithm"),
              HasSubstr("workload.tag is sha1"));
  for (const char* other : {"", "INVALID_REQUEST", "INVALID_REQUEST: a wrong stage, percentage 5",
                            "WRONG_VALUE: its tag is not the CRC32C of its bytes",
                            "NO_SUCH_HMAC_ALGORITHM: no such algorithm"}) {
    EXPECT_EQ(TagRemedy(spec, other), "") << other;
  }
}

}  // namespace
}  // namespace kbench
