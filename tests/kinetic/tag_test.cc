// Tags and the checksum behind the usual one. What they must be is said by others: RFC 3720's
// vectors for CRC32C, FIPS 180's for the digests.
#include "kinetic/tag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "kinetic/crc32c.h"
#include "tests/kinetic/hex.h"

namespace kbench::kinetic {
namespace {

using testing::HasSubstr;

std::string Noise(size_t size, uint64_t seed) {
  Random random(seed);
  std::string noise;
  while (noise.size() < size) noise.push_back(static_cast<char>(random.Next() >> 56));
  return noise;
}

// RFC 3720, B.4, whose bytes are in the order of the wire there: lowest first.
TEST(Crc32c, HasTheValuesOfItsStandard) {
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up.push_back(static_cast<char>(i));
    down.push_back(static_cast<char>(31 - i));
  }
  for (const auto& [text, crc] : {std::pair<std::string, uint32_t>{"", 0},
                                  {"123456789", 0xe3069283},
                                  {std::string(32, '\0'), 0x8a9136aa},
                                  {std::string(32, '\xff'), 0x62a8ab43},
                                  {up, 0x46dd794e},
                                  {down, 0x113fdb5c}}) {
    EXPECT_EQ(Crc32c(0, AsBytes(text)), crc);
    EXPECT_EQ(Crc32cByTable(0, AsBytes(text)), crc);
  }
}

TEST(Crc32c, IsTheSameByTableAndByInstruction) {
  if (!HasCrc32cInstruction()) GTEST_SKIP() << "this processor has no instruction for it";
  const std::string noise = Noise(300, 7);
  for (size_t from = 0; from < 9; ++from) {
    for (size_t size = 0; from + size <= noise.size(); ++size) {
      const Bytes bytes = AsBytes(noise).subspan(from, size);
      ASSERT_EQ(Crc32cByTable(99, bytes), Crc32cByInstruction(99, bytes)) << from << " " << size;
    }
  }
}

TEST(Crc32c, GoesOnFromPieceToPiece) {
  const std::string noise = Noise(100, 3);
  const uint32_t whole = Crc32c(0, AsBytes(noise));
  for (size_t cut = 0; cut <= noise.size(); ++cut) {
    const uint32_t first = Crc32c(0, AsBytes(noise).first(cut));
    EXPECT_EQ(Crc32c(first, AsBytes(noise).subspan(cut)), whole) << cut;
  }
}

TEST(Crc32c, OfTwoPiecesFollowsFromTheirOwn) {
  const std::string first = Noise(32, 1);
  for (size_t size : {0, 1, 2, 31, 32, 33, 255, 4064, 65504, (1 << 20) - 32, 1 << 20}) {
    const std::string second = Noise(size, size + 5);
    const Crc32cJoin join(size);
    EXPECT_EQ(join.Of(Crc32c(0, AsBytes(first)), Crc32c(0, AsBytes(second))),
              Crc32c(0, AsBytes(first + second)))
        << size;
    EXPECT_EQ(join.Of(0, Crc32c(0, AsBytes(second))), Crc32c(0, AsBytes(second)))
        << "behind nothing";
  }
}

struct Known {
  TagAlgorithm algorithm;
  std::string tag;  // of "abc", in hexadecimal
};
const Known kOfAbc[] = {
    {TagAlgorithm::kCrc32c, "364b3fb7"},
    {TagAlgorithm::kSha1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {TagAlgorithm::kSha2, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
};

TEST(Tag, IsWhatItsAlgorithmMakes) {
  for (const Known& known : kOfAbc) {
    SCOPED_TRACE(std::string(TagName(known.algorithm)));
    const Tag tag = MakeTag(known.algorithm, AsBytes("abc"));
    EXPECT_EQ(tag.algorithm, known.algorithm);
    EXPECT_EQ(absl::BytesToHexString(tag.text()), known.tag) << "big endian";
    EXPECT_EQ(tag.text().size(), TagSize(known.algorithm));
    EXPECT_EQ(MakeTag(known.algorithm, {}).text().size(), TagSize(known.algorithm));
  }
}

TEST(Tag, IsMadeOfPiecesAsOfTheWhole) {
  const std::string value = Noise(1000, 9);
  TagMaker maker;
  for (const Known& known : kOfAbc) {
    for (size_t piece : {1, 7, 63, 64, 65, 999, 1000}) {
      maker.Begin(known.algorithm);
      for (size_t at = 0; at < value.size(); at += piece) {
        maker.Take(AsBytes(absl::string_view(value).substr(at, piece)));
      }
      EXPECT_EQ(maker.Finish().text(), MakeTag(known.algorithm, AsBytes(value)).text());
    }
  }
}

TEST(Tag, HasANameForEachAlgorithm) {
  for (int32_t number = 1; number <= 6; ++number) {
    const auto algorithm = static_cast<TagAlgorithm>(number);
    ASSERT_NE(TagName(algorithm), "");
    EXPECT_EQ(ParseTagAlgorithm(TagName(algorithm)).value(), algorithm);
  }
  EXPECT_EQ(TagName(static_cast<TagAlgorithm>(7)), "");
  EXPECT_THAT(std::string(ParseTagAlgorithm("md5").status().message()),
              HasSubstr("'md5' is no algorithm of tags; there are crc32c, sha1"));
}

TEST(TagAgrees, ComparesWhatItKnows) {
  for (const Known& known : kOfAbc) {
    const auto algorithm = static_cast<int32_t>(known.algorithm);
    std::string tag = absl::HexStringToBytes(known.tag);
    EXPECT_EQ(TagAgrees(algorithm, tag, AsBytes("abc")), true);
    EXPECT_EQ(TagAgrees(algorithm, tag, AsBytes("abd")), false);
    EXPECT_EQ(TagAgrees(algorithm, tag + "x", AsBytes("abc")), std::nullopt) << "another length";
    EXPECT_EQ(TagAgrees(algorithm, "", AsBytes("abc")), std::nullopt);
    tag[0] ^= 1;
    EXPECT_EQ(TagAgrees(algorithm, tag, AsBytes("abc")), false);
  }
  EXPECT_EQ(TagAgrees(4, absl::HexStringToBytes("b73f4b36"), AsBytes("abc")), false)
      << "a CRC32C whose bytes stand the other way round";
  for (const int32_t other : {-1, 0, 5, 6, 7, 100}) {
    for (const size_t size : {4, 8, 20, 32}) {
      EXPECT_EQ(TagAgrees(other, std::string(size, 't'), AsBytes("abc")), std::nullopt);
    }
  }
}

std::string Fault(const std::optional<KeyValue>& said, absl::string_view value, bool* knows) {
  TagCheck check;
  for (const absl::string_view earlier : {"an earlier value", ""}) {
    check.Begin(KeyValue{.tag = "1234", .algorithm = 4});
    check.Take(AsBytes(earlier));
  }
  check.Begin(said);
  for (const char& byte : value) check.Take(AsBytes(absl::string_view(&byte, 1)));
  *knows = check.knows();
  return std::string(check.Fault());
}

TEST(TagCheck, ComparesAValueWithTheTagThatCameWithIt) {
  bool knows = false;
  for (const Known& known : kOfAbc) {
    const std::string tag = absl::HexStringToBytes(known.tag);
    const KeyValue said = {.tag = tag, .algorithm = static_cast<int32_t>(known.algorithm)};
    EXPECT_EQ(Fault(said, "abc", &knows), "");
    EXPECT_TRUE(knows);
    EXPECT_THAT(Fault(said, "abd", &knows), HasSubstr("its tag is not the "));
    EXPECT_THAT(Fault(said, "", &knows), HasSubstr("its tag is not the "));
  }
  EXPECT_EQ(Fault(KeyValue{.tag = "1234", .algorithm = 4}, "abc", &knows),
            "its tag is not the CRC32C of its bytes");
}

TEST(TagCheck, JudgesNothingByATagThatItDoesNotKnow) {
  for (const std::optional<KeyValue>& said :
       {std::optional<KeyValue>(), std::optional<KeyValue>(KeyValue{.key = "k"}),
        std::optional<KeyValue>(KeyValue{.tag = "1234"}),
        std::optional<KeyValue>(KeyValue{.algorithm = 4}),
        std::optional<KeyValue>(KeyValue{.tag = "", .algorithm = 4}),
        std::optional<KeyValue>(KeyValue{.tag = "12345", .algorithm = 4}),
        std::optional<KeyValue>(KeyValue{.tag = "1234", .algorithm = 6}),
        std::optional<KeyValue>(KeyValue{.tag = "1234", .algorithm = 0}),
        std::optional<KeyValue>(KeyValue{.tag = "1234", .algorithm = 104})}) {
    bool knows = true;
    EXPECT_EQ(Fault(said, "abc", &knows), "");
    EXPECT_FALSE(knows);
  }
}

}  // namespace
}  // namespace kbench::kinetic
